#include "policy/ladder.h"

#include <array>
#include <atomic>
#include <list>
#include <mutex>
#include <unordered_map>

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

std::string Degradation::header() const {
  if (!any()) return {};
  std::string out = limits;
  if (!model.empty()) out.append("; model=").append(model);
  if (max_tokens) out.append("; max_tokens=").append(std::to_string(*max_tokens));
  if (keep_messages) out.append("; keep_messages=").append(std::to_string(*keep_messages));
  return out;
}

struct Ladders::Shard {
  struct Entry {
    Key key;
    int percent = 0;
  };

  mutable std::mutex mutex;
  std::list<Entry> recent;  // the one used last in front
  std::unordered_map<Key, std::list<Entry>::iterator, KeyHash> by_key;
  // Lets the many requests of consumers who are far from any rung pass without the lock.
  std::atomic<std::size_t> count = 0;

  void forget(std::unordered_map<Key, std::list<Entry>::iterator, KeyHash>::iterator found) {
    recent.erase(found->second);
    by_key.erase(found);
  }

  void set(const Key& key, int percent) {
    if (const auto found = by_key.find(key); found != by_key.end()) {
      found->second->percent = percent;
      recent.splice(recent.begin(), recent, found->second);
      return;
    }
    if (by_key.size() >= kMaxPerShard) forget(by_key.find(recent.back().key));
    recent.push_front({key, percent});
    by_key.emplace(key, recent.begin());
  }
};

Ladders::Ladders() : shards_(std::make_unique<Shard[]>(kShards)) {}
Ladders::~Ladders() = default;

int Ladders::last(const Hash128& subject, CounterId counter) const {
  const Key key{subject, counter};
  const Shard& shard = shards_[shard_of(key)];
  if (shard.count.load(std::memory_order_acquire) == 0) return 0;
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.by_key.find(key);
  return found == shard.by_key.end() ? 0 : found->second->percent;
}

void Ladders::remember(const Hash128& subject, CounterId counter, int percent) {
  const Key key{subject, counter};
  Shard& shard = shards_[shard_of(key)];
  if (percent <= 0 && shard.count.load(std::memory_order_acquire) == 0) return;
  const std::lock_guard lock(shard.mutex);
  if (percent > 0) {
    shard.set(key, percent);
  } else if (const auto found = shard.by_key.find(key); found != shard.by_key.end()) {
    shard.forget(found);
  }
  shard.count.store(shard.by_key.size(), std::memory_order_release);
}

std::size_t Ladders::size() const {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < kShards; ++i) sum += shards_[i].count.load(std::memory_order_acquire);
  return sum;
}

}  // namespace weir
