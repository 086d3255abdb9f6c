#include "tokens/table_data.h"

// WEIR_TABLE_FOLDER is where the build put what cmake/ranks/compile_ranks.cc wrote. The assembler takes the files as
// they are: as C arrays they would be a hundred megabytes of source.
#define WEIR_INCLUDE_TABLE(symbol, file)                                                             \
  __asm__(".pushsection .rodata.weir_tables,\"a\",@progbits\n.balign 64\n.globl " symbol "\n" symbol \
          ":\n.incbin \"" WEIR_TABLE_FOLDER "/" file "\"\n.byte 0\n.popsection\n")

WEIR_INCLUDE_TABLE("weir_table_o200k", "o200k_base.bin");
WEIR_INCLUDE_TABLE("weir_table_cl100k", "cl100k_base.bin");
WEIR_INCLUDE_TABLE("weir_table_p50k", "p50k_base.bin");
WEIR_INCLUDE_TABLE("weir_table_r50k", "r50k_base.bin");
WEIR_INCLUDE_TABLE("weir_unicode_table", "unicode.bin");

extern "C" {
extern const unsigned char weir_table_o200k[];
extern const unsigned char weir_table_cl100k[];
extern const unsigned char weir_table_p50k[];
extern const unsigned char weir_table_r50k[];
}

namespace weir {

const unsigned char* table_of(Encoding encoding) {
  switch (encoding) {
    case Encoding::kO200k:
      return weir_table_o200k;
    case Encoding::kCl100k:
      return weir_table_cl100k;
    case Encoding::kP50k:
      return weir_table_p50k;
    case Encoding::kR50k:
      break;
  }
  return weir_table_r50k;
}

}  // namespace weir
