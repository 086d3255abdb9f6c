#include "records/query_support.h"

#include <fmt/format.h>

#include "base/characters.h"
#include "records/hour_sums.h"

namespace weir {
namespace {

constexpr std::string_view kCannotRead = "cannot read the records";

}  // namespace

std::unexpected<Error> question_failed(const Database& db) {
  if (db.code() == SQLITE_INTERRUPT) return fail(std::string(kReadsTooMuch));
  return db.error(kCannotRead);
}

bool asker_can_mend(const Error& error) {
  return !error.message.starts_with(kCannotRead);
}

void Conditions::equals(std::string_view column, std::string_view value) {
  if (!value.empty()) add(std::string(column) + " = ?", {std::string(value)});
}

void Conditions::add(std::string_view condition,
                     std::initializer_list<std::variant<std::int64_t, std::string>> values) {
  text_.append(text_.empty() ? "" : " AND ").append(condition);
  values_.insert(values_.end(), values);
}

void Conditions::bind(Statement& s) const {
  int at = 0;
  for (const auto& value : values_) {
    if (const auto* text = std::get_if<std::string>(&value)) {
      s.bind(++at, std::string_view(*text));
    } else {
      s.bind(++at, std::get<std::int64_t>(value));
    }
  }
}

void names_of(Conditions& where, const UsageFilter& filter) {
  where.equals("key", filter.key);
  where.equals("tenant", filter.tenant);
  where.equals("user", filter.user);
  where.equals("tier", filter.tier);
  where.equals("model", filter.model);
  where.equals("provider", filter.provider);
  for (const std::string& column : filter.without) where.add(column + " = ''", {});
}

std::optional<std::pair<std::int64_t, std::int64_t>> hour_bounds(Database& db) {
  Statement s = db.prepare("SELECT (SELECT min(hour) FROM usage_hours), (SELECT max(hour) FROM usage_hours)");
  if (!s || !s.next() || s.is_null(0)) return std::nullopt;
  return std::pair(s.integer(0), s.integer(1));
}

LedgerHours::LedgerHours(Database& db, const UsageFilter& filter) : db_(db) {
  const auto bounds = hour_bounds(db);
  if (!bounds) return;
  first_ = std::max(filter.since / kHour, bounds->first);
  last_ = std::min((filter.until - 1) / kHour, bounds->second);
  if (filter.run.empty()) {
    names_of(names_, filter);
  } else {
    names_.add("number IN (-1, ?)", {NotedRuns::number_of(filter.run)});
  }
  // With a run or a key every hour is one look into the table, and all of its rows are read otherwise.
  sql_ = filter.run.empty() && filter.key.empty()
             ? "SELECT hour FROM usage_hours WHERE {0} AND hour >= {1} AND hour <= {2} ORDER BY hour DESC LIMIT 1"
             : "WITH RECURSIVE h(at) AS (VALUES({2}) UNION ALL SELECT at - 1 FROM h WHERE at > {1}) "
               "SELECT hour FROM h CROSS JOIN {3} ON hour = at WHERE {0} LIMIT 1";
  sql_ = fmt::format(fmt::runtime(sql_), names_.text(), "{0}", "{1}", filter.run.empty() ? "usage_hours" : "run_hours");
  by_day_ = filter.run.empty() && filter.key.empty() && names_.text() != "1";
}

Result<std::optional<std::int64_t>> LedgerHours::next() {
  while (last_ >= first_) {
    std::int64_t from = first_;
    if (by_day_) {
      const std::int64_t day = last_ / 24;
      from = std::max(first_, day * 24);
      const auto none = nothing_on(day);
      if (!none) return std::unexpected(none.error());
      if (*none) {
        last_ = from - 1;
        continue;
      }
    }
    Statement s = db_.prepare(fmt::format(fmt::runtime(sql_), from, last_));
    if (!s) return question_failed(db_);
    names_.bind(s);
    const bool found = s.next();
    if (s.failed()) return question_failed(db_);
    last_ = found ? s.integer(0) - 1 : from - 1;
    if (found) return last_ + 1;
  }
  return std::nullopt;
}

// A summed day without such use needs no look at its hours.
Result<bool> LedgerHours::nothing_on(std::int64_t day) {
  Statement s =
      db_.prepare(fmt::format("SELECT EXISTS (SELECT 1 FROM days_summed WHERE day = {0}) AND "
                              "NOT EXISTS (SELECT 1 FROM usage_days WHERE day = {0} AND {1})",
                              day, names_.text()));
  if (!s) return question_failed(db_);
  names_.bind(s);
  if (!s.next()) return question_failed(db_);
  return s.integer(0) != 0;
}

std::string cursor_text(char what, const Cursor& cursor) {
  return fmt::format("{}{:x}.{:x}", what, cursor.time, cursor.id);
}

Result<Cursor> cursor_from(char what, std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot != std::string_view::npos && text[0] == what) {
    const auto time = number_in<std::int64_t>(text.substr(1, dot - 1), 16);
    const auto id = number_in<std::int64_t>(text.substr(dot + 1), 16);
    if (time && id) return Cursor{.time = *time, .id = *id};
  }
  return fail("the cursor is not one of this list; leave it out to begin anew");
}

}  // namespace weir
