#include "model/agent.h"

#include <algorithm>
#include <array>

#include "base/enum_words.h"
#include "base/strings.h"

namespace weir {
namespace {

struct LookAlike {
  char32_t letter;
  char ascii;
};

// Letters that common fonts draw as an ASCII one. Full-width forms follow a rule of their own.
constexpr std::array kLookAlikes = {
    LookAlike{0x0131, 'i'}, LookAlike{0x0251, 'a'}, LookAlike{0x0261, 'g'}, LookAlike{0x0391, 'A'},
    LookAlike{0x0392, 'B'}, LookAlike{0x0395, 'E'}, LookAlike{0x0396, 'Z'}, LookAlike{0x0397, 'H'},
    LookAlike{0x0399, 'I'}, LookAlike{0x039A, 'K'}, LookAlike{0x039C, 'M'}, LookAlike{0x039D, 'N'},
    LookAlike{0x039F, 'O'}, LookAlike{0x03A1, 'P'}, LookAlike{0x03A4, 'T'}, LookAlike{0x03A5, 'Y'},
    LookAlike{0x03A7, 'X'}, LookAlike{0x03B1, 'a'}, LookAlike{0x03B9, 'i'}, LookAlike{0x03BA, 'k'},
    LookAlike{0x03BD, 'v'}, LookAlike{0x03BF, 'o'}, LookAlike{0x03C1, 'p'}, LookAlike{0x03C5, 'u'},
    LookAlike{0x03C7, 'x'}, LookAlike{0x03F2, 'c'}, LookAlike{0x03F3, 'j'}, LookAlike{0x03F9, 'C'},
    LookAlike{0x0405, 'S'}, LookAlike{0x0406, 'I'}, LookAlike{0x0408, 'J'}, LookAlike{0x0410, 'A'},
    LookAlike{0x0412, 'B'}, LookAlike{0x0415, 'E'}, LookAlike{0x041A, 'K'}, LookAlike{0x041C, 'M'},
    LookAlike{0x041D, 'H'}, LookAlike{0x041E, 'O'}, LookAlike{0x0420, 'P'}, LookAlike{0x0421, 'C'},
    LookAlike{0x0422, 'T'}, LookAlike{0x0423, 'Y'}, LookAlike{0x0425, 'X'}, LookAlike{0x0430, 'a'},
    LookAlike{0x0435, 'e'}, LookAlike{0x043E, 'o'}, LookAlike{0x0440, 'p'}, LookAlike{0x0441, 'c'},
    LookAlike{0x0443, 'y'}, LookAlike{0x0445, 'x'}, LookAlike{0x0455, 's'}, LookAlike{0x0456, 'i'},
    LookAlike{0x0458, 'j'}, LookAlike{0x04AE, 'Y'}, LookAlike{0x04AF, 'y'}, LookAlike{0x04BB, 'h'},
    LookAlike{0x04C0, 'I'}, LookAlike{0x04CF, 'l'}, LookAlike{0x0501, 'd'}, LookAlike{0x051B, 'q'},
    LookAlike{0x051C, 'W'}, LookAlike{0x051D, 'w'}, LookAlike{0x2010, '-'}, LookAlike{0x2011, '-'},
    LookAlike{0x2012, '-'}, LookAlike{0x2013, '-'}, LookAlike{0x2014, '-'}, LookAlike{0x2024, '.'},
    LookAlike{0x2212, '-'},
};
static_assert(std::is_sorted(kLookAlikes.begin(), kLookAlikes.end(),
                             [](const LookAlike& a, const LookAlike& b) { return a.letter < b.letter; }));

constexpr char32_t kFullWidthFirst = 0xFF01;
constexpr char32_t kFullWidthLast = 0xFF5E;
constexpr char32_t kFullWidthOffset = 0xFEE0;

struct Span {
  char32_t first, last;
};

// What no one sees: it would make two names of one.
constexpr std::array kInvisible = {
    Span{0x0000, 0x001F}, Span{0x007F, 0x009F}, Span{0x00AD, 0x00AD}, Span{0x034F, 0x034F},
    Span{0x061C, 0x061C}, Span{0x115F, 0x1160}, Span{0x180B, 0x180F}, Span{0x200B, 0x200F},
    Span{0x2028, 0x202E}, Span{0x2060, 0x206F}, Span{0x3164, 0x3164}, Span{0xFE00, 0xFE0F},
    Span{0xFEFF, 0xFEFF}, Span{0xFFA0, 0xFFA0}, Span{0xFFF9, 0xFFFB}, Span{0xE0000, 0xE0FFF}};

bool is_invisible(char32_t letter) {
  return std::any_of(kInvisible.begin(), kInvisible.end(),
                     [letter](const Span& span) { return letter >= span.first && letter <= span.last; });
}

// Of a well-formed sequence.
char32_t decode(std::string_view sequence) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
  if (sequence.size() == 1) return byte(0);
  char32_t letter = byte(0) & (0xFFu >> (sequence.size() + 1));
  for (std::size_t i = 1; i < sequence.size(); ++i) letter = (letter << 6) | (byte(i) & 0x3Fu);
  return letter;
}

// '\0': it has no ASCII twin.
char ascii_twin(char32_t letter) {
  if (letter >= kFullWidthFirst && letter <= kFullWidthLast) return static_cast<char>(letter - kFullWidthOffset);
  const auto found = std::lower_bound(kLookAlikes.begin(), kLookAlikes.end(), letter,
                                      [](const LookAlike& entry, char32_t wanted) { return entry.letter < wanted; });
  return found != kLookAlikes.end() && found->letter == letter ? found->ascii : '\0';
}

bool is_plain(char c) {
  return c >= 0x20 && c < 0x7F;
}

}  // namespace

std::string canonical_tool_name(std::string_view name) {
  if (name.size() > kMaxToolName) return {};
  if (std::all_of(name.begin(), name.end(), is_plain)) return std::string(name);
  std::string canonical;
  canonical.reserve(name.size());
  while (!name.empty()) {
    const std::size_t length = utf8_sequence_length(name);
    if (length == 0) return {};
    const char32_t letter = decode(name.substr(0, length));
    if (is_invisible(letter)) return {};
    if (const char twin = ascii_twin(letter); twin != '\0') {
      canonical += twin;
    } else {
      canonical += name.substr(0, length);
    }
    name.remove_prefix(length);
  }
  return canonical;
}

const char* to_string(Destination destination) {
  static constexpr std::array kWords = {"none", "known", "outside"};
  return word_of(kWords, destination);
}

}  // namespace weir
