#include "tokens/merge.h"

#include <algorithm>
#include <array>

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

void MergeScratch::push(std::size_t at, std::uint32_t rank) {
  ranks_[at] = rank;
  if (rank == kNoToken) return;
  heap_.push_back(static_cast<std::uint64_t>(rank) << 32 | at);
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
}

std::uint64_t MergeScratch::pop() {
  std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
  const std::uint64_t lowest = heap_.back();
  heap_.pop_back();
  return lowest;
}

const std::vector<std::uint32_t>& MergeScratch::merge_any(const Vocabulary& vocabulary, const unsigned char* bytes,
                                                          std::size_t size) {
  constexpr std::uint32_t kNone = 0xFFFFFFFF;
  WEIR_CHECK(size > 0 && size < kNone);
  ids_.resize(size), ranks_.resize(size), next_.resize(size), previous_.resize(size);
  heap_.clear();
  for (std::size_t i = 0; i < size; ++i) {
    ids_[i] = vocabulary.byte_id(bytes[i]);
    next_[i] = static_cast<std::uint32_t>(i + 1);
    previous_[i] = static_cast<std::uint32_t>(i) - 1;
    ranks_[i] = i + 1 < size ? vocabulary.merged_bytes(bytes[i], bytes[i + 1]) : kNoToken;
    if (ranks_[i] != kNoToken) heap_.push_back(static_cast<std::uint64_t>(ranks_[i]) << 32 | i);
  }
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  while (!heap_.empty()) {
    const std::uint64_t lowest = pop();
    const auto at = static_cast<std::uint32_t>(lowest), rank = static_cast<std::uint32_t>(lowest >> 32);
    if (ranks_[at] != rank) continue;  // merged away, or its neighbour changed
    const std::uint32_t gone = next_[at], after = next_[gone];
    ids_[at] = rank;
    ranks_[gone] = kNoToken;
    next_[at] = after;
    if (after < size) previous_[after] = at;
    push(at, after < size ? vocabulary.merged(rank, ids_[after]) : kNoToken);
    if (const std::uint32_t before = previous_[at]; before != kNone) {
      push(before, vocabulary.merged(ids_[before], rank));
    }
  }
  out_.clear();
  for (std::size_t i = 0; i < size; i = next_[i]) out_.push_back(ids_[i]);
  return out_;
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
