#include "api/decision_router.h"

#include <utility>

namespace weir {

std::size_t DecisionRouter::join(DecisionDesk& desk, Services& services, Post post) {
  const MutexLock guard(mutex_);
  desk.share(holds_);
  shards_.push_back({&desk, &services, std::move(post)});
  count_ = shards_.size();
  return shards_.size() - 1;
}

void DecisionRouter::leave(std::size_t shard) {
  const MutexLock guard(mutex_);
  shards_[shard].post = nullptr;
}

std::size_t DecisionRouter::shard_of(Hash128 id) const {
  return static_cast<std::size_t>(id.high % count_.load());
}

void DecisionRouter::run(std::size_t shard, Work work) {
  const MutexLock guard(mutex_);
  const Shard& to = shards_[shard];
  if (!to.post) return;
  to.post([desk = to.desk, services = to.services, work = std::move(work)] { work(*desk, *services); });
}

void DecisionRouter::post(std::size_t shard, std::function<void()> work) {
  const MutexLock guard(mutex_);
  if (shards_[shard].post) shards_[shard].post(std::move(work));
}

void DecisionRouter::expired(Hash128 id) {
  if (count_ == 0) return;
  run(shard_of(id), [id](DecisionDesk& desk, Services& services) { desk.expired(services, id); });
}

}  // namespace weir
