// What std::shared_ptr becomes in the simulated sources: the same, and the simulator knows what its count orders.
//
// Who gives up a share comes before who gives up the next one, as the standard library has it. So what each owner did
// with the object happens before its destructor. Nothing here is a choice point.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SHARED_PTR_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SHARED_PTR_H_

#include <concepts>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace futures::inline simulated::sync {

// The count of an object's owners. The object is in a derived class.
class Owners {
 public:
  Owners() = default;
  Owners(const Owners&) = delete;
  Owners& operator=(const Owners&) = delete;

  void add() noexcept;
  void drop() noexcept;  // The last one destroys this.
  // For one who holds no share: the object may be about to be destroyed. Throws std::bad_weak_ptr then.
  void add_to_some();
  long count() const noexcept;

 protected:
  virtual ~Owners() = default;

 private:
  long count_ = 1;
};

template <typename T>
class enable_shared_from_this;

// What the sources use of std::shared_ptr.
template <typename T>
class shared_ptr {
 public:
  shared_ptr() noexcept = default;
  shared_ptr(std::nullptr_t) noexcept {}  // NOLINT(google-explicit-constructor): as std::shared_ptr.
  shared_ptr(T* object, Owners* adopted) noexcept : object_(object), owners_(adopted) {}
  shared_ptr(const shared_ptr& other) noexcept : object_(other.object_), owners_(other.owners_) {
    if (owners_ != nullptr) owners_->add();
  }
  shared_ptr(shared_ptr&& other) noexcept
      : object_(std::exchange(other.object_, nullptr)), owners_(std::exchange(other.owners_, nullptr)) {}
  template <typename U>
    requires std::convertible_to<U*, T*>
  shared_ptr(const shared_ptr<U>& other) noexcept  // NOLINT(google-explicit-constructor)
      : shared_ptr(shared_ptr<U>(other)) {}
  template <typename U>
    requires std::convertible_to<U*, T*>
  shared_ptr(shared_ptr<U>&& other) noexcept  // NOLINT(google-explicit-constructor)
      : object_(std::exchange(other.object_, nullptr)), owners_(std::exchange(other.owners_, nullptr)) {}
  shared_ptr& operator=(shared_ptr other) noexcept {
    std::swap(object_, other.object_);
    std::swap(owners_, other.owners_);
    return *this;
  }
  ~shared_ptr() {
    if (owners_ != nullptr) owners_->drop();
  }

  void reset() noexcept { *this = shared_ptr(); }
  T* get() const noexcept { return object_; }
  std::add_lvalue_reference_t<T> operator*() const noexcept { return *object_; }
  T* operator->() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  long use_count() const noexcept { return owners_ == nullptr ? 0 : owners_->count(); }
  friend bool operator==(const shared_ptr& a, const shared_ptr& b) noexcept { return a.object_ == b.object_; }
  friend bool operator==(const shared_ptr& a, std::nullptr_t) noexcept { return a.object_ == nullptr; }

 private:
  template <typename U>
  friend class shared_ptr;

  T* object_ = nullptr;
  Owners* owners_ = nullptr;
};

template <typename T>
class enable_shared_from_this {
 public:
  // The object must be owned by a shared_ptr.
  shared_ptr<T> shared_from_this() {
    owners_->add_to_some();
    return shared_ptr<T>(static_cast<T*>(this), owners_);
  }

 protected:
  enable_shared_from_this() noexcept = default;
  enable_shared_from_this(const enable_shared_from_this&) noexcept {}
  enable_shared_from_this& operator=(const enable_shared_from_this&) noexcept { return *this; }
  ~enable_shared_from_this() = default;

 private:
  template <typename U, typename... Args>
  friend shared_ptr<U> make_shared(Args&&... args);

  Owners* owners_ = nullptr;
};

template <typename T, typename... Args>
shared_ptr<T> make_shared(Args&&... args) {
  struct Owned final : Owners {
    explicit Owned(Args&&... given) : object(std::forward<Args>(given)...) {}
    T object;
  };
  auto* const owned = new Owned(std::forward<Args>(args)...);
  if constexpr (requires { owned->object.shared_from_this(); }) owned->object.owners_ = owned;
  return shared_ptr<T>(&owned->object, owned);
}

}  // namespace futures::inline simulated::sync

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SHARED_PTR_H_
