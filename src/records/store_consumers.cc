// Consumers as a list to look through: filters, order, pages, and what each used lately.
#include <fmt/format.h>

#include <limits>

#include "base/json_writer.h"
#include "base/strings.h"
#include "records/store_impl.h"

namespace weir {
namespace {

using Sort = ConsumerQuery::Sort;

// What rows are ordered by, the most first, before the name; empty: by name alone.
std::string value_of(Sort sort) {
  switch (sort) {
    case Sort::kName:
      return {};
    case Sort::kCreated:
      return "c.created_at";
    case Sort::kRequests:
      return "ifnull(u.requests, 0)";
    case Sort::kTokens:
      return "ifnull(u.tokens, 0)";
    case Sort::kUsd:
      break;
  }
  return "ifnull(u.usd_micros, 0)";
}

bool by_use(Sort sort) {
  return sort != Sort::kName && sort != Sort::kCreated;
}

// Sums are kept by the number of the hour since 1970.
std::int64_t hour_of(TimeNs since) {
  return since / kHour;
}

struct Cursor {
  std::int64_t value = 0;
  std::string name;
};

std::string text_of(Sort sort, const Cursor& at) {
  return fmt::format("{}.{}.{}", static_cast<int>(sort), at.value, at.name);
}

std::optional<Cursor> cursor_from(Sort sort, std::string_view text) {
  const std::string start = fmt::format("{}.", static_cast<int>(sort));
  if (!text.starts_with(start)) return std::nullopt;
  text.remove_prefix(start.size());
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos || dot + 1 == text.size()) return std::nullopt;
  const auto value = parse_decimal(text.substr(0, dot));
  if (!value) return std::nullopt;
  return Cursor{.value = *value, .name = std::string(text.substr(dot + 1))};
}

// "%a\\_b%": the text anywhere, with what LIKE takes for patterns escaped.
std::string anywhere(std::string_view text) {
  std::string out = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') out += '\\';
    out += c;
  }
  return out + "%";
}

constexpr std::string_view kFilter =
    "(?1 = '%%' OR c.name LIKE ?1 ESCAPE '\\' OR c.tenant LIKE ?1 ESCAPE '\\' OR c.user LIKE ?1 ESCAPE '\\') "
    "AND (?2 = '' OR c.tenant = ?2) AND (?3 = '' OR c.tier = ?3 OR (?4 AND c.tier = '')) "
    "AND (?5 < 0 OR c.kind = ?5) AND (?6 < 0 OR c.status = ?6)";

void bind_filter(Statement& s, const ConsumerQuery& query) {
  Binder(s)
      .text(anywhere(query.search))
      .text(query.tenant)
      .text(query.tier)
      .number(query.tier_is_default ? 1 : 0)
      .number(query.kind ? static_cast<std::int64_t>(*query.kind) : -1)
      .number(query.status ? static_cast<std::int64_t>(*query.status) : -1);
}

std::string page_sql(Sort sort) {
  const std::string value = value_of(sort);
  std::string sql = fmt::format("SELECT c.{}", kConsumerColumns);
  for (std::size_t at = 0; (at = sql.find(", ", at)) != std::string::npos; at += 4) sql.replace(at, 2, ", c.");
  sql += fmt::format(", {} FROM consumers c ", value.empty() ? "0" : value);
  if (by_use(sort)) {
    sql +=
        "LEFT JOIN (SELECT key, sum(requests) AS requests, sum(input_tokens + output_tokens) AS tokens, "
        "sum(usd_micros) AS usd_micros FROM usage_hours WHERE hour >= ?7 GROUP BY key) u ON u.key = c.name ";
  }
  sql += fmt::format("WHERE {} AND ", kFilter);
  sql += value.empty() ? "c.name > ?9 AND ?7 = ?7 AND ?8 = ?8"
                       : fmt::format("?7 = ?7 AND ({0} < ?8 OR ({0} = ?8 AND c.name > ?9))", value);
  return sql +
         (value.empty() ? " ORDER BY c.name LIMIT ?10" : fmt::format(" ORDER BY {} DESC, c.name LIMIT ?10", value));
}

}  // namespace

