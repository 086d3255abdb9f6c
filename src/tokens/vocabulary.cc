#include "tokens/vocabulary.h"

#include "base/check.h"
#include "tokens/table_data.h"

namespace weir {

Vocabulary::Vocabulary(const unsigned char* table)
    : header_(reinterpret_cast<const TableHeader*>(table)),
      tokens_(reinterpret_cast<const TokenSlot*>(table + header_->tokens_at)),
      pairs_(reinterpret_cast<const std::uint64_t*>(table + header_->pairs_at)),
      filter_(reinterpret_cast<const std::uint64_t*>(table + header_->filter_at)),
      byte_pairs_(reinterpret_cast<const std::uint32_t*>(table + header_->byte_pairs_at)),
      offsets_(reinterpret_cast<const std::uint32_t*>(table + header_->offsets_at)),
      bytes_(table + header_->bytes_at),
      token_mask_((std::size_t{1} << header_->token_bits) - 1),
      pair_mask_((std::size_t{1} << header_->pair_bits) - 1),
      token_shift_(64 - header_->token_bits),
      pair_shift_(64 - header_->pair_bits) {
  WEIR_CHECK(header_->magic == kTableMagic);
}

Vocabulary Vocabulary::of(Encoding encoding) {
  return Vocabulary(table_of(encoding));
}

}  // namespace weir
