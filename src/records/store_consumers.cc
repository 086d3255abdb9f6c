// Consumers as a list to look through: filters, order, pages, and what each used lately.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/json_writer.h"
#include "base/strings.h"
#include "records/store_impl.h"

namespace weir {
namespace {

using Sort = ConsumerQuery::Sort;

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

// `pattern` is anywhere(query.search): a statement keeps no copy of a text.
void bind_filter(Statement& s, const ConsumerQuery& query, const std::string& pattern) {
  s.bind_all(pattern, query.tenant, query.tier, query.tier_is_default, query.kind ? static_cast<int>(*query.kind) : -1,
             query.status ? static_cast<int>(*query.status) : -1);
}

std::string page_sql(Sort sort) {
  std::string sql = fmt::format("SELECT {} FROM consumers c WHERE {} AND ", kConsumerColumns, kFilter);
  return sql + (sort == Sort::kName
                    ? "c.name > ?8 AND ?7 = ?7 ORDER BY c.name LIMIT ?9"
                    : "(c.created_at < ?7 OR (c.created_at = ?7 AND c.name > ?8)) ORDER BY c.created_at DESC, c.name "
                      "LIMIT ?9");
}

std::int64_t value_of(Sort sort, const RecentUse& use) {
  return sort == Sort::kRequests ? use.requests : sort == Sort::kTokens ? use.tokens : use.usd_micros;
}

}  // namespace

Result<std::vector<RecentUse>> Store::use_of_keys(std::span<const std::string> names, TimeNs since) {
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
      "SELECT k.key, r.refused FROM (SELECT key, sum(count) AS refused FROM refusal_hours WHERE hour >= ?2 AND "
      "shadow = 0 AND key IN (SELECT value FROM json_each(?1)) GROUP BY key) r JOIN json_each(?1) k ON k.value = "
      "r.key");
  if (!used || !refused) return impl_->error("cannot read sums of the ledger");
  used.bind_all(list, hour_of(since));
  refused.bind_all(list, hour_of(since));
  std::vector<RecentUse> all(names.size());
  while (used.next()) {
    RecentUse& use = all.at(static_cast<std::size_t>(used.integer(0)));
    use.requests = used.integer(1);
    use.tokens = used.integer(2);
    use.usd_micros = used.integer(3);
  }
  if (used.failed()) return impl_->error("cannot read sums of the ledger");
  while (refused.next()) {
    all.at(static_cast<std::size_t>(refused.integer(0))).refused = refused.integer(1);
  }
  if (refused.failed()) return impl_->error("cannot read sums of the ledger");
  return all;
}

// Read once for all pages and orders that are asked for within some seconds.
Result<void> Store::Impl::read_ranking(TimeNs since) {
  if (ranking.read && ranking.changes == db.total_changes() && since >= ranking.since &&
      since - ranking.since < kRankingHolds) {
    return {};
  }
  ranking.read = false;
  ranking.since = since;
  ranking.changes = db.total_changes();
  ranking.use.clear();  // keeps its buckets
  Statement s =
      db.prepare("SELECT key, requests, input_tokens + output_tokens, usd_micros FROM usage_hours WHERE hour >= ?1");
  if (!s) return error("cannot read sums of the ledger");
  s.bind(1, hour_of(since));
  std::string key;
  RecentUse* use = nullptr;  // of `key`: rows of one key follow each other
  while (s.next()) {
    if (use == nullptr || key != s.view(0)) {
      key.assign(s.view(0));
      if (ranking.use.size() >= kMaxRankedKeys && !ranking.use.contains(key)) continue;
      use = &ranking.use[key];
    }
    use->requests += s.integer(1);
    use->tokens += s.integer(2);
    use->usd_micros += s.integer(3);
  }
  if (s.failed()) return error("cannot read sums of the ledger");
  ranking.read = true;
  return {};
}

namespace {

struct Ranked {
  std::int64_t value = 0;
  std::string name;
  bool operator<(const Ranked& other) const { return value != other.value ? value > other.value : name < other.name; }
};

}  // namespace

