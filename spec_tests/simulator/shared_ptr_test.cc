// Shared ownership in the simulator: who lets go last is a matter of the schedule.
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "spec_tests/simulator/exploration_checks.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/sync.h"

namespace futures::simulator {
namespace {

namespace sync = ::futures::simulated::sync;

struct Base {
  virtual ~Base() = default;
};

struct Owned final : Base, sync::enable_shared_from_this<Owned> {
  explicit Owned(int& on) : destroyed_on(on) {}
  ~Owned() override { destroyed_on = this_thread(); }
  int& destroyed_on;
  sync::mutex mutex;
};

TEST(SharedPtr, TheLastOwnerDestroys) {
  std::set<int> seen;
  expect_nothing([&] {
    int destroyed_on = -1;
    auto one = sync::make_shared<Owned>(destroyed_on);
    sync::shared_ptr<Base> other = one;
    expect(one.use_count() == 2 && other.get() == one.get(), "two handles do not share");
    together({[&] { one = nullptr; }, [&] { other = nullptr; }});
    expect(destroyed_on > 0, "nobody has destroyed it");
    seen.insert(destroyed_on);
  });
  EXPECT_EQ(seen.size(), 2u);
}

TEST(SharedPtr, HandlesAreCopiedAndMoved) {
  expect_nothing([] {
    int destroyed_on = -1;
    {
      const auto own = sync::make_shared<Owned>(destroyed_on);
      sync::shared_ptr<Owned> copy = own->shared_from_this();
      const sync::shared_ptr<Owned> moved = std::move(copy);
      const sync::shared_ptr<const Base> base = moved;
      expect(own == moved && base != nullptr && own.use_count() == 3, "they do not share");
      expect(destroyed_on == -1, "it was destroyed though it has owners");
    }
    expect(destroyed_on == this_thread(), "it was not destroyed");
  });
}

TEST(SharedPtr, WithoutAnOwnerThereIsNoHandle) {
  int destroyed_on = -1;
  Owned on_the_stack(destroyed_on);
  EXPECT_THROW(on_the_stack.shared_from_this(), std::bad_weak_ptr);
}

TEST(SharedPtr, UseWithoutOwningIsFound) {
  const auto program = [](bool owns) {
    int destroyed_on = -1;
    auto one = sync::make_shared<Owned>(destroyed_on);
    const sync::shared_ptr<Owned> other = owns ? one : nullptr;
    together({[&] { one = nullptr; }, [used = one.get()] { const sync::mutex_lock lock(used->mutex); }});
  };
  expect_nothing([&] { program(true); });
  expect_found(Finding::Kind::kUseAfterFree, [&] { program(false); });
}

}  // namespace
}  // namespace futures::simulator
