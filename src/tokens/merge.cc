#include "tokens/merge.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace weir {

std::size_t merge_short(const Vocabulary& vocabulary, const unsigned char* bytes, std::size_t size,
                        std::uint32_t* ids) {
  std::array<std::uint32_t, kMaxShortPiece + 1> ranks;
  for (std::size_t i = 0; i + 1 < size; ++i) {
    ids[i] = vocabulary.byte_id(bytes[i]);
    ranks[i] = vocabulary.merged_bytes(bytes[i], bytes[i + 1]);
  }
  ids[size - 1] = vocabulary.byte_id(bytes[size - 1]);
  std::size_t pairs = size - 1;
  while (pairs > 0) {
    std::uint32_t lowest = ranks[0];
    std::size_t at = 0;
    for (std::size_t i = 1; i < pairs; ++i) {
      if (ranks[i] < lowest) lowest = ranks[i], at = i;
    }
    if (lowest == kNoToken) break;
    ids[at] = lowest;
    --pairs;
    for (std::size_t i = at; i < pairs; ++i) {
      ids[i + 1] = ids[i + 2];
      ranks[i] = ranks[i + 1];
    }
    if (at > 0) ranks[at - 1] = vocabulary.merged(ids[at - 1], lowest);
    if (at < pairs) ranks[at] = vocabulary.merged(lowest, ids[at + 1]);
  }
  return pairs + 1;
}

// Merges all pairs of the lowest rank in one pass while they are many. Exact, because no pair that comes about has that
// rank or a lower one (compile_ranks refuses a vocabulary where it might).
void MergeScratch::merge_what_is_frequent(const Vocabulary& vocabulary) {
  while (ids_.size() > 1) {
    const std::size_t pairs = ids_.size() - 1;
    std::uint32_t lowest = kNoToken;
    for (std::size_t i = 0; i < pairs; ++i) lowest = std::min(lowest, ranks_[i]);
    if (lowest == kNoToken) return;
    std::size_t frequency = 0;
    for (std::size_t i = 0; i < pairs; ++i) frequency += ranks_[i] == lowest ? 1 : 0;
    if (frequency * kFrequent < pairs) return;
    std::size_t kept = 0;
    bool changed = false;  // the token before is new, so its rank with this one is not known yet
    for (std::size_t i = 0; i <= pairs; ++i, ++kept) {
      const bool merge = i < pairs && ranks_[i] == lowest;
      const std::uint32_t id = merge ? lowest : ids_[i];
      if (kept > 0 && (changed || merge)) ranks_[kept - 1] = vocabulary.merged(ids_[kept - 1], id);
      if (merge) ++i;
      ids_[kept] = id;
      ranks_[kept] = i < pairs ? ranks_[i] : kNoToken;
      changed = merge;
    }
    ids_.resize(kept), ranks_.resize(kept);
    ranks_.back() = kNoToken;
  }
}

// All pairs that could merge now, by rank, then from left to right: two passes of counting sort.
void MergeScratch::sort_pairs() {
  sorted_.clear();
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    if (ranks_[i] != kNoToken) sorted_.push_back(static_cast<std::uint64_t>(ranks_[i]) << 32 | i);
  }
  other_.resize(sorted_.size());
  constexpr unsigned kBits = 9;
  static_assert(kMaxTokenIds == 1u << (2 * kBits));
  for (const unsigned shift : {32u, 32u + kBits}) {
    std::array<std::uint32_t, 1u << kBits> at{};
    const auto digit = [&](std::uint64_t pair) { return pair >> shift & (at.size() - 1); };
    for (const std::uint64_t pair : sorted_) ++at[digit(pair)];
    std::uint32_t sum = 0;
    for (std::uint32_t& count : at) sum += std::exchange(count, sum);
    for (const std::uint64_t pair : sorted_) other_[at[digit(pair)]++] = pair;
    sorted_.swap(other_);
  }
}

void MergeScratch::push(std::size_t at, std::uint32_t rank) {
  ranks_[at] = rank;
  if (rank == kNoToken) return;
  heap_.push_back(static_cast<std::uint64_t>(rank) << 32 | at);
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
}

