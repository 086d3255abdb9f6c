// What the admin API asks of the record store. Workers never touch SQLite: work goes into a bounded queue that the
// background thread, which owns the store, empties; the answer travels back to the worker's loop.
//
//   AdminWork work([&] { background->wake(); });
//   if (!work.push([done](Store& store, TimeNs now) { done(list(store)); })) …503…   // any thread
//   work.run(store, now);                                                            // the background thread
//
// Thread-safe; outlives the workers. Limit: kMaxAdminWork pieces wait, further ones are refused.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"
#include "records/store.h"

namespace weir {

inline constexpr std::size_t kMaxAdminWork = 64;

class AdminWork {
 public:
  using Piece = std::function<void(Store&, TimeNs)>;
  explicit AdminWork(std::function<void()> wake) : wake_(std::move(wake)) {}

  // False if too much is waiting.
  bool push(Piece piece) {
    {
      const MutexLock lock(mutex_);
      if (waiting_.size() >= kMaxAdminWork) return false;
      waiting_.push_back(std::move(piece));
    }
    wake_();
    return true;
  }

  // Does what is waiting; true if there was anything.
  bool run(Store& store, TimeNs now) {
    std::vector<Piece> pieces;
    {
      const MutexLock lock(mutex_);
      pieces.swap(waiting_);
    }
    for (const Piece& piece : pieces) piece(store, now);
    return !pieces.empty();
  }

 private:
  const std::function<void()> wake_;
  Mutex mutex_;
  std::vector<Piece> waiting_ WEIR_GUARDED_BY(mutex_);
};

}  // namespace weir
