#include "tokens/utf8_text.h"

#include <cstdint>
#include <cstring>

namespace weir {
namespace {

struct Sequence {
  std::size_t size = 1;  // bytes of the character, or of the faulty part
  bool valid = false;
  bool unfinished = false;  // right so far, but the text ends
};

// Bounds of the second byte (Unicode 16, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
Sequence read_sequence(const unsigned char* bytes, std::size_t size) {
  const unsigned first = bytes[0];
  if (first < 0x80) return {.valid = true};
  const std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (length == 0) return {};
  unsigned low = 0x80, high = 0xBF;
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  for (std::size_t i = 1; i < length; ++i) {
    if (i == size) return {.size = i, .unfinished = true};
    if (bytes[i] < low || bytes[i] > high) return {.size = i};
    low = 0x80, high = 0xBF;
  }
  return {.size = length, .valid = true};
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::size_t valid_prefix(std::string_view text) {
  const unsigned char* bytes = bytes_of(text);
  std::size_t at = 0;
  while (at < text.size()) {
    if (bytes[at] < 0x80) {
      ++at;
      for (std::uint64_t words[2]; text.size() - at >= sizeof words; at += sizeof words) {
        std::memcpy(words, bytes + at, sizeof words);
        if (((words[0] | words[1]) & 0x8080808080808080u) != 0) break;
      }
      continue;
    }
    const Sequence sequence = read_sequence(bytes + at, text.size() - at);
    if (!sequence.valid) return at;
    at += sequence.size;
  }
  return at;
}

std::size_t unfinished_bytes(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const unsigned char* begin = bytes_of(text) + text.size() - back;
    if (*begin >= 0xC2) return read_sequence(begin, back).unfinished ? back : 0;
    if (*begin < 0x80) return 0;
  }
  return 0;
}

void append_valid(std::string_view text, std::string& out) {
  while (!text.empty()) {
    const std::size_t valid = valid_prefix(text);
    out.append(text.substr(0, valid));
    text.remove_prefix(valid);
    if (text.empty()) return;
    out.append("\xEF\xBF\xBD");
    text.remove_prefix(read_sequence(bytes_of(text), text.size()).size);
  }
}

std::string_view valid_utf8(std::string_view text, std::string& copy) {
  if (valid_prefix(text) == text.size()) return text;
  copy.clear();
  append_valid(text, copy);
  return copy;
}

}  // namespace weir
