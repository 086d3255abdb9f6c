// One vocabulary: bytes to token, two adjacent tokens to the token they merge into. A view of a compiled table; copying
// is free, finding allocates nothing.
//
//   const Vocabulary& vocabulary = Vocabulary::of(Encoding::kO200k);
//   vocabulary.find(bytes, 5, bytes + 64);               // id of a token of 5 bytes, or kNoToken
//   vocabulary.merged(vocabulary.byte_id('a'), vocabulary.byte_id('b'));
//
// Immutable and thread-safe; the table is part of the program (table_data.h).
#pragma once

#include <cstdint>
#include <string_view>

#include "tokens/encoding.h"
#include "tokens/table_format.h"

namespace weir {

class Vocabulary {
 public:
  explicit Vocabulary(const unsigned char* table);
  static Vocabulary of(Encoding encoding);

  // `limit`: end of readable memory behind `bytes`.
  std::uint32_t find(const unsigned char* bytes, std::size_t size, const unsigned char* limit) const {
    if (size > header_->max_token_bytes) return kNoToken;
    std::uint64_t head;
    if (limit - bytes >= 8) {
      head = load64(bytes);
      if (size < 8) head &= (std::uint64_t{1} << (8 * size)) - 1;
    } else {
      head = token_head(bytes, size);
    }
    const std::uint64_t hash = token_hash(bytes, size, head);
    const std::uint32_t check = token_check(hash, size);
    for (std::size_t slot = hash >> token_shift_;; slot = (slot + 1) & token_mask_) {
      const TokenSlot& entry = tokens_[slot];
      if (entry.check == check && entry.head == head) {
        if (size <= 8 || std::memcmp(bytes_ + offsets_[entry.id] + 8, bytes + 8, size - 8) == 0) return entry.id;
      }
      if (entry.check == 0) return kNoToken;
    }
  }

  // What the two tokens side by side merge into, or kNoToken. An id is a rank: lower ones merge first.
  std::uint32_t merged(std::uint32_t left, std::uint32_t right) const {
    const std::uint64_t key = pair_key(left, right);
    const std::uint64_t hash = pair_hash(key), bit = hash >> (pair_shift_ - kFilterBits);
    if ((filter_[bit / 64] >> bit % 64 & 1) == 0) return kNoToken;
    for (std::size_t slot = hash >> pair_shift_;; slot = (slot + 1) & pair_mask_) {
      const std::uint64_t entry = pairs_[slot];
      if (entry >> kPairIdBits == key) return static_cast<std::uint32_t>(entry & ((1u << kPairIdBits) - 1));
      if (entry == kEmptyPair) return kNoToken;
    }
  }

  std::uint32_t byte_id(unsigned char byte) const { return header_->byte_ids[byte]; }
  std::uint32_t merged_bytes(unsigned char left, unsigned char right) const {
    return byte_pairs_[static_cast<std::size_t>(left) << 8 | right];
  }
  std::uint32_t ids() const { return header_->ids; }
  std::size_t max_token_bytes() const { return header_->max_token_bytes; }
  std::string_view text(std::uint32_t id) const {  // empty for an id that no token has
    if (id >= ids()) return {};
    return {reinterpret_cast<const char*>(bytes_) + offsets_[id], offsets_[id + 1] - offsets_[id]};
  }
  std::size_t size(std::uint32_t id) const { return offsets_[id + 1] - offsets_[id]; }

 private:
  const TableHeader* header_;
  const TokenSlot* tokens_;
  const std::uint64_t* pairs_;
  const std::uint64_t* filter_;
  const std::uint32_t* byte_pairs_;
  const std::uint32_t* offsets_;
  const unsigned char* bytes_;
  std::size_t token_mask_, pair_mask_;
  unsigned token_shift_, pair_shift_;
};

}  // namespace weir
