#include "replay/csv.h"

#include <algorithm>
#include <cstring>

namespace weir {

CsvRows::Step CsvRows::refuse(std::string_view message) {
  fault_ = message;
  return Step::kFault;
}

bool CsvRows::add(std::string_view field) {
  if (count_ == kMaxColumns) return false;
  fields_[count_++] = field;
  return true;
}

bool CsvRows::only_line_ends_follow() const {
  return text_.find_first_not_of("\r\n", at_) == std::string_view::npos;
}

CsvRows::Step CsvRows::next() {
  if (!fault_.empty()) return Step::kFault;
  line_ = next_line_;
  count_ = 0;
  if (at_ >= text_.size()) return Step::kEnd;
  if (text_[at_] == '\n' || text_[at_] == '\r') {
    if (only_line_ends_follow()) return Step::kEnd;
    return refuse("is an empty line");
  }
  return read_row();
}

// The usual row has no quote; the first one found sends the whole row the long way.
CsvRows::Step CsvRows::read_row() {
  const std::string_view rest = text_.substr(at_);
  const void* found = std::memchr(rest.data(), '\n', rest.size());
  const std::size_t length =
      found == nullptr ? rest.size() : static_cast<std::size_t>(static_cast<const char*>(found) - rest.data());
  std::string_view row = rest.substr(0, length);
  if (std::memchr(row.data(), '"', row.size()) != nullptr) return read_quoted_row();
  if (row.size() > kMaxRowBytes) return refuse("is longer than 64 KiB");
  if (row.ends_with('\r')) row.remove_suffix(1);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] != ',') continue;
    if (!add(row.substr(begin, i - begin))) return refuse("has more than 64 columns");
    begin = i + 1;
  }
  if (!add(row.substr(begin))) return refuse("has more than 64 columns");
  at_ += std::min(length + 1, rest.size());
  ++next_line_;
  return Step::kRow;
}

CsvRows::Step CsvRows::read_quoted_row() {
  const std::size_t row_begin = at_;
  while (true) {
    if (at_ < text_.size() && text_[at_] == '"') {
      if (!read_quoted_field()) return Step::kFault;
    } else {
      const std::size_t end = std::min(text_.find_first_of(",\r\n\"", at_), text_.size());
      if (end < text_.size() && text_[end] == '"')
        return refuse("has a quote inside a field that does not begin with one");
      if (!add(text_.substr(at_, end - at_))) return refuse("has more than 64 columns");
      at_ = end;
    }
    if (at_ - row_begin > kMaxRowBytes) return refuse("is longer than 64 KiB");
    if (at_ >= text_.size()) break;
    const char c = text_[at_++];
    if (c == ',') continue;
    if (c == '\r' && at_ < text_.size() && text_[at_] != '\n') return refuse("has a carriage return inside a field");
    if (c == '\r' && at_ < text_.size()) ++at_;
    break;
  }
  ++next_line_;
  return Step::kRow;
}

bool CsvRows::read_quoted_field() {
  if (count_ == kMaxColumns) return refuse("has more than 64 columns") == Step::kRow;
  std::string& value = unquoted_[count_];
  value.clear();
  std::size_t begin = at_ + 1;
  while (true) {
    const std::size_t quote = text_.find('"', begin);
    if (quote == std::string_view::npos || quote - at_ > kMaxRowBytes) {
      return refuse("has a quote that is not closed within 64 KiB") == Step::kRow;
    }
    value.append(text_, begin, quote - begin);
    begin = quote + 1;
    if (begin < text_.size() && text_[begin] == '"') {
      value += '"';
      ++begin;
      continue;
    }
    break;
  }
  next_line_ += static_cast<std::size_t>(std::count(value.begin(), value.end(), '\n'));
  at_ = begin;
  if (at_ < text_.size() && std::string_view(",\r\n").find(text_[at_]) == std::string_view::npos) {
    return refuse("has text after a closing quote") == Step::kRow;
  }
  return add(value);
}

}  // namespace weir
