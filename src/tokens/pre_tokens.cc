#include "tokens/pre_tokens.h"

namespace weir {

std::size_t contraction(const unsigned char* text, std::size_t at, std::size_t end, bool any_case) {
  const auto letter = [&](std::size_t index) -> unsigned char {
    if (at + index >= end) return 0;
    const unsigned char c = text[at + index];
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<unsigned char>(c | 0x20) : c;
  };
  switch (letter(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return letter(2) == 'e' ? 3 : 0;
    case 'l':
      return letter(2) == 'l' ? 3 : 0;
    case 0xC5:
      return any_case && letter(2) == 0xBF ? 3 : 0;
    default:
      return 0;
  }
}

}  // namespace weir
