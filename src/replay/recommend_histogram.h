// How often which amount was used, in bounded memory: quantiles of any number of values.
//
//   AmountHistogram use;
//   use.add(1'200);
//   use.quantile(0.95);        // the nearest rank's value; 0 of nothing
//
// Values are 0 and more. Below 128 they are kept exactly; above, each octave has 64 equal buckets and a bucket tells
// its middle, so that a quantile is at most 1/128 (0.8%) off. Memory: at most 64 buckets of 8 bytes for each octave
// that occurs below the largest value, 30 KB for all of them. Belongs to one thread.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace weir {

class AmountHistogram {
 public:
  void add(std::int64_t value) {
    const std::size_t at = bucket(static_cast<std::uint64_t>(std::max<std::int64_t>(0, value)));
    if (at >= counts_.size()) counts_.resize(at + 1);
    ++counts_[at];
    ++count_;
  }

  std::int64_t count() const { return count_; }

  // Takes out what was added to another that is part of this one.
  void remove(const AmountHistogram& part) {
    for (std::size_t i = 0; i < part.counts_.size(); ++i) counts_[i] -= part.counts_[i];
    count_ -= part.count_;
  }

  // `share` from 0 to 1.
  std::int64_t quantile(double share) const {
    if (count_ == 0) return 0;
    const auto rank = std::clamp<std::int64_t>(std::llround(std::ceil(share * static_cast<double>(count_))), 1, count_);
    std::int64_t below = 0;
    std::size_t at = 0;
    while (below + counts_[at] < rank) below += counts_[at++];
    return middle(at);
  }

 private:
  static constexpr unsigned kBits = 6;
  static constexpr std::size_t kOctave = std::size_t{1} << kBits;
  static constexpr std::size_t kExact = 2 * kOctave;

  static std::size_t bucket(std::uint64_t value) {
    if (value < kExact) return static_cast<std::size_t>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kBits;
    return kExact + (shift - 1) * kOctave + static_cast<std::size_t>(value >> shift) - kOctave;
  }
  static std::int64_t middle(std::size_t at) {
    if (at < kExact) return static_cast<std::int64_t>(at);
    const std::size_t shift = (at - kExact) / kOctave + 1;
    const std::uint64_t low = static_cast<std::uint64_t>((at - kExact) % kOctave + kOctave) << shift;
    return static_cast<std::int64_t>(low + ((std::uint64_t{1} << shift) - 1) / 2);
  }

  std::vector<std::int64_t> counts_;
  std::int64_t count_ = 0;
};

}  // namespace weir
