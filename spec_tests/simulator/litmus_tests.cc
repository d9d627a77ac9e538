#include "spec_tests/simulator/litmus_tests.h"

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace futures::simulator {
namespace {

using Kind = Instruction::Kind;
using Orders = std::vector<std::memory_order>;

const Orders& orders_of(Kind kind) {
  static const Orders loads = {std::memory_order_relaxed, std::memory_order_acquire, std::memory_order_seq_cst};
  static const Orders stores = {std::memory_order_relaxed, std::memory_order_release, std::memory_order_seq_cst};
  static const Orders fences = {std::memory_order_acquire, std::memory_order_release, std::memory_order_acq_rel,
                                std::memory_order_seq_cst};
  static const Orders others = {std::memory_order_relaxed, std::memory_order_acquire, std::memory_order_release,
                                std::memory_order_acq_rel, std::memory_order_seq_cst};
  if (kind == Kind::kLoad) return loads;
  if (kind == Kind::kStore) return stores;
  return kind == Kind::kFence ? fences : others;
}

std::memory_order parse_order(std::string_view text) {
  if (text == "rlx") return std::memory_order_relaxed;
  if (text == "acq") return std::memory_order_acquire;
  if (text == "rel") return std::memory_order_release;
  if (text == "ar") return std::memory_order_acq_rel;
  CHECK_EQ(text, "sc");
  return std::memory_order_seq_cst;
}

// What an instruction of a text stands for. Nothing is an instruction that is left out.
std::vector<std::optional<Instruction>> variants(std::string_view text) {
  constexpr std::string_view kLetters = "RWAXCF";
  constexpr std::string_view kLocations = "xyzw";
  const std::pair<std::string_view, std::string_view> parts = absl::StrSplit(text, absl::MaxSplits('.', 1));
  Instruction instruction{.kind = static_cast<Kind>(kLetters.find(text[0])), .order = std::memory_order_relaxed};
  const auto digit = [&](std::size_t at) { return parts.first[at] - '0'; };
  if (instruction.kind != Kind::kFence) instruction.location = static_cast<int>(kLocations.find(text[1]));
  if (instruction.kind == Kind::kCompareExchange) {
    instruction.expected = digit(2);
    instruction.value = digit(3);
  } else if (parts.first.size() > 2) {
    instruction.value = digit(2);
  }
  std::vector<std::optional<Instruction>> all;
  if (instruction.kind == Kind::kFence && parts.second.empty()) all.emplace_back();
  for (const std::memory_order order :
       parts.second.empty() ? orders_of(instruction.kind) : Orders{parse_order(parts.second)}) {
    instruction.order = order;
    all.emplace_back(instruction);
  }
  return all;
}

struct Shape {
  std::string_view name;
  std::string_view text;
};

constexpr Shape kShapes[] = {
    {"MP", "Wx1 F Wy1 | Ry F Rx"},
    {"SB", "Wx1 F Ry | Wy1 F Rx"},
    {"LB", "Rx F Wy1 | Ry F Wx1"},
    {"R", "Wx1 F Wy1 | Wy2 F Rx"},
    {"S", "Wx2 F Wy1 | Ry F Wx1"},
    {"2+2W", "Wx1 F Wy2 | Wy1 F Wx2"},
    {"CoRR", "Wx1 | Wx2 | Rx Rx"},
    {"CoRR2", "Wx1 | Wx2 | Rx Rx | Rx Rx"},
    {"CoWW", "Wx1 Wx2 | Rx Rx"},
    {"CoWR", "Wx1 Rx | Wx2"},
    {"CoRW", "Rx Wx1 | Wx2"},
    {"WRC", "Wx1 | Rx F Wy1 | Ry F Rx"},
    {"RWC", "Wx1 | Rx F Ry | Wy1 F Rx"},
    {"WWC", "Wx2 | Rx F Wy1 | Ry F Wx1"},
    {"ISA2", "Wx1 Wy1 | Ry Wz1 | Rz Rx"},
    {"W+RWC", "Wx1 Wz1 | Rz F Ry | Wy1 F Rx"},
    {"Z6", "Wx1 Wy1 | Wy2 Wz1 | Rz Rx"},
    {"3.SB", "Wx1 F Ry | Wy1 F Rz | Wz1 F Rx"},
    {"3.2W", "Wx1 Wy2 | Wy1 Wz2 | Wz1 Wx2"},
    {"IRIW", "Wx1 | Wy1 | Rx F Ry | Ry F Rx"},
    {"IRRWIW", "Wx1 | Wy2 | Rx F Ry | Ry F Wx2"},
    {"W+R+RR+RR", "Wx1 Wy1 | Ry Rx | Rx Ry"},
    {"ReleaseSequence", "Wx1 Wy1 | Ay1 | Ry Rx"},
    {"ReleaseSequence2", "Wx1 Wy1 | Ay1 | Ay1 | Ry Rx"},
    {"OwnStoreBehind", "Wx1 Wy1 Wy2 | Ry Rx"},
    {"OwnStoreAndModification", "Wx1 Wy1 Wy2 | Ay1 | Ry Rx"},
    {"OtherStoreBehind", "Wx1 Wy1 | Ay1 Wy5 | Ry Rx"},
    {"FetchAdd", "Ax1 | Ax1 | Rx Rx"},
    {"FetchAddTwice", "Ax1 Ax1 | Ax1"},
    {"FetchAddMp", "Wx1 Ay1 | Ay1 Rx"},
    {"FetchAddSb", "Ax1 Ry | Ay1 Rx"},
    {"ExchangeSb", "Wx1 Xz1 Ry | Wy1 Xz2 Rx"},
    {"ExchangeMp", "Wx1 Xy1 | Xy2 Rx"},
    {"Exchanges", "Xx1 Xy1 | Xy2 Xx2"},
    {"CompareExchange", "Cx01 | Cx02 | Rx"},
    {"Lock", "Cx01 Wy1 Wx0 | Cx01 Ry Wx0"},
    {"CompareExchangeMp", "Wy1 Cx01 | Cx12 Ry"},
    {"CompareExchangeSb", "Cx01 Ry | Cy01 Rx"},
    {"ScAndWeaker", "Wx1 Rx | Wx2 Rx Wy1 | Ry Rx"},
    {"ScAndWeakerSb", "Wx1 Wx2 Ry | Wy1 Ry Rx"},
    {"ScFenceMp", "Wx1 F Wy1 | Ry F Rz | Wz1 F Rx"},
};

// Whether herd7 has something to say, and soon: it tries every order of the stores on a location, and every value for a
// modification.
bool is_suitable(const Litmus& litmus) {
  std::size_t accesses = 0;
  std::vector<int> stores(3);
  int modifications = 0;
  for (const auto& thread : litmus.threads) {
    for (const Instruction& instruction : thread) {
      if (instruction.kind == Kind::kFence) continue;
      ++accesses;
      if (instruction.kind == Kind::kLoad) continue;
      ++stores[static_cast<std::size_t>(instruction.location)];
      if (instruction.kind != Kind::kStore) ++modifications;
    }
  }
  return accesses > 0 && accesses <= 8 && *std::max_element(stores.begin(), stores.end()) <= 3 && modifications <= 3;
}

}  // namespace

std::vector<Litmus> programs(std::string_view name, std::string_view text, std::size_t most, std::uint64_t seed) {
  std::vector<std::vector<std::optional<Instruction>>> slots;
  std::vector<std::size_t> thread_of_slot;
  std::size_t threads = 0;
  for (const std::string_view thread : absl::StrSplit(text, '|')) {
    for (const std::string_view instruction : absl::StrSplit(thread, ' ', absl::SkipWhitespace())) {
      slots.push_back(variants(instruction));
      thread_of_slot.push_back(threads);
    }
    ++threads;
  }
  std::size_t combinations = 1;
  for (const auto& slot : slots) combinations *= slot.size();
  std::set<std::size_t> chosen;
  std::mt19937_64 random(seed);
  while (chosen.size() < std::min(most, combinations)) {
    chosen.insert(most < combinations ? random() % combinations : chosen.size());
  }
  std::vector<Litmus> all;
  for (const std::size_t number : chosen) {
    Litmus litmus{.name = absl::StrCat(name, ".", number), .threads = {}};
    litmus.threads.resize(threads);
    std::size_t rest = number;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const std::optional<Instruction>& instruction = slots[i][rest % slots[i].size()];
      rest /= slots[i].size();
      if (instruction) litmus.threads[thread_of_slot[i]].push_back(*instruction);
    }
    all.push_back(std::move(litmus));
  }
  return all;
}

