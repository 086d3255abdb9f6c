// Comma-separated rows as RFC 4180 has them: quoted fields may hold commas, line breaks and doubled quotes.
//
//   CsvRows rows(text);
//   while (rows.next() == CsvRows::Step::kRow) use(rows.fields(), rows.line());
//   if (!rows.fault().empty()) report(rows.line(), rows.fault());
//
// Belongs to one thread; fields are views into the text or into the reader, valid until the next call. Limits:
// kMaxRowBytes and kMaxColumns (replay/trace.h).
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "replay/trace.h"

namespace weir {

class CsvRows {
 public:
  enum class Step : unsigned char { kRow, kEnd, kFault };
  explicit CsvRows(std::string_view text) : text_(text) {}

  // Empty lines are allowed at the end only.
  Step next();
  std::span<const std::string_view> fields() const { return {fields_.data(), count_}; }
  std::size_t line() const { return line_; }  // where the row begins, from 1
  std::string_view fault() const { return fault_; }

 private:
  Step read_row();
  Step read_quoted_row();
  bool read_quoted_field();
  bool add(std::string_view field);
  Step refuse(std::string_view message);
  bool only_line_ends_follow() const;

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 0, next_line_ = 1;
  std::array<std::string_view, kMaxColumns> fields_;
  std::size_t count_ = 0;
  std::array<std::string, kMaxColumns> unquoted_;
  std::string_view fault_;
};

}  // namespace weir