// What could merge at the beginning is sorted, which is cheaper than a heap; what comes about is in a heap.
void MergeScratch::merge_by_rank(const Vocabulary& vocabulary) {
  constexpr std::uint32_t kNone = 0xFFFFFFFF;
  const auto size = static_cast<std::uint32_t>(ids_.size());
  next_.resize(size), previous_.resize(size);
  std::iota(next_.begin(), next_.end(), 1u);
  std::iota(previous_.begin(), previous_.end(), kNone);
  sort_pairs();
  heap_.clear();
  for (std::size_t first = 0; first < sorted_.size() || !heap_.empty();) {
    std::uint64_t lowest = first < sorted_.size() ? sorted_[first] : ~std::uint64_t{0};
    if (!heap_.empty() && heap_.front() < lowest) {
      lowest = heap_.front();
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      heap_.pop_back();
    } else {
      ++first;
    }
    const auto at = static_cast<std::uint32_t>(lowest), rank = static_cast<std::uint32_t>(lowest >> 32);
    if (ranks_[at] != rank) continue;  // merged away, or its neighbour changed
    const std::uint32_t gone = next_[at], after = next_[gone], before = previous_[at];
    ids_[at] = rank;
    ranks_[gone] = kNoToken;
    next_[at] = after;
    if (after < size) previous_[after] = at;
    push(at, after < size ? vocabulary.merged(rank, ids_[after]) : kNoToken);
    if (before != kNone) push(before, vocabulary.merged(ids_[before], rank));
  }
  std::uint32_t kept = 0;
  for (std::uint32_t i = 0; i < size; i = next_[i]) ids_[kept++] = ids_[i];
  ids_.resize(kept);
}

const std::vector<std::uint32_t>& MergeScratch::merge_any(const Vocabulary& vocabulary, const unsigned char* bytes,
                                                          std::size_t size) {
  WEIR_CHECK(size > 0 && size < kNoToken);
  ids_.resize(size), ranks_.resize(size);
  for (std::size_t i = 0; i + 1 < size; ++i) {
    ids_[i] = vocabulary.byte_id(bytes[i]);
    ranks_[i] = vocabulary.merged_bytes(bytes[i], bytes[i + 1]);
  }
  ids_.back() = vocabulary.byte_id(bytes[size - 1]);
  ranks_.back() = kNoToken;
  merge_what_is_frequent(vocabulary);
  if (ids_.size() > 1) merge_by_rank(vocabulary);
  return ids_;
}

bool stay_apart(const Vocabulary& vocabulary, MergeScratch& scratch, std::uint32_t left, std::uint32_t right) {
  std::array<unsigned char, 2 * kMaxTokenBytes> bytes;
  const std::string_view a = vocabulary.text(left), b = vocabulary.text(right);
  std::copy(b.begin(), b.end(), std::copy(a.begin(), a.end(), bytes.begin()));
  const std::vector<std::uint32_t>& ids = scratch.merge_any(vocabulary, bytes.data(), a.size() + b.size());
  return ids.size() == 2 && ids[0] == left && ids[1] == right;
}

bool LongPiece::advance(const Vocabulary& vocabulary, MergeScratch& scratch, const unsigned char* bytes,
                        std::size_t size, std::size_t spare, std::vector<std::uint32_t>* ids) {
  const std::vector<std::uint32_t>& merged = scratch.merge_any(vocabulary, bytes + kept_bytes_, size);
  const std::uint32_t first = merged.front(), before = last_;
  std::size_t taken = 0;
  for (const std::uint32_t id : merged) {
    const std::size_t bytes_of_id = vocabulary.size(id);
    if (taken + bytes_of_id > size - spare) break;
    taken += bytes_of_id;
    ++kept_;
    last_ = id;
    if (ids != nullptr) ids->push_back(id);
  }
  kept_bytes_ += taken;
  return before == kNoToken || stay_apart(vocabulary, scratch, before, first);
}

std::int64_t LongPiece::count(const Vocabulary& vocabulary, MergeScratch& scratch, const unsigned char* bytes,
                              std::size_t size, std::size_t window, std::vector<std::uint32_t>* ids) {
  WEIR_CHECK(window >= kMinWindow);
  const std::size_t ids_before = ids != nullptr ? ids->size() : 0;
  for (;;) {
    bool fits = kept_bytes_ <= size;
    while (fits && size - kept_bytes_ > std::max(window, 2 * margin_)) {
      fits = advance(vocabulary, scratch, bytes, std::max(window, 2 * margin_), margin_, ids);
    }
    if (fits) {
      if (kept_bytes_ == size) return kept_;
      LongPiece whole = *this;
      if (whole.advance(vocabulary, scratch, bytes, size - kept_bytes_, 0, ids)) return whole.kept_;
      margin_ *= 2;
    } else if (kept_bytes_ <= size) {
      margin_ *= 2;
    }
    if (ids != nullptr) ids->resize(ids_before);
    kept_bytes_ = 0, kept_ = 0, last_ = kNoToken;
  }
}

}  // namespace weir