std::vector<Litmus> shapes(std::size_t per_shape, std::uint64_t seed) {
  std::vector<Litmus> all;
  for (const Shape& shape : kShapes) {
    for (Litmus& litmus : programs(shape.name, shape.text, per_shape, seed)) all.push_back(std::move(litmus));
  }
  return all;
}

std::vector<Litmus> particular_programs() {
  constexpr Shape kParticulars[] = {
      {"SB", "Wx1.rlx Ry.rlx | Wy1.rlx Rx.rlx"},
      {"SB+fence", "Wx1.rlx F.sc Ry.rlx | Wy1.rlx Rx.rlx"},
      {"SB+fences", "Wx1.rlx F.sc Ry.rlx | Wy1.rlx F.sc Rx.rlx"},
      {"SB+sc+fence", "Wx1.sc Ry.sc | Wy1.rlx F.sc Rx.rlx"},
      {"LB", "Rx.rlx Wy1.rlx | Ry.rlx Wx1.rlx"},
      {"2+2W", "Wx1.rlx Wy2.rlx | Wy1.rlx Wx2.rlx"},
      {"2+2W+sc", "Wx1.sc Wy2.sc | Wy1.sc Wx2.sc"},
      {"S", "Wx2.rlx Wy1.rel | Ry.rlx Wx1.rlx"},
      {"IRIW+acqs", "Wx1.rel | Wy1.rel | Rx.acq Ry.acq | Ry.acq Rx.acq"},
      {"IRIW+scs", "Wx1.sc | Wy1.sc | Rx.sc Ry.sc | Ry.sc Rx.sc"},
      {"IRIW+fences", "Wx1.rlx | Wy1.rlx | Rx.rlx F.sc Ry.rlx | Ry.rlx F.sc Rx.rlx"},
      // From the paper: hb does not order SC accesses by itself.
      {"Z6.U", "Wx1.sc Wy1.rel | Ay1.sc Ry.rlx | Wy3.sc Rx.sc"},
      {"IRIW+acqs+sc", "Wx1.sc | Rx.acq Ry.sc | Wy1.sc | Ry.acq Rx.sc"},
      {"WRC+acqs+sc", "Wx1.rlx F.sc | Rx.rlx F.sc Ry.rlx | Wy1.rlx F.sc Rx.rlx"},
      // The fences are ordered by hb;eco;hb alone.
      {"RWC+fences", "Wx1.rlx | Rx.acq F.sc Ry.rlx | Wy1.rlx F.sc Rx.rlx"},
      {"FencesByRf", "Wx1.rlx F.sc Wz1.rlx | Rz.rlx F.sc Ry.rlx | Wy1.rlx F.sc Rx.rlx"},
      {"W+RWC+fences", "Wx1.rlx Wz1.rel | Rz.acq F.sc Ry.rlx | Wy1.rlx F.sc Rx.rlx"},
      // An SC store that an acquire fence reads orders nothing in psc.
      {"ScStoreToFence", "Wz1.sc Wx1.sc | Rx.rlx F.acq Ry.sc | Wy1.sc Rz.sc"},
      {"ScStoreToScFence", "Wx1.sc | Rx.rlx F.sc Ry.rlx | Wy1.sc Rx.sc"},
      {"ScStoreToScFence2", "Wx1.sc | Rx.acq F.sc Ry.rlx | Wy1.sc Rx.sc"},
      // Runs of accesses on one location: sbl;hb;sbl needs another one.
      {"SameLocationRun", "Wx1.sc Wx2.rel | Rx.acq Ry.sc | Wy1.sc Rx.sc"},
      {"SameLocationRun2", "Wx1.sc Wz1.rel | Rz.acq Ry.sc | Wy1.sc Rx.sc"},
      {"SameLocationRun3", "Wx1.sc Wx2.rel | Rx.acq Wz1.rlx Ry.sc | Wy1.sc Rx.sc"},
      {"SameLocationRun4", "Wz1.sc Wx2.rel | Rx.acq Rx.sc | Wx4.sc Rz.sc"},
      // mo and rb end at what is before the fence, and not at what has been read before it.
      {"ScStoreBehindWhichIsRead", "Wz1.sc Wx1.sc | Wx2.rlx | Rx.rlx F.sc Rz.rlx"},
      // rf without sw orders fences, too.
      {"FencesByRfAlone", "Wx1.rlx F.sc Wz1.rlx | Rz.acq Ww1.rlx | Rw.rlx F.sc Ry.rlx | Wy1.rlx F.sc Rx.rlx"},
      {"FencesByMoAndRf", "Wz1.rlx F.sc Wx1.rlx | Wx2.rlx | Wx3.rlx | Rx.rlx F.sc Rz.rlx"},
      {"FencesByMo", "Wz1.rlx F.sc Wx1.rlx | Wx2.rlx | Wx3.rlx F.sc Rz.rlx"},
      {"3.SB+fences+fence", "Wx1.rlx F.sc Ry.rlx F.sc | Wy1.rlx F.sc Rz.rlx | Wz1.rlx F.sc Rx.rlx"},
      {"ReadAgain", "Wx1.rlx | Rx.rlx Wy1.rel Rx.rlx | Ry.acq Rx.rlx"},
      // A fence is before an SC access after it in hb.
      {"FenceToScLoad", "Wz1.rlx F.sc Wx1.rlx | Rx.acq Ry.sc | Wy1.sc Rz.sc"},
      {"FenceToScLoadThatReads", "Wz1.rlx F.sc Wx1.rlx | Rx.sc | Wx2.sc Rz.sc"},
      {"ReleaseSequence", "Wx1.rlx Wy1.rel | Ay1.rlx | Ry.acq Rx.rlx"},
      {"ReleaseSequenceChain", "Wx1.rlx Wy1.rel | Ay1.rlx | Ay1.rlx | Ry.acq Rx.rlx"},
      {"OwnStoreBehind", "Wx1.rlx Wy1.rel Wy2.rlx | Ry.acq Rx.rlx"},
      {"FencesOfBothSides", "Wx1.rlx F.rel Wy1.rlx | Ry.rlx F.acq Rx.rlx"},
      {"FenceAndModification", "Wx1.rlx F.rel Wy1.rlx | Ay1.rlx | Ry.rlx F.acq Rx.rlx"},
      {"FetchAdds", "Ax1.rlx Ax1.rlx | Ax1.rlx Ax1.rlx"},
      {"ExchangeAsFence", "Wx1.rlx Xz1.ar Ry.rlx | Wy1.rlx Xz2.ar Rx.rlx"},
      {"FetchAddInTheMiddle", "Wx1.rlx Wy1.rlx | Wy2.rlx Ax1.rlx | Rx.rlx Ry.rlx"},
      {"CompareExchangeOfAnOlderStore", "Wx1.rlx Wx0.rlx | Cx01.rlx Rx.rlx"},
      {"ScOnOneSide", "Wx1.sc Wx2.rlx | Wx3.rlx Rx.sc | Rx.sc Rx.rlx"},
  };
  std::vector<Litmus> all;
  for (const Shape& shape : kParticulars) {
    all.push_back(programs(shape.name, shape.text, 1, 0).at(0));
    all.back().name = shape.name;
  }
  return all;
}

