// Locks whose rules clang checks at compile time (-Wthread-safety): what a lock guards is written beside it, and code
// that touches it without the lock does not compile. Other compilers see empty macros.
//
//   Mutex mutex_;
//   std::deque<Job> jobs_ WEIR_GUARDED_BY(mutex_);
//   void drop_oldest() WEIR_REQUIRES(mutex_);      // the caller holds it
//   …
//   const MutexLock lock(mutex_);
//   jobs_.clear();
//
// Thread-safe, not recursive; a Mutex outlives its locks. Header only, and usable by every folder: what is installed
// (engine) needs nothing else of base. Std's own mutexes and guards are allowed nowhere else (tests/lint).
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define WEIR_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define WEIR_THREAD_ATTRIBUTE(x)
#endif

// Of a class that is a lock, or holds one for the length of a scope.
#define WEIR_CAPABILITY(name) WEIR_THREAD_ATTRIBUTE(capability(name))
#define WEIR_SCOPED_CAPABILITY WEIR_THREAD_ATTRIBUTE(scoped_lockable)
// Of data: the lock to hold for it.
#define WEIR_GUARDED_BY(...) WEIR_THREAD_ATTRIBUTE(guarded_by(__VA_ARGS__))
// Of a function: what its caller holds, must not hold, gets or gives back.
#define WEIR_REQUIRES(...) WEIR_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define WEIR_EXCLUDES(...) WEIR_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define WEIR_ACQUIRE(...) WEIR_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define WEIR_RELEASE(...) WEIR_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
// Of a function that states what the analysis cannot see: the lock is held, by another name.
#define WEIR_ASSERTS(...) WEIR_THREAD_ATTRIBUTE(assert_capability(__VA_ARGS__))
// Of a function whose locking the analysis cannot follow; a comment says why it is right.
#define WEIR_UNCHECKED_LOCKING WEIR_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace weir {

class WEIR_CAPABILITY("mutex") Mutex {
 public:
  void lock() WEIR_ACQUIRE() { mutex_.lock(); }
  void unlock() WEIR_RELEASE() { mutex_.unlock(); }
  // No code: tells the analysis what the caller knows.
  void held() const WEIR_ASSERTS(this) {}

 private:
  friend class Condition;
  std::mutex mutex_;
};

class WEIR_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) WEIR_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() WEIR_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits give the mutex back while they sleep. They may end early: loop over what is waited for, in plain sight of the
// analysis, which does not look into predicates.
class Condition {
 public:
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

  void wait(Mutex& mutex) WEIR_REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // False: the time came first.
  template <class Instant>
  bool wait_until(Mutex& mutex, const Instant& until) WEIR_REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    const bool woken = condition_.wait_until(lock, until) == std::cv_status::no_timeout;
    lock.release();
    return woken;
  }

 private:
  std::condition_variable condition_;
};

}  // namespace weir
