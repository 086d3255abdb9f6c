#include "behavior/rates.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "base/lru_map.h"
#include "behavior/striped.h"

namespace weir {
namespace {

enum : std::size_t { kRequests, kTokens, kTools, kErrors, kRepetitions, kMeasures };
constexpr std::array<std::string_view, kMeasures> kNames = {"requests", "tokens", "tools", "errors", "repetitions"};
constexpr std::array<std::string_view, kMeasures> kWords = {"requests", "tokens", "distinct tools", "errors",
                                                            "repeated calls"};
// Less than this in 5 minutes is never an anomaly.
constexpr std::array<float, kMeasures> kFloor = {60, 250'000, 12, 25, 25};

constexpr std::size_t kHours = 24;
constexpr std::int64_t kBucketsPerHour = kHour / Rates::kBucket;
constexpr float kRecent = 1.0F / 12;  // weight of a bucket in what the last hours were like
constexpr float kRise = 0.5F;         // weight of an hour that was busier than its hour of the days before …
constexpr float kFall = 0.125F;       // … and of one that was less busy: weekends do not unlearn a working day

// A non-negative amount in a byte, 12% apart: 0, then 1 to about 10^12. History needs no more.
constexpr double kStep = 0.1085;  // ln 1.1146
std::uint8_t pack(float amount) {
  if (!(amount >= 0.5F)) return 0;
  return static_cast<std::uint8_t>(
      std::clamp(std::lround(1 + std::log(static_cast<double>(amount)) / kStep), 1L, 255L));
}
float unpack(std::uint8_t code) {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> amounts{};
    for (std::size_t i = 1; i < amounts.size(); ++i)
      amounts[i] = static_cast<float>(std::exp(kStep * static_cast<double>(i - 1)));
    return amounts;
  }();
  return table[code];
}

void add(std::uint32_t& count, std::int64_t more) {
  const std::int64_t sum = count + std::clamp<std::int64_t>(more, 0, std::numeric_limits<std::uint32_t>::max());
  count = static_cast<std::uint32_t>(std::min<std::int64_t>(sum, std::numeric_limits<std::uint32_t>::max()));
}

// How many distinct hashes left their bit in a map of 64: exact for few, good to some percent up to a hundred.
std::uint32_t distinct(std::uint64_t map) {
  const int empty = 64 - std::popcount(map);
  if (empty == 0) return 266;
  return static_cast<std::uint32_t>(std::lround(64.0 * std::log(64.0 / empty)));
}

using Amounts = std::array<float, kMeasures>;
using Packed = std::array<std::uint8_t, kMeasures>;

class Caller {
 public:
  std::optional<RateAnomaly> note(const RateEvent& event, TimeNs now) {
    const auto bucket = static_cast<std::int32_t>(now / Rates::kBucket);
    if (first_ < 0) {
      first_ = bucket_ = bucket;
    } else if (bucket > bucket_) {
      advance(bucket);
    }
    add(seen_[kRequests], event.requests);
    add(seen_[kTokens], event.tokens);
    add(seen_[kErrors], event.errors);
    add(seen_[kRepetitions], event.repetitions);
    if (event.tool != 0) {
      tools_ |= std::uint64_t{1} << (event.tool % 64);
      seen_[kTools] = distinct(tools_);
    }
    return judge();
  }

 private:
  std::optional<RateAnomaly> judge() {
    if (bucket_ - first_ < Rates::kLeastHistory / Rates::kBucket) return std::nullopt;
    for (std::size_t i = 0; i < kMeasures; ++i) {
      if (static_cast<float>(seen_[i]) <= bounds_[i] || (told_ >> i & 1U) != 0) continue;
      told_ = static_cast<std::uint8_t>(told_ | 1U << i);
      RateAnomaly anomaly{.measure = kNames[i], .seen = seen_[i], .bound = static_cast<std::int64_t>(bounds_[i])};
      const auto usual = static_cast<std::int64_t>(std::lround(usual_level(i)));
      anomaly.sentence = fmt::format(
          "{} {} within 5 minutes, where this caller's busiest ones at this time of day have "
          "about {}",
          anomaly.seen, kWords[i], usual);
      return anomaly;
    }
    return std::nullopt;
  }

  static std::size_t hour_of(std::int64_t bucket) {
    return static_cast<std::size_t>(bucket / kBucketsPerHour) % kHours;
  }

