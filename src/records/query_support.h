// How questions are put to SQLite: a bound on their cost, conditions with their values, cursors.
//
//   const QueryBound bound(impl.db, most_steps);
//   Conditions where;  where.equals("key", filter.key);
//   return each_row(db, "SELECT … WHERE " + where.text(), where, [&](const Statement& row) { use(row.text(0)); });
//
// Belongs to src/records; values, but for the bound, which holds until it leaves scope.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "records/queries.h"
#include "records/sqlite.h"

namespace weir {

// Interrupts what this connection runs once it took so many steps.
class QueryBound {
 public:
  QueryBound(Database& db, std::int64_t most_steps) : db_(db), left_(most_steps) {
    db_.on_progress(kEvery, &QueryBound::spent, this);
  }
  ~QueryBound() { db_.on_progress(0, nullptr, nullptr); }
  QueryBound(const QueryBound&) = delete;
  QueryBound& operator=(const QueryBound&) = delete;

 private:
  static constexpr int kEvery = 1000;
  static int spent(void* self) {
    auto& bound = *static_cast<QueryBound*>(self);
    return (bound.left_ -= kEvery) < 0 ? 1 : 0;
  }
  Database& db_;
  std::int64_t left_;
};

// What went wrong while a question was read: too much, or the store's own fault.
std::unexpected<Error> question_failed(const Database& db);

class Conditions {
 public:
  void equals(std::string_view column, std::string_view value);  // an empty value asks for nothing
  // `?` stands for the values, in order.
  void add(std::string_view condition, std::initializer_list<std::variant<std::int64_t, std::string>> values);
  std::string text() const { return text_.empty() ? "1" : text_; }
  void bind(Statement& s) const;

 private:
  std::string text_;
  std::vector<std::variant<std::int64_t, std::string>> values_;
};

// Puts a question whose `?` are the values of `where`, and takes every row of its answer.
template <class Take>
Result<void> each_row(Database& db, std::string_view sql, const Conditions& where, Take take) {
  Statement s = db.prepare(sql);
  if (!s) return question_failed(db);
  where.bind(s);
  while (s.next()) take(s);
  if (s.failed()) return question_failed(db);
  return {};
}

void names_of(Conditions& where, const UsageFilter& filter);  // those that `usage_hours` knows too

// The first and the last hour of `usage_hours`; nothing if it is empty.
std::optional<std::pair<std::int64_t, std::int64_t>> hour_bounds(Database& db);

// Walks the hours in which the ledger may have what is asked for, newest first.
class LedgerHours {
 public:
  LedgerHours(Database& db, const UsageFilter& filter);
  void before(TimeNs at) { last_ = std::min(last_, at / kHour); }
  Result<std::optional<std::int64_t>> next();  // nothing: there is none left

 private:
  Result<bool> nothing_on(std::int64_t day);

  Database& db_;
  Conditions names_;
  std::string sql_;
  bool by_day_ = false;
  std::int64_t first_ = 0, last_ = -1;
};

// Where a page ended; `what` tells cursors of different lists apart.
struct Cursor {
  std::int64_t time = 0, id = 0;
};
std::string cursor_text(char what, const Cursor& cursor);
Result<Cursor> cursor_from(char what, std::string_view text);

}  // namespace weir
