#include "gateway/mcp_sessions.h"

#include <array>

#include "base/lru_map.h"
#include "base/mutex.h"

namespace weir {
namespace {

constexpr std::size_t kShards = 16;

struct Half {
  std::size_t operator()(const Hash128& hash) const { return static_cast<std::size_t>(hash.high); }
};

}  // namespace

struct McpSessions::Impl {
  struct Shard {
    Mutex mutex;
    LruMap<Hash128, Hash128, Half> owners WEIR_GUARDED_BY(mutex){kMaxSessions / kShards};
  };
  std::array<Shard, kShards> shards;
  Shard& of(const Hash128& session) { return shards[session.low % kShards]; }
};

McpSessions::McpSessions() : impl_(std::make_unique<Impl>()) {}
McpSessions::~McpSessions() = default;

Hash128 McpSessions::id_of(const SubjectSecret& secret, std::string_view server, std::string_view id) {
  return SubjectHasher(secret).begin("mcp session").add(server).add(id).finish();
}

bool McpSessions::may_use(Hash128 session, Hash128 owner) const {
  Impl::Shard& shard = impl_->of(session);
  const MutexLock lock(shard.mutex);
  const Hash128* known = shard.owners.find(session);
  return known == nullptr || *known == owner;
}

void McpSessions::used(Hash128 session, Hash128 owner) {
  Impl::Shard& shard = impl_->of(session);
  const MutexLock lock(shard.mutex);
  Hash128& known = shard.owners.touch(session);
  if (!known) known = owner;
}

std::size_t McpSessions::size() const {
  std::size_t sum = 0;
  for (Impl::Shard& shard : impl_->shards) {
    const MutexLock lock(shard.mutex);
    sum += shard.owners.size();
  }
  return sum;
}

}  // namespace weir
