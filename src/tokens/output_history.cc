#include "tokens/output_history.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <functional>

#include "base/lru_map.h"
#include "base/mutex.h"

namespace weir {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 53;

// Bins end at whole numbers, each at most a twentieth above the least value in it: 1, 2, … 19, 21, 23, … 42, 45, …
// What ends a bin stands for all of it, so an answer is never below the true quantile and at most 5% above it.
constexpr std::size_t kBins = 320;
constexpr double kResolution = 0.05;

constexpr std::array<std::int64_t, kBins> bin_ends() {
  std::array<std::int64_t, kBins> out{};
  for (std::size_t i = 1; i < kBins; ++i) {
    const std::int64_t before = out[i - 1];
    // The least value of the bin is before + 1; its end is within a twentieth of that.
    out[i] = before + 1 + static_cast<std::int64_t>(static_cast<double>(before + 1) * kResolution);
  }
  return out;
}
constexpr std::array<std::int64_t, kBins> kBinEnds = bin_ends();
static_assert(kBinEnds.back() > 10'000'000, "no model answers at such length");

std::size_t bin_of(std::int64_t tokens) {
  const auto found = std::lower_bound(kBinEnds.begin(), kBinEnds.end(), tokens);
  return found == kBinEnds.end() ? kBins - 1 : static_cast<std::size_t>(found - kBinEnds.begin());
}

// An answer weighs kUnit when it is seen. At kMemory answers all weights are halved: what was seen 10 x kMemory answers
// ago weighs a thousandth, and a single one in a bin of its own fades like the others instead of vanishing at once.
constexpr std::uint32_t kUnit = 1024;
constexpr std::uint64_t kMemory = 4096;

// The quantile moves by few bins from one answer to the next, so its place is kept rather than searched.
class Sketch {
 public:
  void learn(std::int64_t tokens, double quantile) {
    const std::size_t bin = bin_of(tokens);
    weights_[bin] += kUnit;
    total_ += kUnit;
    if (bin <= at_) up_to_ += kUnit;
    if (seen_ < kMost) ++seen_;
    if (total_ >= kMemory * kUnit) halve();
    settle(quantile);
  }

  // Moves to the first bin up to which at least the quantile of the weight lies.
  void settle(double quantile) {
    const auto wanted = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(std::ceil(std::clamp(quantile, 0.0, 1.0) * static_cast<double>(total_) - 1e-6)));
    while (up_to_ < wanted && at_ + 1 < kBins) up_to_ += weights_[++at_];
    while (at_ > 0 && up_to_ - weights_[at_] >= wanted) up_to_ -= weights_[at_--];
  }

  std::int64_t seen() const { return seen_; }
  std::int64_t value() const { return kBinEnds[at_]; }

 private:
  void halve() {
    total_ = up_to_ = 0;
    for (std::size_t i = 0; i < kBins; ++i) {
      total_ += weights_[i] /= 2;
      if (i <= at_) up_to_ = total_;
    }
  }

  std::array<std::uint32_t, kBins> weights_{};
  std::uint64_t total_ = 0;
  std::uint64_t up_to_ = 0;  // weight of the bins 0 to at_
  std::int64_t seen_ = 0;
  std::size_t at_ = 0;
};

struct Entry {
  std::uint32_t version = 0;  // of the options that the sketch's place was found for
  Sketch sketch;
};

constexpr std::size_t kShards = 16;

struct alignas(64) Shard {
  Mutex mutex;
  LruMap<std::uint64_t, Entry> entries WEIR_GUARDED_BY(mutex){OutputHistory::kMaxKeys / kShards};
};

}  // namespace

struct OutputHistory::Impl {
  std::array<Shard, kShards> shards;
  std::atomic<double> quantile;
  std::atomic<std::int64_t> warmup;
  std::atomic<std::uint32_t> version{0};

  Shard& shard_of(std::uint64_t key) { return shards[(key * 0x9E3779B97F4A7C15u) >> 60]; }
  void refresh(Entry& entry) const {
    const std::uint32_t now = version.load(std::memory_order_acquire);
    if (entry.version == now) return;
    entry.version = now;
    entry.sketch.settle(quantile.load(std::memory_order_relaxed));
  }
};

static_assert(kShards == 16, "shard_of takes the upper four bits");

OutputHistory::OutputHistory(Options options) : impl_(std::make_unique<Impl>()) {
  set_options(options);
}

OutputHistory::~OutputHistory() = default;

std::uint64_t OutputHistory::key(std::string_view tenant, std::string_view model) {
  std::uint64_t hash = std::hash<std::string_view>{}(tenant);
  hash = (hash ^ tenant.size()) * 0x9E3779B97F4A7C15u;
  return std::rotl(hash, 29) ^ (std::hash<std::string_view>{}(model) * 0xD6E8FEB86659FD93u);
}

void OutputHistory::learn(std::uint64_t key, std::int64_t output_tokens) {
  Shard& shard = impl_->shard_of(key);
  const MutexLock guard(shard.mutex);
  Entry& entry = shard.entries.touch(key);
  impl_->refresh(entry);
  entry.sketch.learn(std::max<std::int64_t>(0, output_tokens), impl_->quantile.load(std::memory_order_relaxed));
}

std::optional<std::int64_t> OutputHistory::learned(std::uint64_t key) const {
  Shard& shard = impl_->shard_of(key);
  const MutexLock guard(shard.mutex);
  Entry* entry = shard.entries.use(key);
  if (entry == nullptr) return std::nullopt;
  if (entry->sketch.seen() < std::max<std::int64_t>(1, impl_->warmup.load(std::memory_order_relaxed))) {
    return std::nullopt;
  }
  impl_->refresh(*entry);
  return entry->sketch.value();
}

void OutputHistory::set_options(Options options) {
  impl_->quantile.store(options.quantile, std::memory_order_relaxed);
  impl_->warmup.store(options.warmup, std::memory_order_relaxed);
  impl_->version.fetch_add(1, std::memory_order_release);
}

}  // namespace weir
