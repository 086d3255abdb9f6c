// What a Tokenizer holds and how one pre-token is counted; shared by tokenizer.cc and token_counter.cc.
//
//   count_piece(vocabulary, text, size, limit, scratch, long_piece, kStreamWindow);
//
// Pure but for the scratch, which belongs to one thread. Windows of long pieces: kBatchWindow, kStreamWindow.
#pragma once

#include <array>

#include "tokens/merge.h"
#include "tokens/tokenizer.h"
#include "tokens/vocabulary.h"

namespace weir {

struct Tokenizer::Impl {
  Encoding encoding;
  Vocabulary vocabulary;
};

// Larger windows merge fewer bytes twice; smaller ones are merged faster when a text that grows is counted often.
inline constexpr std::size_t kBatchWindow = 2048;
inline constexpr std::size_t kStreamWindow = LongPiece::kMinWindow;

// `limit`: end of readable memory behind the piece.
inline std::int64_t count_piece(const Vocabulary& vocabulary, const unsigned char* piece, std::size_t size,
                                const unsigned char* limit, MergeScratch& scratch, LongPiece& long_piece,
                                std::size_t window) {
  if (vocabulary.find(piece, size, limit) != kNoToken) return 1;
  if (size > kMaxShortPiece) return long_piece.count(vocabulary, scratch, piece, size, window, nullptr);
  std::array<std::uint32_t, kMaxShortPiece> ids;
  return static_cast<std::int64_t>(merge_short(vocabulary, piece, size, ids.data()));
}

}  // namespace weir