Result<std::vector<std::string>> Store::Impl::names_by_use(const ConsumerQuery& query, std::int64_t value,
                                                           const std::string& after, std::int64_t& total) {
  if (auto read = read_ranking(query.since); !read) return std::unexpected(read.error());
  Statement s = db.prepare(fmt::format("SELECT name FROM consumers c WHERE {}", kFilter));
  if (!s) return error("cannot read consumers");
  const std::string pattern = anywhere(query.search);
  bind_filter(s, query, pattern);
  const Ranked from{.value = value, .name = after};
  std::vector<Ranked> heap;  // the best so far, the worst of them first
  Ranked next;
  for (total = 0; s.next(); ++total) {
    next.name.assign(s.view(0));
    const auto used = ranking.use.find(next.name);
    next.value = used == ranking.use.end() ? 0 : value_of(query.sort, used->second);
    if (!(from < next) || (heap.size() > query.page_size && !(next < heap.front()))) continue;
    heap.push_back(next);
    std::push_heap(heap.begin(), heap.end());
    if (heap.size() <= query.page_size + 1) continue;
    std::pop_heap(heap.begin(), heap.end());
    heap.pop_back();
  }
  if (s.failed()) return error("cannot read consumers");
  std::sort_heap(heap.begin(), heap.end());
  std::vector<std::string> names;
  for (Ranked& each : heap) names.push_back(std::move(each.name));
  return names;
}

Result<ConsumerPage> Store::Impl::consumers_by_use(const ConsumerQuery& query, std::int64_t value,
                                                   const std::string& after) {
  ConsumerPage page;
  const auto names = names_by_use(query, value, after, page.total);
  if (!names) return std::unexpected(names.error());
  const ResetAfter reset(find_consumer);
  for (const std::string& name : *names) {
    if (page.rows.size() == query.page_size) {
      const std::string& last = page.rows.back().consumer.name;
      const auto used = ranking.use.find(last);
      const std::int64_t at = used == ranking.use.end() ? 0 : value_of(query.sort, used->second);
      page.next = text_of(query.sort, {.value = at, .name = last});
      break;
    }
    find_consumer.reset();
    find_consumer.bind(1, std::string_view(name));
    if (!find_consumer.next()) return error("cannot read consumers");
    page.rows.push_back({.consumer = consumer_of(find_consumer), .use = {}});
  }
  return page;
}

Result<ConsumerPage> Store::Impl::consumers_in_order(const ConsumerQuery& query, std::int64_t value,
                                                     const std::string& after) {
  ConsumerPage page;
  Statement count = db.prepare(fmt::format("SELECT count(*) FROM consumers c WHERE {}", kFilter));
  Statement s = db.prepare(page_sql(query.sort));
  if (!count || !s) return error("cannot read consumers");
  const std::string pattern = anywhere(query.search);
  bind_filter(count, query, pattern);
  if (!count.next()) return error("cannot read consumers");
  page.total = count.integer(0);
  bind_filter(s, query, pattern);
  s.bind(7, value);
  s.bind(8, std::string_view(after));
  s.bind(9, static_cast<std::int64_t>(query.page_size) + 1);
  while (s.next()) {
    if (page.rows.size() == query.page_size) {
      const Consumer& last = page.rows.back().consumer;
      page.next = text_of(query.sort, {.value = query.sort == Sort::kCreated ? last.created_at : 0, .name = last.name});
      break;
    }
    page.rows.push_back({.consumer = consumer_of(s), .use = {}});
  }
  if (s.failed()) return error("cannot read consumers");
  return page;
}

Result<ConsumerPage> Store::consumer_page(const ConsumerQuery& query) {
  Cursor from{.value = std::numeric_limits<std::int64_t>::max(), .name = {}};
  if (!query.cursor.empty()) {
    auto read = cursor_from(query.sort, query.cursor);
    if (!read) return fail("`cursor` is not one of this list; begin without it");
    from = std::move(*read);
  }
  auto page = by_use(query.sort) ? impl_->consumers_by_use(query, from.value, from.name)
                                 : impl_->consumers_in_order(query, from.value, from.name);
  if (!page) return page;
  std::vector<std::string> names;
  for (const ConsumerPage::Row& row : page->rows) names.push_back(row.consumer.name);
  const auto use = use_of_keys(names, query.since);
  if (!use) return std::unexpected(use.error());
  for (std::size_t i = 0; i < page->rows.size(); ++i) page->rows[i].use = (*use)[i];
  return page;
}

Result<void> Store::note_change(const Change& change, std::string_view what, std::string_view attribute,
                                std::string_view name) {
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return begun;
  const auto done = impl_->commit_change(transaction, change, std::string(what), attribute, name);
  return done ? Result<void>() : std::unexpected(done.error());
}

Result<RecordCounts> Store::record_counts() {
  Statement s = impl_->db.prepare(
      "SELECT ifnull((SELECT max(id) FROM usage) - (SELECT min(id) FROM usage) + 1, 0), "
      "(SELECT kept FROM audit_chain WHERE id = 1)");
  if (!s || !s.next()) return impl_->error("cannot read the record store");
  return RecordCounts{.usage = s.integer(0), .audit = s.integer(1)};
}

}  // namespace weir