Result<std::vector<ConsumerUse>> Store::use_of_keys(std::span<const std::string> names, TimeNs since) {
  std::string list;
  JsonWriter json(list);
  json.begin_array();
  for (const std::string& name : names) json.string(name);
  json.end_array();
  // Hour by hour and key by key, so that the index finds each: few of 100,000 keys are asked for.
  Statement used = impl_->db.prepare(
      "WITH RECURSIVE hours(hour) AS (SELECT ?2 UNION ALL SELECT hour + 1 FROM hours WHERE hour < "
      "(SELECT ifnull(max(hour), 0) FROM usage_hours)) "
      "SELECT k.key, sum(requests), sum(input_tokens + output_tokens), sum(usd_micros) FROM json_each(?1) k "
      "CROSS JOIN hours CROSS JOIN usage_hours u ON u.hour = hours.hour AND u.key = k.value GROUP BY k.key");
  Statement refused = impl_->db.prepare(
      "SELECT k.key, sum(count) FROM refusal_hours r CROSS JOIN json_each(?1) k ON k.value = r.key "
      "WHERE hour >= ?2 AND shadow = 0 GROUP BY k.key");
  if (!used || !refused) return impl_->error("cannot read sums of the ledger");
  Binder(used).text(list).number(hour_of(since));
  Binder(refused).text(list).number(hour_of(since));
  std::vector<ConsumerUse> all(names.size());
  Statement::Outcome outcome = Statement::kDone;
  while ((outcome = used.step()) == Statement::kRow) {
    ConsumerUse& use = all.at(static_cast<std::size_t>(used.integer(0)));
    use.requests = used.integer(1);
    use.tokens = used.integer(2);
    use.usd_micros = used.integer(3);
  }
  if (outcome == Statement::kFailed) return impl_->error("cannot read sums of the ledger");
  while ((outcome = refused.step()) == Statement::kRow) {
    all.at(static_cast<std::size_t>(refused.integer(0))).refused = refused.integer(1);
  }
  if (outcome == Statement::kFailed) return impl_->error("cannot read sums of the ledger");
  return all;
}

Result<ConsumerPage> Store::consumer_page(const ConsumerQuery& query) {
  Cursor from{.value = std::numeric_limits<std::int64_t>::max(), .name = {}};
  if (!query.cursor.empty()) {
    auto read = cursor_from(query.sort, query.cursor);
    if (!read) return fail("`cursor` is not one of this list; begin without it");
    from = std::move(*read);
  }
  ConsumerPage page;
  Statement count = impl_->db.prepare(fmt::format("SELECT count(*) FROM consumers c WHERE {}", kFilter));
  Statement s = impl_->db.prepare(page_sql(query.sort));
  if (!count || !s) return impl_->error("cannot read consumers");
  bind_filter(count, query);
  if (count.step() != Statement::kRow) return impl_->error("cannot read consumers");
  page.total = count.integer(0);
  bind_filter(s, query);
  s.bind(7, hour_of(query.since));
  s.bind(8, from.value);
  s.bind(9, std::string_view(from.name));
  s.bind(10, static_cast<std::int64_t>(query.page_size) + 1);
  Statement::Outcome outcome = Statement::kDone;
  std::int64_t last_value = 0;
  while ((outcome = s.step()) == Statement::kRow) {
    if (page.rows.size() == query.page_size) {
      page.next = text_of(query.sort, {.value = last_value, .name = page.rows.back().consumer.name});
      break;
    }
    last_value = s.integer(10);
    page.rows.push_back({.consumer = consumer_of(s), .use = {}});
  }
  if (outcome == Statement::kFailed) return impl_->error("cannot read consumers");
  std::vector<std::string> names;
  for (const ConsumerPage::Row& row : page.rows) names.push_back(row.consumer.name);
  const auto use = use_of_keys(names, query.since);
  if (!use) return std::unexpected(use.error());
  for (std::size_t i = 0; i < page.rows.size(); ++i) page.rows[i].use = (*use)[i];
  return page;
}

Result<void> Store::note_change(const Change& change, std::string_view what, std::string_view attribute,
                                std::string_view name) {
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return begun;
  if (auto noted = impl_->append_change(change, std::string(what), attribute, name, {}); !noted) return noted;
  return transaction.commit();
}

Result<RecordCounts> Store::record_counts() {
  Statement s = impl_->db.prepare(
      "SELECT ifnull((SELECT max(id) FROM usage) - (SELECT min(id) FROM usage) + 1, 0), "
      "(SELECT kept FROM audit_chain WHERE id = 1)");
  if (!s || s.step() != Statement::kRow) return impl_->error("cannot read the record store");
  return RecordCounts{.usage = s.integer(0), .audit = s.integer(1)};
}

}  // namespace weir
