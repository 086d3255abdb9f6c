#include "policy/ladder.h"

#include <atomic>

#include "base/lru_map.h"
#include "base/mutex.h"

namespace weir {
namespace {

constexpr std::size_t kShards = 16;
constexpr std::size_t kMaxPerShard = Ladders::kMaxEntries / kShards;

struct Key {
  Hash128 subject;
  CounterId counter = 0;
  bool operator==(const Key&) const = default;
};

// Subjects are keyed hashes already; the counter only has to move the value.
std::size_t mixed(const Key& key) {
  return static_cast<std::size_t>(key.subject.low ^ (key.counter * 0x9E3779B97F4A7C15ull));
}

struct KeyHash {
  std::size_t operator()(const Key& key) const { return mixed(key); }
};

// From the top bits: the table inside a shard uses the low ones.
std::size_t shard_of(const Key& key) {
  return static_cast<std::size_t>((mixed(key) * 0xD1B54A32D192ED03ull) >> 60) % kShards;
}

}  // namespace

void Degradation::keep_what_changes(std::optional<std::int64_t> cap, std::size_t messages) {
  if (max_tokens && cap && *cap <= *max_tokens) max_tokens.reset();
  if (keep_messages && messages <= *keep_messages) keep_messages.reset();
}

std::string Degradation::header() const {
  if (!any()) return {};
  std::string out = limits;
  if (!model.empty()) out.append("; model=").append(model);
  if (max_tokens) out.append("; max_tokens=").append(std::to_string(*max_tokens));
  if (keep_messages) out.append("; keep_messages=").append(std::to_string(*keep_messages));
  return out;
}

struct Ladders::Shard {
  mutable Mutex mutex;
  LruMap<Key, int, KeyHash> rungs WEIR_GUARDED_BY(mutex){kMaxPerShard};
  // Lets the many requests of consumers who are far from any rung pass without the lock.
  std::atomic<std::size_t> count = 0;
};

Ladders::Ladders() : shards_(std::make_unique<Shard[]>(kShards)) {}
Ladders::~Ladders() = default;

int Ladders::last(const Hash128& subject, CounterId counter) const {
  const Key key{subject, counter};
  const Shard& shard = shards_[shard_of(key)];
  if (shard.count.load(std::memory_order_acquire) == 0) return 0;
  const MutexLock lock(shard.mutex);
  const int* percent = shard.rungs.find(key);
  return percent == nullptr ? 0 : *percent;
}

void Ladders::remember(const Hash128& subject, CounterId counter, int percent) {
  const Key key{subject, counter};
  Shard& shard = shards_[shard_of(key)];
  if (percent <= 0 && shard.count.load(std::memory_order_acquire) == 0) return;
  const MutexLock lock(shard.mutex);
  if (percent > 0) {
    shard.rungs.touch(key) = percent;
  } else {
    shard.rungs.erase(key);
  }
  shard.count.store(shard.rungs.size(), std::memory_order_release);
}

std::size_t Ladders::size() const {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < kShards; ++i) sum += shards_[i].count.load(std::memory_order_acquire);
  return sum;
}

}  // namespace weir
