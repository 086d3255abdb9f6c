// The compiled tables inside the program: one per encoding, and the classes of Unicode's code points.
//
//   Vocabulary vocabulary(table_of(Encoding::kO200k));
//
// Read-only memory, used in place: nothing is parsed or copied at start. Ranks: OpenAI's, from the npm package
// `tiktoken` (MIT licence), pinned in cmake/ranks/package-lock.json. Classes: unicode_classes.txt, Unicode 16.0.
#pragma once

#include <cstdint>

#include "tokens/encoding.h"

namespace weir {

const unsigned char* table_of(Encoding encoding);

inline constexpr std::uint32_t kCodePointBlock = 128;
inline constexpr std::uint32_t kCodePointBlocks = 0x110000 / kCodePointBlock;

}  // namespace weir

// 16-bit number of the block of 128 code points, for all blocks; then the distinct blocks, a CharClass a byte.
extern "C" const unsigned char weir_unicode_table[];