std::vector<Litmus> random_programs(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<std::uint64_t>(n)); };
  std::vector<Litmus> all;
  while (all.size() < count) {
    Litmus litmus{.name = absl::StrCat("random.", seed, ".", all.size()), .threads = {}};
    const int threads = 2 + below(3);
    const int longest = threads == 2 ? 4 : threads == 3 ? 3 : 2;
    const int locations = 1 + below(3);
    const int weakest = below(3);  // Some programs have mostly weak orders, some mostly strong ones.
    int next_value = 1;
    for (int t = 0; t < threads; ++t) {
      litmus.threads.emplace_back();
      for (int at = 1 + below(longest); at > 0; --at) {
        constexpr Kind kKinds[] = {Kind::kLoad,  Kind::kLoad,     Kind::kLoad,     Kind::kStore, Kind::kStore,
                                   Kind::kStore, Kind::kFetchAdd, Kind::kExchange, Kind::kFence, Kind::kFence};
        const Kind kind = kKinds[below(10)];
        const Orders& orders = orders_of(kind);
        const int all_orders = static_cast<int>(orders.size());
        const int order = weakest == 0 ? below(all_orders) : std::max(below(all_orders), below(all_orders));
        litmus.threads.back().push_back(
            {.kind = kind, .order = orders[static_cast<std::size_t>(order)], .location = below(locations)});
        if (kind == Kind::kStore || kind == Kind::kExchange) litmus.threads.back().back().value = next_value++;
      }
    }
    if (is_suitable(litmus)) all.push_back(std::move(litmus));
  }
  return all;
}

}  // namespace futures::simulator
