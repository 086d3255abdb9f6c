// Rewrites one member of a JSON text without touching any other byte. The text was validated before, so the scanner
// only has to find where strings and values end.
#include <simdjson.h>

#include <cstring>

#include "providers/dialect.h"

namespace weir {
namespace {

class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : text_(text) {}

  std::size_t position() const { return at_; }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void advance() { ++at_; }

  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  // At an opening quote; returns the raw content and stops behind the closing quote.
  std::string_view string() {
    const std::size_t begin = at_ + 1;
    std::size_t end = begin;
    for (;;) {
      end = text_.find('"', end);
      if (end == std::string_view::npos) {
        at_ = text_.size();
        return text_.substr(begin);
      }
      std::size_t backslashes = 0;
      while (end - backslashes > begin && text_[end - backslashes - 1] == '\\') ++backslashes;
      if (backslashes % 2 == 0) break;
      ++end;
    }
    at_ = end + 1;
    return text_.substr(begin, end - begin);
  }

  void skip_value() {
    if (peek() == '"') {
      string();
      return;
    }
    if (peek() != '{' && peek() != '[') {
      at_ = std::min(text_.find_first_of(",]} \t\r\n", at_), text_.size());
      return;
    }
    for (std::size_t open = 0; at_ < text_.size();) {
      const char c = text_[at_];
      if (c == '"') {
        string();
        continue;
      }
      open += c == '{' || c == '[' ? 1 : 0;
      ++at_;
      if ((c == '}' || c == ']') && --open == 0) return;
    }
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

// A key may be written with escapes and still be the same key: "stream\u005foptions".
bool same_key(std::string_view raw, std::string_view name) {
  if (raw.find('\\') == std::string_view::npos) return raw == name;
  std::string quoted = "\"" + std::string(raw) + "\"";
  simdjson::dom::parser parser;
  std::string_view decoded;
  return parser.parse(quoted).get_string().get(decoded) == simdjson::SUCCESS && decoded == name;
}

struct Range {
  std::size_t begin = 0, end = 0;
  bool found = false;
};

// The bytes of the value of member `name` of the object that starts at the first non-space of `text`.
Range find_member(std::string_view text, std::string_view name) {
  JsonScanner scan(text);
  scan.skip_space();
  if (scan.peek() != '{') return {};
  scan.advance();
  for (scan.skip_space(); scan.peek() == '"'; scan.skip_space()) {
    const std::string_view key = scan.string();
    scan.skip_space();
    if (scan.peek() != ':') return {};
    scan.advance();
    scan.skip_space();
    const std::size_t begin = scan.position();
    scan.skip_value();
    if (same_key(key, name)) return {begin, scan.position(), true};
    scan.skip_space();
    if (scan.peek() != ',') return {};
    scan.advance();
  }
  return {};
}

std::string replaced(std::string_view text, std::size_t begin, std::size_t end, std::string_view with) {
  std::string out;
  out.reserve(text.size() - (end - begin) + with.size());
  out.append(text.substr(0, begin)).append(with).append(text.substr(end));
  return out;
}

bool is_empty_object(std::string_view text) {
  return text.substr(1).find_first_not_of(" \t\r\n") == text.find('}') - 1;
}

}  // namespace

bool needs_rewrite(Operation operation, const RequestFacts& facts, const BodyEdits& edits) {
  const bool hides = operation == Operation::kChatCompletions || operation == Operation::kCompletions;
  return edits.any() || (hides && facts.stream && !facts.wants_stream_usage);
}

std::string upstream_body(Operation operation, const RequestFacts& facts, const BodyEdits& edits,
                          std::string_view body) {
  if (!needs_rewrite(operation, facts, edits)) return std::string(body);
  const Range options = find_member(body, "stream_options");
  if (!options.found) {
    // read_request has seen a model: the object is not empty, so the comma is right.
    const std::size_t brace = body.find('{');
    if (brace == std::string_view::npos) return std::string(body);
    return replaced(body, brace + 1, brace + 1, R"("stream_options":{"include_usage":true},)");
  }
  const std::string_view value = body.substr(options.begin, options.end - options.begin);
  if (value.empty() || value.front() != '{') {
    return replaced(body, options.begin, options.end, R"({"include_usage":true})");
  }
  const Range flag = find_member(value, "include_usage");
  if (flag.found) return replaced(body, options.begin + flag.begin, options.begin + flag.end, "true");
  return replaced(body, options.begin + 1, options.begin + 1,
                  is_empty_object(value) ? R"("include_usage":true)" : R"("include_usage":true,)");
}

}  // namespace weir
