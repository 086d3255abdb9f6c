#include "providers/body_edit.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

#include "base/characters.h"

namespace weir {
namespace {

class JsonScanner {
 public:
  JsonScanner(std::string_view text, std::size_t at) : text_(text), at_(at) {}

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

// Four hexadecimal digits, taken from `raw`.
std::optional<std::uint32_t> hex_of(std::string_view& raw) {
  if (raw.size() < 4) return std::nullopt;
  const auto code = number_in<std::uint32_t>(raw.substr(0, 4), 16);
  if (code) raw.remove_prefix(4);
  return code;
}

std::string utf8_of(std::uint32_t code) {
  const auto part = [code](unsigned shift, unsigned mark) { return static_cast<char>(mark | (code >> shift & 0x3F)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xC0 | code >> 6), part(0, 0x80)};
  if (code < 0x10000) return {static_cast<char>(0xE0 | code >> 12), part(6, 0x80), part(0, 0x80)};
  return {static_cast<char>(0xF0 | code >> 18), part(12, 0x80), part(6, 0x80), part(0, 0x80)};
}

// The character that an escape stands for, its backslash gone before. Takes it from `raw`; empty: it is broken.
std::string unescaped(std::string_view& raw) {
  constexpr std::string_view kShort = "\"\\/bfnrt", kMeans = "\"\\/\b\f\n\r\t";
  const char kind = raw.empty() ? '\0' : raw.front();
  raw.remove_prefix(std::min<std::size_t>(1, raw.size()));
  if (kind != 'u') {
    const std::size_t at = kShort.find(kind);
    return at == kShort.npos ? std::string() : std::string(1, kMeans[at]);
  }
  const auto code = hex_of(raw);
  if (!code || (*code & 0xFC00) != 0xD800) return code ? utf8_of(*code) : std::string();
  if (!raw.starts_with("\\u")) return {};
  raw.remove_prefix(2);
  const auto low = hex_of(raw);
  return low ? utf8_of(0x10000 + ((*code & 0x3FF) << 10) + (*low & 0x3FF)) : std::string();
}

// A key may be written with escapes and still be the same key: "stream\u005foptions". By hand, since a parser for each
// key would make bodies of many escaped keys dear. The body was parsed before: its escapes are whole.
bool same_key(std::string_view raw, std::string_view name) {
  if (raw.find('\\') == raw.npos) return raw == name;
  while (!raw.empty()) {
    std::string escaped;
    std::string_view next = raw.substr(0, 1);
    raw.remove_prefix(1);
    if (next == "\\") next = escaped = unescaped(raw);
    if (next.empty() || !name.starts_with(next)) return false;
    name.remove_prefix(next.size());
  }
  return name.empty();
}

}  // namespace

TextRange root_of(std::string_view body) {
  JsonScanner scan(body, 0);
  scan.skip_space();
  const std::size_t begin = scan.position();
  scan.skip_value();
  return {begin, scan.position()};
}

std::optional<MemberRange> find_member(std::string_view body, TextRange object,
                                       std::initializer_list<std::string_view> names) {
  const std::string_view text = body.substr(0, object.end);
  JsonScanner scan(text, object.begin);
  if (scan.peek() != '{') return std::nullopt;
  scan.advance();
  std::size_t before = scan.position();  // where the member before ended
  bool first = true;
  for (scan.skip_space(); scan.peek() == '"'; scan.skip_space()) {
    MemberRange member;
    member.key.begin = scan.position();
    const std::string_view key = scan.string();
    member.key.end = scan.position();
    scan.skip_space();
    if (scan.peek() != ':') return std::nullopt;
    scan.advance();
    scan.skip_space();
    member.value.begin = scan.position();
    scan.skip_value();
    member.value.end = scan.position();
    scan.skip_space();
    const bool last = scan.peek() != ',';
    if (std::any_of(names.begin(), names.end(), [&](std::string_view name) { return same_key(key, name); })) {
      if (!first) {
        member.erased = {before, member.value.end};  // the comma before it
      } else {
        member.erased = {member.key.begin, last ? member.value.end : scan.position() + 1};
      }
      return member;
    }
    if (last) return std::nullopt;
    before = scan.position();
    scan.advance();
    first = false;
  }
  return std::nullopt;
}

std::vector<TextRange> elements_of(std::string_view body, TextRange array) {
  std::vector<TextRange> elements;
  JsonScanner scan(body.substr(0, array.end), array.begin);
  if (scan.peek() != '[') return elements;
  scan.advance();
  for (scan.skip_space(); scan.peek() != ']' && scan.peek() != '\0'; scan.skip_space()) {
    const std::size_t begin = scan.position();
    scan.skip_value();
    elements.push_back({begin, scan.position()});
    scan.skip_space();
    if (scan.peek() != ',') break;
    scan.advance();
  }
  return elements;
}

void TextEdits::replace(TextRange range, std::string with) {
  edits_.push_back({range, std::move(with), edits_.size()});
}

void TextEdits::insert_member(std::string_view body, TextRange object, std::string member) {
  const std::size_t behind = object.begin + 1;
  const std::size_t next = body.find_first_not_of(" \t\r\n", behind);
  const bool is_empty = next != std::string_view::npos && body[next] == '}';
  const bool follows = std::any_of(edits_.begin(), edits_.end(), [&](const Edit& edit) {
    return edit.range.begin == behind && edit.range.end == behind;
  });
  if (!is_empty) {
    member += ',';
  } else if (follows) {
    member.insert(member.begin(), ',');
  }
  replace({behind, behind}, std::move(member));
}

std::string TextEdits::apply(std::string_view body) {
  std::sort(edits_.begin(), edits_.end(), [](const Edit& a, const Edit& b) {
    return std::tie(a.range.begin, a.range.end, a.order) < std::tie(b.range.begin, b.range.end, b.order);
  });
  std::size_t size = body.size();
  for (const Edit& edit : edits_) size += edit.with.size();
  std::string out;
  out.reserve(size);
  std::size_t at = 0;
  for (const Edit& edit : edits_) {
    out.append(body.substr(at, edit.range.begin - at)).append(edit.with);
    at = edit.range.end;
  }
  return out.append(body.substr(at));
}

}  // namespace weir
