#include "providers/tool_error.h"

#include <algorithm>
#include <array>

#include "base/characters.h"
#include "base/strings.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

constexpr std::size_t kMaxExceptionName = 128;
constexpr std::size_t kSharedParser = 256 << 10;

bool is_name_char(char c) {
  return is_ascii_letter(c) || is_ascii_digit(c) || c == '_' || c == '.';
}

std::string_view after_space(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view{} : text.substr(first);
}

// "Error executing tool", "Error while reading", "Error in line 3", "Error 404", but not "Error handling in Go" or a
// log line "ERROR 2024-05-01".
bool goes_on_as_report(std::string_view rest) {
  if (rest.size() < 2 || rest.front() != ' ') return false;
  rest.remove_prefix(1);
  const auto word_end = std::find_if_not(rest.begin(), rest.end(), is_name_char);
  const std::string_view word = rest.substr(0, static_cast<std::size_t>(word_end - rest.begin()));
  if (std::all_of(word.begin(), word.end(), is_ascii_digit)) {
    return word.size() == 3 && !rest.substr(3).starts_with('-');
  }
  static constexpr std::array<std::string_view, 15> kGoesOn = {
      "while",     "during",  "when",     "in",       "at",      "code",       "occurred", "calling",
      "executing", "running", "invoking", "fetching", "reading", "processing", "from"};
  return std::find(kGoesOn.begin(), kGoesOn.end(), word) != kGoesOn.end();
}

// What stands behind "Error" or "Exception" at the beginning of a report.
bool ends_as_report(std::string_view rest) {
  if (rest.empty()) return true;
  constexpr std::string_view kEnds = ":!.([\r\n";
  return kEnds.find(rest.front()) != std::string_view::npos || rest.starts_with(" -") || rest.starts_with(" \u2013") ||
         rest.starts_with(" (") || goes_on_as_report(rest);
}

bool begins_with_word(std::string_view text) {
  for (const std::string_view word : {"Error", "ERROR", "Exception"}) {
    if (text.starts_with(word)) return ends_as_report(text.substr(word.size()));
  }
  constexpr std::array<std::string_view, 8> kBeginnings = {"Traceback (most recent call last)",
                                                           "error:",
                                                           "exception:",
                                                           "fatal:",
                                                           "fatal error:",
                                                           "Fatal error:",
                                                           "<error>",
                                                           "<tool_use_error>"};
  return std::any_of(kBeginnings.begin(), kBeginnings.end(),
                     [&](std::string_view beginning) { return text.starts_with(beginning); });
}

// "ValueError: …", "java.io.IOException: …": the name of an exception and a colon, or such a name alone.
bool begins_with_exception(std::string_view text) {
  for (const std::string_view word : {"Uncaught ", "Unhandled "}) {
    if (text.starts_with(word)) text.remove_prefix(word.size());
  }
  const std::string_view front = text.substr(0, kMaxExceptionName);
  const auto end = std::find_if_not(front.begin(), front.end(), is_name_char);
  const std::string_view name = front.substr(0, static_cast<std::size_t>(end - front.begin()));
  if (name.empty() || !is_ascii_letter(name.front())) return false;
  if (!name.ends_with("Error") && !name.ends_with("Exception")) return false;
  const std::string_view rest = text.substr(name.size());
  if (rest.empty()) return true;
  return rest.front() == ':' && (rest.size() == 1 || rest[1] == ' ' || rest[1] == '\n' || rest[1] == '\r');
}

bool is_truthy(const element& value) {
  switch (value.type()) {
    case element_type::NULL_VALUE:
      return false;
    case element_type::BOOL:
      return value.get_bool().value_unsafe();
    case element_type::INT64:
      return value.get_int64().value_unsafe() != 0;
    case element_type::DOUBLE:
      return value.get_double().value_unsafe() != 0;
    case element_type::STRING: {
      const std::string_view text = value.get_string().value_unsafe();
      static constexpr std::array<std::string_view, 6> kNothing = {"", "0", "no", "none", "null", "false"};
      return std::none_of(kNothing.begin(), kNothing.end(),
                          [&](std::string_view word) { return equal_ignoring_case(text, word); });
    }
    case element_type::ARRAY:
      return value.get_array().value_unsafe().size() > 0;
    case element_type::OBJECT:
      return value.get_object().value_unsafe().size() > 0;
    default:
      return true;
  }
}

bool is_error_json(simdjson::dom::parser& parser, std::string_view text) {
  object fields;
  return parser.parse(text.data(), text.size(), /*realloc_if_needed=*/true).get_object().get(fields) ==
             simdjson::SUCCESS &&
         is_error_object(fields);
}

// Most objects that tools return have no such member: they need no parser.
bool may_name_error(std::string_view text) {
  return text.find("\"error\"") != std::string_view::npos || text.find("\"isError\"") != std::string_view::npos ||
         text.find("\"is_error\"") != std::string_view::npos;
}

}  // namespace

bool is_error_object(const object& fields) {
  for (auto it = fields.begin(); it != fields.end(); ++it) {
    const std::string_view key = it.key();
    if ((key == "error" || key == "isError" || key == "is_error") && is_truthy(it.value())) return true;
  }
  return false;
}

bool is_error_text(std::string_view text) {
  text = after_space(text);
  if (text.empty()) return false;
  if (text.front() != '{') return begins_with_word(text) || begins_with_exception(text);
  if (!may_name_error(text)) return false;
  if (text.size() > kSharedParser) {
    simdjson::dom::parser parser;
    return is_error_json(parser, text);
  }
  thread_local simdjson::dom::parser parser;
  return is_error_json(parser, text);
}

}  // namespace weir
