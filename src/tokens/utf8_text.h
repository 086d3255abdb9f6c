// UTF-8 made valid: what is not becomes U+FFFD, one for each longest part that could have begun a character (the
// practice of the Unicode standard, of browsers and of Rust). Deterministic, and the same wherever the text is cut.
//
//   std::string copy;
//   std::string_view text = valid_utf8(body, copy);     // `body` itself when it is valid, else a view of `copy`
//   std::size_t open = unfinished_bytes(text);          // 0 to 3 bytes at the end that more bytes may complete
//
// Pure. The result is at most three times as long.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

// Bytes at the front that are valid UTF-8.
std::size_t valid_prefix(std::string_view text);
// At the end, the bytes of a character that has begun correctly and lacks some; 0 when there is none.
std::size_t unfinished_bytes(std::string_view text);
void append_valid(std::string_view text, std::string& out);
std::string_view valid_utf8(std::string_view text, std::string& copy);

}  // namespace weir