  // The highest that this and the neighbouring hours ordinarily are, and the last hours were.
  float usual_level(std::size_t measure) const {
    const std::size_t hour = hour_of(bucket_);
    float level = recent_[measure];
    for (std::size_t near : {hour + kHours - 1, hour, hour + 1})
      level = std::max(level, unpack(levels_[near % kHours][measure]));
    return level;
  }

  void set_bounds() {
    const std::size_t hour = hour_of(bucket_);
    for (std::size_t i = 0; i < kMeasures; ++i) {
      const float level = usual_level(i);
      float spread = std::sqrt(level);  // of rare independent events; tokens come in lumps and have learned theirs
      for (std::size_t near : {hour + kHours - 1, hour, hour + 1})
        spread = std::max(spread, unpack(spreads_[near % kHours][i]));
      const float far = level + static_cast<float>(Rates::kDeviations) * spread;
      bounds_[i] = std::max({kFloor[i], static_cast<float>(Rates::kTimes) * level, far});
    }
  }

  void advance(std::int32_t to) {
    end_bucket();
    // An idle stretch of more than a day is a holiday and teaches nothing.
    const bool holiday = to - bucket_ > static_cast<std::int32_t>(kHours * kBucketsPerHour);
    const std::int64_t before = bucket_ / kBucketsPerHour, after = to / kBucketsPerHour;
    if (after != before) {
      end_hour(hour_of(bucket_));
      for (std::int64_t hour = before + 1; !holiday && hour < after; ++hour)
        end_hour(static_cast<std::size_t>(hour) % kHours);
    }
    const float faded = std::pow(1 - kRecent, static_cast<float>(to - bucket_ - 1));
    for (float& recent : recent_) recent *= faded;
    bucket_ = to;
    set_bounds();
  }

  void end_bucket() {
    for (std::size_t i = 0; i < kMeasures; ++i) {
      const auto seen = static_cast<float>(seen_[i]);
      recent_[i] += kRecent * (seen - recent_[i]);
      peaks_[i] = std::max(peaks_[i], seen);
    }
    seen_ = {};
    tools_ = 0;
    told_ = 0;
  }

  // Takes the hour's busiest bucket into the history of its hour of day.
  void end_hour(std::size_t hour) {
    const bool known = (hours_ >> hour & 1U) != 0;
    hours_ |= 1U << hour;
    for (std::size_t i = 0; i < kMeasures; ++i) {
      const float level = unpack(levels_[hour][i]), off = peaks_[i] - level;
      levels_[hour][i] = known ? pack(level + (off > 0 ? kRise : kFall) * off) : pack(peaks_[i]);
      const float spread = unpack(spreads_[hour][i]);
      if (known) spreads_[hour][i] = pack(spread + kFall * (std::abs(off) - spread));
    }
    peaks_ = {};
  }

  std::uint64_t tools_ = 0;
  std::int32_t first_ = -1, bucket_ = -1;
  std::array<std::uint32_t, kMeasures> seen_{};
  std::uint32_t hours_ = 0;  // bit: this hour of the day was seen before
  Amounts bounds_{}, recent_{}, peaks_{};
  std::array<Packed, kHours> levels_{}, spreads_{};
  std::uint8_t told_ = 0;  // bit: this measure was reported in this bucket
};

struct Part {
  explicit Part(std::size_t most) : callers(most) {}
  LruMap<Hash128, Caller, Hash128Hash> callers;
};

}  // namespace

struct Rates::Impl {
  explicit Impl(std::size_t most)
      : parts([share = share_of(most, kStripes)] { return std::make_unique<Part>(share); }) {}
  Striped<Part, kStripes> parts;
};

Rates::Rates(Options options) : impl_(std::make_unique<Impl>(options.max_callers)) {}
Rates::~Rates() = default;

std::optional<RateAnomaly> Rates::note(Hash128 caller, const RateEvent& event, TimeNs now) {
  const auto part = impl_->parts.lock(caller);
  return part->callers.touch(caller).note(event, now);
}

std::size_t Rates::size() const {
  return impl_->parts.sum([](const Part& part) { return part.callers.size(); });
}

std::size_t Rates::bytes_per_caller() {
  return sizeof(Hash128) + sizeof(Caller);
}

}  // namespace weir
