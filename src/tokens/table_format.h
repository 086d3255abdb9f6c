// The compiled form of one vocabulary, used in place from read-only memory: cmake/ranks/compile_ranks.cc writes it,
// vocabulary.h reads it. Little-endian; every part begins at a multiple of 64 bytes.
//
//   const auto* header = reinterpret_cast<const TableHeader*>(table);
//   const auto* tokens = reinterpret_cast<const TokenSlot*>(table + header->tokens_at);
//   std::uint64_t hash = token_hash(bytes, size, token_head(bytes, size));
//   const TokenSlot& first = tokens[hash >> (64 - header->token_bits)];      // then linearly, until check == 0
//
// Pure functions, no state. Limits: kMaxTokenBytes, kMaxTokenIds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weir {

inline constexpr std::uint32_t kTableMagic = 0x77746B32;  // "2ktw"
inline constexpr std::size_t kMaxTokenBytes = 255;        // a slot keeps the size in 8 bits
inline constexpr std::uint32_t kMaxTokenIds = 1u << 18;   // a pair slot keeps three ids in 64 bits
inline constexpr std::uint32_t kNoToken = 0xFFFFFFFF;
inline constexpr std::uint64_t kEmptyPair = ~std::uint64_t{0};

struct TableHeader {
  std::uint32_t magic;
  std::uint32_t ids;  // largest id + 1
  std::uint32_t token_bits;
  std::uint32_t pair_bits;
  std::uint32_t max_token_bytes;
  std::uint32_t size;           // of the whole table, bytes
  std::uint32_t tokens_at;      // TokenSlot[1 << token_bits], at most four fifths full
  std::uint32_t pairs_at;       // std::uint64_t[1 << pair_bits], likewise
  std::uint32_t filter_at;      // one bit for each value of the first pair_bits + kFilterBits of a pair's hash
  std::uint32_t byte_pairs_at;  // std::uint32_t[65536]: what two single bytes become
  std::uint32_t offsets_at;     // std::uint32_t[ids + 1] into the bytes of the tokens
  std::uint32_t bytes_at;       // all tokens, by id, followed by 8 zero bytes
  std::uint32_t byte_ids[256];  // the tokens of single bytes
};

struct TokenSlot {
  std::uint64_t head;  // first 8 bytes of the token, zeros behind a shorter one
  std::uint32_t id;
  std::uint32_t check;  // size in the low 8 bits, 24 bits of the hash above; 0 marks an empty slot
};
static_assert(sizeof(TokenSlot) == 16);

inline std::uint64_t load64(const unsigned char* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

inline std::uint64_t mix64(std::uint64_t a, std::uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Reads only what belongs to the token.
inline std::uint64_t token_head(const unsigned char* bytes, std::size_t size) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, size < 8 ? size : 8);
  return word;
}

inline std::uint64_t token_hash(const unsigned char* bytes, std::size_t size, std::uint64_t head) {
  std::uint64_t hash = mix64(head ^ 0x9E3779B97F4A7C15u, size + 0xA0761D6478BD642Fu);
  if (size <= 8) return hash;
  for (std::size_t at = 8; at + 8 < size; at += 8) hash = mix64(hash ^ load64(bytes + at), 0xE7037ED1A0B428DBu);
  return mix64(hash ^ load64(bytes + size - 8), 0x8EBC6AF09C88C6E3u);
}

inline std::uint32_t token_check(std::uint64_t hash, std::size_t size) {
  return static_cast<std::uint32_t>(size) | static_cast<std::uint32_t>(hash & 0xFFFFFF) << 8;
}

inline std::uint64_t pair_key(std::uint32_t left, std::uint32_t right) {
  return static_cast<std::uint64_t>(left) << 18 | right;
}

inline std::uint64_t pair_hash(std::uint64_t key) {
  return key * 0x9E3779B97F4A7C15u;
}

// A pair slot: key << 28 | id of what the pair becomes.
inline constexpr unsigned kPairIdBits = 28;
inline constexpr unsigned kFilterBits = 3;

}  // namespace weir
