#include "providers/body_edit.h"

#include <algorithm>
#include <charconv>
#include <tuple>

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

// The character that an escape stands for, its backslash gone before; 0 for those that no name has. Takes it from
// `raw`.
char unescaped(std::string_view& raw) {
  const char kind = raw.empty() ? '\0' : raw.front();
  raw.remove_prefix(std::min<std::size_t>(1, raw.size()));
  if (kind == '"' || kind == '\\' || kind == '/') return kind;
  if (kind != 'u' || raw.size() < 4) return '\0';
  unsigned code = 0;
  const std::string_view digits = raw.substr(0, 4);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
  const bool plain = error == std::errc() && end == digits.data() + digits.size() && code < 0x80;
  raw.remove_prefix(4);
  return plain ? static_cast<char>(code) : '\0';
}

// A key may be written with escapes and still be the same key: "stream\u005foptions". Names are plain ASCII. By hand,
// since a parser for each key would make bodies of many escaped keys dear.
bool same_key(std::string_view raw, std::string_view name) {
  for (const char wanted : name) {
    if (raw.empty()) return false;
    char c = raw.front();
    raw.remove_prefix(1);
    if (c == '\\') c = unescaped(raw);
    if (c != wanted) return false;
  }
  return raw.empty();
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
