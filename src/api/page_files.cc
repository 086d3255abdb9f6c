#include "api/page.h"

// WEIR_PAGE_BYTES and WEIR_PAGE_TABLE are what cmake/web/pack.mjs wrote. The assembler takes the bytes as they are.
__asm__(
    ".pushsection .rodata.weir_page,\"a\",@progbits\n.balign 16\n.globl weir_page\nweir_page:\n"
    ".incbin \"" WEIR_PAGE_BYTES "\"\n.byte 0\n.popsection\n");

extern "C" {
extern const char weir_page[];
}

namespace weir {
namespace {

constexpr PageFile kFiles[] = {
#include WEIR_PAGE_TABLE
};

}  // namespace

std::string_view PageFile::gzip() const {
  return {weir_page + offset, size};
}

std::span<const PageFile> page_files() {
  return kFiles;
}

}  // namespace weir
