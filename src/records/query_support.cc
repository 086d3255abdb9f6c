#include "records/query_support.h"

#include <fmt/format.h>

#include <charconv>

namespace weir {
namespace {

constexpr std::string_view kCannotRead = "cannot read the records";

bool read_hex(std::string_view text, std::int64_t& out) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out, 16);
  return error == std::errc() && stop == text.data() + text.size();
}

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
  if (!s || s.step() != Statement::kRow || s.is_null(0)) return std::nullopt;
  return std::pair(s.integer(0), s.integer(1));
}

std::string cursor_text(char what, const Cursor& cursor) {
  return fmt::format("{}{:x}.{:x}", what, cursor.time, cursor.id);
}

Result<Cursor> cursor_from(char what, std::string_view text) {
  Cursor cursor;
  const std::size_t dot = text.find('.');
  if (text.empty() || text[0] != what || dot == std::string_view::npos ||
      !read_hex(text.substr(1, dot - 1), cursor.time) || !read_hex(text.substr(dot + 1), cursor.id)) {
    return fail("the cursor is not one of this list; leave it out to begin anew");
  }
  return cursor;
}

}  // namespace weir
