// shared_ptr, make_shared and enable_shared_from_this under a controlled scheduler: a part of sync.h, which includes
// this. Each change of the count of owners is an operation, so schedules differ by who lets go last, and the destructor
// happens after what the other owners have done.
//
// The sources say std::shared_ptr; their copies say sync::shared_ptr. It has what they use of the standard library's.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SHARED_PTR_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SHARED_PTR_H_

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include "spec_tests/simulator/sync.h"

namespace futures::inline simulated::sync {

// What all owners of an object share: their number, and the object itself.
class shared_object {
 public:
  shared_object() = default;
  shared_object(const shared_object&) = delete;
  shared_object& operator=(const shared_object&) = delete;
  virtual ~shared_object() = default;

  void add_owner(const Where& where) noexcept { owners_.fetch_add(1, std::memory_order_relaxed, where); }
  void drop_owner() noexcept {
    if (owners_.fetch_sub(1, std::memory_order_acq_rel, Where()) == 1) delete this;
  }
  long owners() const noexcept { return owners_.load(std::memory_order_relaxed); }

 private:
  atomic<long> owners_{1};
};

template <typename T>
class shared_ptr {
 public:
  constexpr shared_ptr() noexcept = default;
  constexpr shared_ptr(std::nullptr_t) noexcept {}  // NOLINT(google-explicit-constructor): as std::shared_ptr.
  shared_ptr(const shared_ptr& other, Where where = Where::current()) noexcept
      : shared_ptr(other.pointer_, other.object_, where) {}
  shared_ptr(shared_ptr&& other) noexcept
      : pointer_(std::exchange(other.pointer_, nullptr)), object_(std::exchange(other.object_, nullptr)) {}
  template <typename U>
    requires std::is_convertible_v<U*, T*>
  shared_ptr(const shared_ptr<U>& other, Where where = Where::current()) noexcept  // NOLINT: as above.
      : shared_ptr(other.pointer_, other.object_, where) {}
  template <typename U>
    requires std::is_convertible_v<U*, T*>
  shared_ptr(shared_ptr<U>&& other) noexcept  // NOLINT: as above.
      : pointer_(std::exchange(other.pointer_, nullptr)), object_(std::exchange(other.object_, nullptr)) {}
  shared_ptr& operator=(shared_ptr other) noexcept {
    std::swap(pointer_, other.pointer_);
    std::swap(object_, other.object_);
    return *this;
  }
  ~shared_ptr() {
    if (object_ != nullptr) object_->drop_owner();
  }

  T* get() const noexcept { return pointer_; }
  T& operator*() const noexcept { return *pointer_; }
  T* operator->() const noexcept { return pointer_; }
  explicit operator bool() const noexcept { return pointer_ != nullptr; }
  long use_count() const noexcept { return object_ == nullptr ? 0 : object_->owners(); }
  friend bool operator==(const shared_ptr& a, const shared_ptr& b) noexcept { return a.pointer_ == b.pointer_; }

 private:
  template <typename U>
  friend class shared_ptr;
  template <typename U>
  friend class enable_shared_from_this;
  template <typename U, typename... Args>
  friend shared_ptr<U> make_shared(Args&&... args);

  // One owner more.
  shared_ptr(T* pointer, shared_object* object, const Where& where) noexcept : shared_ptr(pointer, object) {
    if (object != nullptr) object->add_owner(where);
  }
  // The owner that `object` counts already.
  shared_ptr(T* pointer, shared_object* object) noexcept : pointer_(pointer), object_(object) {}

  T* pointer_ = nullptr;
  shared_object* object_ = nullptr;
};

template <typename T>
class enable_shared_from_this {
 public:
  shared_ptr<T> shared_from_this(Where where = Where::current()) {
    if (object_ == nullptr || object_->owners() == 0) throw std::bad_weak_ptr();
    return shared_ptr<T>(static_cast<T*>(this), object_, where);
  }

 protected:
  enable_shared_from_this() = default;
  ~enable_shared_from_this() = default;

 private:
  template <typename U, typename... Args>
  friend shared_ptr<U> make_shared(Args&&... args);
  static void link(enable_shared_from_this& owned, shared_object& object) { owned.object_ = &object; }

  shared_object* object_ = nullptr;
};

template <typename U, typename... Args>
shared_ptr<U> make_shared(Args&&... args) {
  struct Object final : shared_object {
    explicit Object(Args&&... given) : value(std::forward<Args>(given)...) {}
    U value;
  };
  auto* const object = new Object(std::forward<Args>(args)...);
  if constexpr (requires { object->value.shared_from_this(); }) object->value.link(object->value, *object);
  return shared_ptr<U>(&object->value, object);
}

}  // namespace futures::inline simulated::sync

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SHARED_PTR_H_
