#include "gateway/body_charset.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "gateway/http1_chars.h"

namespace weir {
namespace {

bool is_utf8_name(std::string_view name) {
  return name == "utf-8" || name == "utf8" || name == "us-ascii";
}

// `text` follows the word "charset" of a parameter, whatever form it has: what is not plainly UTF-8 is not.
bool names_utf8(std::string_view text) {
  text = trim(text);
  if (!text.starts_with('=')) return false;
  text = trim(text.substr(1));
  if (text.starts_with('"')) {
    const std::size_t end = text.find('"', 1);
    return end != std::string_view::npos && is_utf8_name(text.substr(1, end - 1));
  }
  return is_utf8_name(trim(text.substr(0, std::min(text.find_first_of(";,"), text.size()))));
}

}  // namespace

bool says_utf8(const Headers& headers) {
  constexpr std::string_view kWord = "charset";
  bool seen = false;
  for (const Header& field : headers.fields) {
    if (!is_name(field.name, "content-type")) continue;
    if (seen) return false;
    seen = true;
    if (field.value == "application/json") continue;
    const std::string value = to_lower(field.value);
    for (std::size_t at = value.find(kWord); at != std::string::npos; at = value.find(kWord, at + 1)) {
      if (!names_utf8(std::string_view(value).substr(at + kWord.size()))) return false;
    }
  }
  return true;
}

}  // namespace weir
