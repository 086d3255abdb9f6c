#include "tokens/context_sizes.h"

#include <array>

#include "base/lru_map.h"
#include "base/mutex.h"
#include "tokens/output_history.h"

namespace weir {
namespace {

constexpr std::size_t kShards = 16;

}  // namespace

struct ContextSizes::Impl {
  struct Shard {
    Mutex mutex;
    LruMap<std::uint64_t, std::int64_t> sizes WEIR_GUARDED_BY(mutex){kMaxIds / kShards};
  };
  std::array<Shard, kShards> shards;
};

ContextSizes::ContextSizes() : impl_(std::make_unique<Impl>()) {}
ContextSizes::~ContextSizes() = default;

void ContextSizes::remember(std::string_view owner, std::string_view id, std::int64_t tokens) {
  if (id.empty() || tokens < 0) return;
  const std::uint64_t key = OutputHistory::key(owner, id);
  Impl::Shard& shard = impl_->shards[key % kShards];
  const MutexLock guard(shard.mutex);
  shard.sizes.touch(key) = tokens;
}

std::optional<std::int64_t> ContextSizes::tokens_of(std::string_view owner, std::string_view id) const {
  const std::uint64_t key = OutputHistory::key(owner, id);
  Impl::Shard& shard = impl_->shards[key % kShards];
  const MutexLock guard(shard.mutex);
  const std::int64_t* tokens = shard.sizes.find(key);
  return tokens == nullptr ? std::nullopt : std::optional(*tokens);
}

}  // namespace weir
