#include "providers/event_text.h"

namespace weir {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kKeptBuffer = 64 << 10;

TextRange trimmed(std::string_view text, TextRange range, std::string_view front) {
  while (range.begin < range.end && front.find(text[range.begin]) != std::string_view::npos) ++range.begin;
  while (range.begin < range.end && kSpace.find(text[range.end - 1]) != std::string_view::npos) --range.end;
  return range;
}

bool is_data(std::string_view line) {
  return line.starts_with("data") && (line.size() == 4 || line[4] == ':');
}

std::string_view data_of(std::string_view line) {
  line.remove_prefix(std::min<std::size_t>(line.size(), 5));
  if (line.starts_with(' ')) line.remove_prefix(1);
  return line;
}

void append_lines(std::string& out, std::string_view json) {
  LineCutter lines(json);
  for (std::string_view line; lines.next(line);) out.append("data: ").append(line).append("\n");
}

}  // namespace

void EventText::assign(std::string_view raw) {
  if (raw_.capacity() > kKeptBuffer && raw.size() <= kKeptBuffer) std::string().swap(raw_);
  raw_.assign(raw);
  joined_.clear();
  lines_ = 0;
  if (framing_ != Framing::kSse) {
    data_ = trimmed(raw_, {0, raw_.size()}, framing_ == Framing::kJsonArray ? " \t\r\n[," : kSpace);
    return;
  }
  data_ = {};
  find_data_lines();
}

void EventText::find_data_lines() {
  std::string_view text = raw_;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  LineCutter lines(text);
  for (std::string_view line; lines.next(line);) {
    if (!is_data(line)) continue;
    const std::string_view value = data_of(line);
    if (++lines_ == 1) {
      const auto begin = static_cast<std::size_t>(value.data() - raw_.data());
      data_ = {begin, begin + value.size()};
      continue;
    }
    if (lines_ == 2) joined_.assign(data_.in(raw_));
    joined_.append("\n").append(value);
  }
  data_ = trimmed(raw_, data_, kSpace);
}

std::string EventText::with(std::string_view json) const {
  std::string out;
  out.reserve(raw_.size() + json.size());
  if (lines_ <= 1) {
    const std::string_view raw = raw_;
    return out.append(raw.substr(0, data_.begin)).append(json).append(raw.substr(data_.end));
  }
  bool written = false;
  LineCutter lines(raw_);
  for (std::string_view line; lines.next(line);) {
    const bool data = is_data(line.starts_with(kByteOrderMark) ? line.substr(kByteOrderMark.size()) : line);
    if (!data) {
      out.append(line).append("\n");
    } else if (!written) {
      append_lines(out, json);
      written = true;
    }
  }
  return out;
}

std::string EventText::before(std::string_view json) const {
  // The first element of an array never leaves later than another: it keeps the bracket.
  if (framing_ == Framing::kJsonArray) return std::string(",\n").append(json);
  return with(json);
}

}  // namespace weir
