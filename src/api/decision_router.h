// Which worker keeps which hold of the decision API. A hold belongs to the worker that its id's hash names, whichever
// worker's connection a call arrives on; calls and answers travel between the workers' loops.
//
//   DecisionRouter router;
//   std::size_t shard = router.join(desk, services, [&](auto work) { loop.post(std::move(work)); });
//   router.run(router.shard_of(id), [](DecisionDesk& desk, Services& services) { … });
//
// join() before the workers start; everything else from any thread. Outlives the workers. A worker leaves before its
// loop, desk or services go; work for it is dropped from then on.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "api/decision_desk.h"
#include "base/mutex.h"

namespace weir {

class DecisionRouter {
 public:
  using Post = std::function<void(std::function<void()>)>;
  using Work = std::function<void(DecisionDesk&, Services&)>;

  std::size_t join(DecisionDesk& desk, Services& services, Post post);
  void leave(std::size_t shard);
  std::size_t shard_of(Hash128 id) const;
  void run(std::size_t shard, Work work);
  // Work on the shard's thread that needs no desk: answers.
  void post(std::size_t shard, std::function<void()> work);
  // The limiter has expired this reservation.
  void expired(Hash128 id);

  // Connections of all workers: none of them stops while another's may still ask it something.
  std::atomic<std::int64_t> connections{0};

 private:
  struct Shard {
    DecisionDesk* desk;
    Services* services;
    Post post;
  };
  HoldsPerKey holds_;  // of all desks
  mutable Mutex mutex_;
  std::vector<Shard> shards_ WEIR_GUARDED_BY(mutex_);
  std::atomic<std::size_t> count_{0};
};

}  // namespace weir
