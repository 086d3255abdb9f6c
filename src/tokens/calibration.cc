#include "tokens/calibration.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/lru_map.h"
#include "base/mutex.h"
#include "tokens/estimate.h"

namespace weir {
namespace {

// Tokens per byte in steps of 4%, from 1/32 to 1: finer than what texts differ by.
constexpr std::size_t kCells = 90;
constexpr double kLeastRatio = 1.0 / 32;
constexpr double kStep = 1.04;
constexpr std::uint32_t kForgetAt = 2'000;  // then all weights are halved: the last few thousand texts decide
constexpr double kCovered = 0.99;
constexpr double kMargin = 1.05;
constexpr double kPriorExpected = 1.0 / 4;
constexpr double kLeastUpper = 1.0 / 5;  // no texts, however odd, teach a bound below what ordinary ones need
constexpr std::size_t kShards = 16;

std::size_t cell_of(double ratio) {
  if (ratio <= kLeastRatio) return 0;
  const auto cell = static_cast<std::size_t>(std::ceil(std::log(ratio / kLeastRatio) / std::log(kStep)));
  return std::min(cell, kCells - 1);
}

double upper_edge(std::size_t cell) {
  return std::min(1.0, kLeastRatio * std::pow(kStep, static_cast<double>(cell)));
}

struct Ratios {
  std::array<std::uint16_t, kCells> seen{};
  std::uint32_t weight = 0;
  std::uint32_t learned = 0;  // up to kWarm
  double sum = 0;             // of ratios, by the same weights

  void add(double ratio) {
    if (weight >= kForgetAt) {
      weight = 0;
      for (std::uint16_t& count : seen) weight += count /= 2;
      sum /= 2;
    }
    ++seen[cell_of(ratio)];
    ++weight;
    sum += ratio;
    learned = std::min<std::uint32_t>(learned + 1, Calibration::kWarm);
  }

  double covering() const {
    const auto wanted = static_cast<std::uint32_t>(std::ceil(kCovered * weight));
    std::uint32_t below = 0;
    for (std::size_t cell = 0; cell < kCells; ++cell) {
      below += seen[cell];
      if (below >= wanted) return upper_edge(cell);
    }
    return 1;
  }
};

std::int64_t scaled(std::int64_t bytes, double ratio) {
  return std::min(bytes, static_cast<std::int64_t>(std::ceil(static_cast<double>(bytes) * ratio)));
}

}  // namespace

struct Calibration::Impl {
  struct Shard {
    mutable Mutex mutex;
    LruMap<std::uint64_t, Ratios> ratios WEIR_GUARDED_BY(mutex){kMaxKeys / kShards};
  };
  std::array<Shard, kShards> shards;
  Shard& shard(std::uint64_t key) { return shards[key % kShards]; }
};

Calibration::Calibration() : impl_(std::make_unique<Impl>()) {}
Calibration::~Calibration() = default;

void Calibration::learn(std::uint64_t key, std::int64_t bytes, std::int64_t tokens) {
  if (bytes < kLeastBytes || tokens <= 0) return;
  const double ratio = static_cast<double>(tokens) / static_cast<double>(bytes);
  Impl::Shard& shard = impl_->shard(key);
  const MutexLock guard(shard.mutex);
  shard.ratios.touch(key).add(std::min(ratio, 1.0));
}

TokenEstimate Calibration::tokens_of(std::uint64_t key, std::int64_t bytes) const {
  if (bytes <= 0) return {};
  Impl::Shard& shard = impl_->shard(key);
  const MutexLock guard(shard.mutex);
  const Ratios* ratios = shard.ratios.find(key);
  if (ratios == nullptr || ratios->learned < kWarm) {
    return {scaled(bytes, kPriorExpected), scaled(bytes, 1 / kBytesPerToken)};
  }
  return {scaled(bytes, ratios->sum / ratios->weight),
          scaled(bytes, std::max(ratios->covering() * kMargin, kLeastUpper))};
}

}  // namespace weir
