// Byte-pair merging of one pre-token: the lowest rank first, of equals the leftmost.
//
//   std::array<std::uint32_t, kMaxShortPiece> ids;
//   std::size_t n = merge_short(vocabulary, bytes, size, ids.data());    // up to kMaxShortPiece bytes, no allocation
//   LongPiece piece;                                                     // any size, may grow between the calls
//   std::int64_t tokens = piece.count(vocabulary, scratch, bytes, size, kWindow, nullptr);
//
// A long piece is cut into windows. A row of tokens is what merging gives if and only if every two neighbours are, so
// the tokens well before a window's end are kept, and the first of the next window is checked against the last kept.
// Where that fails the piece begins anew with twice the margin: linear, but for a logarithmic factor that no known text
// provokes. Values; a scratch belongs to one thread.
#pragma once

#include <cstdint>
#include <vector>

#include "tokens/vocabulary.h"

namespace weir {

inline constexpr std::size_t kMaxShortPiece = 48;  // scanning for the lowest rank beats a heap up to here

// 1 <= size <= kMaxShortPiece. Writes the ids, returns how many.
std::size_t merge_short(const Vocabulary& vocabulary, const unsigned char* bytes, std::size_t size, std::uint32_t* ids);

// Memory of merge_any: grows to the largest piece given, about 50 bytes a byte.
class MergeScratch {
 public:
  // size >= 1. The ids stay valid until the next call.
  const std::vector<std::uint32_t>& merge_any(const Vocabulary& vocabulary, const unsigned char* bytes,
                                              std::size_t size);

 private:
  static constexpr std::size_t kFrequent = 8;  // a pass over all is worth it when one pair in so many merges

  void merge_what_is_frequent(const Vocabulary& vocabulary);
  void sort_pairs();
  void push(std::size_t at, std::uint32_t rank);
  void merge_by_rank(const Vocabulary& vocabulary);

  std::vector<std::uint32_t> ids_, ranks_, next_, previous_;
  std::vector<std::uint64_t> sorted_, other_, heap_;
};

// True: `left` and `right` side by side stay two tokens.
bool stay_apart(const Vocabulary& vocabulary, MergeScratch& scratch, std::uint32_t left, std::uint32_t right);

class LongPiece {
 public:
  static constexpr std::size_t kMargin = 128;                              // a guess that the check corrects
  static constexpr std::size_t kMinWindow = kMargin + kMaxTokenBytes + 1;  // keeps at least one token

  // Tokens of bytes[0, size), where the bytes of earlier calls are as they were. Appends the ids to `ids` when given
  // (then the piece must be fresh). Windows hold at least `window` >= kMinWindow bytes.
  std::int64_t count(const Vocabulary& vocabulary, MergeScratch& scratch, const unsigned char* bytes, std::size_t size,
                     std::size_t window, std::vector<std::uint32_t>* ids);

 private:
  // Merges the next `size` bytes and keeps the tokens that end `spare` bytes before their end. False: the first of them
  // would have merged with the last kept before.
  bool advance(const Vocabulary& vocabulary, MergeScratch& scratch, const unsigned char* bytes, std::size_t size,
               std::size_t spare, std::vector<std::uint32_t>* ids);

  std::size_t kept_bytes_ = 0;
  std::int64_t kept_ = 0;
  std::uint32_t last_ = kNoToken;
  std::size_t margin_ = kMargin;
};

}  // namespace weir
