// The ledger of Store: usage rows, journal positions, closed decisions. The audit is in store_audit.cc.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/time.h"
#include "records/hour_sums.h"
#include "records/store_impl.h"

namespace weir {
namespace {

constexpr std::string_view kUsageColumns =
    "time, request_id, key, tenant, user, tier, kind, conversation, run, agent, model, provider, route, status, "
    "input_uncached, cache_read, cache_write, output_visible, reasoning, audio_in, audio_out, usd_micros, "
    "reserved_tokens, tool_calls, degraded, attempts, settled, cache_write_1h, tool_units, tools, node, parent, "
    "depth";
static_assert(std::count(kUsageColumns.begin(), kUsageColumns.end(), ',') + 1 == kUsageColumnCount);

void bind_row(Statement& s, const UsageRow& row) {
  s.bind_all(row.time, row.request_id, row.key, row.tenant, row.user, row.tier, row.kind, row.conversation, row.run,
             row.agent, row.model, row.provider, row.route, row.status, row.usage.input_uncached, row.usage.cache_read,
             row.usage.cache_write, row.usage.output_visible, row.usage.reasoning, row.usage.audio_in,
             row.usage.audio_out, row.usd_micros, row.reserved_tokens, row.tool_calls, row.degraded, row.attempts,
             row.settled, row.usage.cache_write_1h, row.usage.tool_units, row.tools, row.node, row.parent, row.depth);
}

struct Grouping {
  UsageBy by;
  const char* name;
  const char* expression;
};
constexpr Grouping kGroupings[] = {
    {UsageBy::kKey, "key", "key"},       {UsageBy::kTenant, "tenant", "tenant"},
    {UsageBy::kUser, "user", "user"},    {UsageBy::kModel, "model", "model"},
    {UsageBy::kAgent, "agent", "agent"}, {UsageBy::kTool, "tool", nullptr},  // see sums_by_tool()
    {UsageBy::kRun, "run", "run"},       {UsageBy::kUtcDay, "day", "date(time / 1000000000, 'unixepoch')"},
};

}  // namespace

std::string_view usage_columns() {
  return kUsageColumns;
}

UsageRow usage_of(const Statement& s) {
  UsageRow row;
  read_usage(s, row);
  return row;
}

void read_usage(const Statement& s, UsageRow& row) {
  row.time = s.integer(0);
  std::string* const texts[] = {&row.request_id,   &row.key, &row.tenant, &row.user,  &row.tier,     &row.kind,
                                &row.conversation, &row.run, &row.agent,  &row.model, &row.provider, &row.route};
  int at = 1;
  for (std::string* text : texts) *text = s.view(at++);
  row.status = static_cast<std::int32_t>(s.integer(at++));
  std::int64_t* const numbers[] = {&row.usage.input_uncached, &row.usage.cache_read, &row.usage.cache_write,
                                   &row.usage.output_visible, &row.usage.reasoning,  &row.usage.audio_in,
                                   &row.usage.audio_out,      &row.usd_micros,       &row.reserved_tokens};
  for (std::int64_t* number : numbers) *number = s.integer(at++);
  row.tool_calls = static_cast<std::int32_t>(s.integer(at++));
  row.degraded = s.view(at++);
  row.attempts = static_cast<std::int32_t>(s.integer(at++));
  row.settled = static_cast<Settled>(s.integer(at++));
  row.usage.cache_write_1h = s.integer(at++);
  row.usage.tool_units = s.integer(at++);
  row.tools = s.view(at++);
  row.node = static_cast<std::uint32_t>(s.integer(at++));
  row.parent = static_cast<std::uint32_t>(s.integer(at++));
  row.depth = static_cast<std::int32_t>(s.integer(at));
}

std::string insert_sql(std::string_view table, std::string_view columns) {
  std::string places = "?";
  const auto commas = std::count(columns.begin(), columns.end(), ',');
  for (std::ptrdiff_t i = 0; i < commas; ++i) places += ", ?";
  return fmt::format("INSERT INTO {} ({}) VALUES ({})", table, columns, places);
}

std::string usage_insert_sql() {
  return insert_sql("usage", kUsageColumns);
}
std::string usage_replace_sql() {
  return "DELETE FROM usage WHERE time = ?1 AND request_id = ?2 AND key = ?3 AND route = ?4";
}
std::string closed_insert_sql() {
  return "INSERT OR REPLACE INTO closed_decisions (id, closed_at, how, admitted, answer) VALUES (?1, ?2, ?3, ?4, ?5)";
}

std::optional<UsageBy> usage_by_from(std::string_view name) {
  const auto found = std::find_if(std::begin(kGroupings), std::end(kGroupings),
                                  [&](const Grouping& grouping) { return grouping.name == name; });
  if (found == std::end(kGroupings)) return std::nullopt;
  return found->by;
}

const char* to_string(UsageBy by) {
  return kGroupings[static_cast<std::size_t>(by)].name;
}

Result<void> Store::usage(TimeNs since, const std::function<bool(const UsageRow&)>& row) {
  Statement s =
      impl_->db.prepare(fmt::format("SELECT {} FROM usage WHERE time >= ?1 ORDER BY time, id", kUsageColumns));
  if (!s) return impl_->error("cannot read the ledger");
  s.bind(1, since);
  UsageRow read;  // one for all: the names of most rows fit where those of the row before were
  while (s.next()) {
    read_usage(s, read);
    if (!row(read)) return {};
  }
  if (s.failed()) return impl_->error("cannot read the ledger");
  return {};
}

namespace {

void add_row(UsageSum& sum, const UsageRow& row, std::int64_t tool_calls) {
  ++sum.requests;
  sum.input_tokens += row.usage.input();
  sum.output_tokens += row.usage.output();
  sum.cached_tokens += row.usage.cache_read;
  sum.cache_write_tokens += row.usage.cache_write + row.usage.cache_write_1h;
  sum.reasoning_tokens += row.usage.reasoning;
  sum.usd_micros += row.usd_micros;
  sum.reserved_tokens += row.reserved_tokens;
  sum.tool_calls += tool_calls;
}

// A request that called two tools counts for both; calls whose tool the row does not name count for "". Names come from
// clients, so there may be any number: those beyond kMaxGroups are summed as "".
Result<std::vector<UsageSum>> sums_by_tool(Store& store, TimeNs since) {
  constexpr std::size_t kMaxGroups = 10'000;
  std::map<std::string, UsageSum> sums;
  const auto read = store.usage(since, [&](const UsageRow& row) {
    std::int64_t unnamed = row.tool_calls;
    for (ToolCount& tool : tool_counts(row.tools)) {
      unnamed -= tool.calls;
      const bool room = sums.size() < kMaxGroups || sums.contains(tool.name);
      add_row(sums[room ? std::move(tool.name) : std::string()], row, tool.calls);
    }
    if (unnamed > 0) add_row(sums[{}], row, unnamed);
    return true;
  });
  if (!read) return std::unexpected(read.error());
  std::vector<UsageSum> all;
  for (auto& [name, sum] : sums) {
    sum.group = name;
    all.push_back(std::move(sum));
  }
  return all;
}

}  // namespace

Result<std::vector<UsageSum>> Store::usage_sums(TimeNs since, UsageBy by) {
  if (by == UsageBy::kTool) return sums_by_tool(*this, since);
  Statement s = impl_->db.prepare(
      fmt::format("SELECT {} AS grouped, count(*), sum(input_uncached + cache_read + cache_write + cache_write_1h), "
                  "sum(output_visible + reasoning), sum(cache_read), sum(cache_write + cache_write_1h), "
                  "sum(reasoning), sum(usd_micros), sum(reserved_tokens), sum(tool_calls) FROM usage WHERE time >= ?1 "
                  "GROUP BY grouped ORDER BY grouped",
                  kGroupings[static_cast<std::size_t>(by)].expression));
  if (!s) return impl_->error("cannot read the ledger");
  s.bind(1, since);
  std::vector<UsageSum> sums;
  while (s.next()) {
    UsageSum& sum = sums.emplace_back();
    sum.group = s.text(0);
    for (int at = 1; std::int64_t UsageSum::* number : kUsageSums) sum.*number = s.integer(at++);
  }
  if (s.failed()) return impl_->error("cannot read the ledger");
  return sums;
}

// Summed here rather than by SQLite, whose grouping would sort all rows twice.
Result<std::vector<RecentRun>> Store::recent_runs(TimeNs since, std::size_t most_rows) {
  Statement s = impl_->db.prepare(
      "SELECT key, run, model <> '', tool_calls, input_uncached + cache_read + cache_write + cache_write_1h + "
      "output_visible + reasoning, usd_micros, time FROM usage WHERE time >= ?1 ORDER BY time DESC LIMIT ?2");
  if (!s) return impl_->error("cannot read the ledger");
  s.bind_all(since, most_rows);
  std::vector<RecentRun> runs;
  std::unordered_map<std::string, std::size_t> places;  // in `runs`, by key and run
  std::string name;
  while (s.next()) {
    const std::string_view run = s.view(1);
    if (run.empty()) continue;
    name.assign(run).append(1, '\0').append(s.view(0));
    auto found = places.find(name);
    if (found == places.end()) {
      if (runs.size() >= kMaxRecentRuns) continue;
      found = places.emplace(name, runs.size()).first;
      runs.push_back({.key = s.text(0), .run = s.text(1), .last = s.integer(6)});
    }
    RecentRun& sum = runs[found->second];
    sum.llm_calls += s.integer(2);
    sum.tool_calls += s.integer(3);
    sum.tokens += s.integer(4);
    sum.usd_micros += s.integer(5);
  }
  if (s.failed()) return impl_->error("cannot read the ledger");
  return runs;
}

Result<void> Store::Impl::book_usage(std::span<const UsageRow> rows) {
  const auto purged = purge_marks();
  if (!purged) return std::unexpected(purged.error());
  const auto too_late = [&](const UsageRow& row) { return !purged->empty() && purged->cover(row); };
  for (const UsageRow& row : rows) {
    if (row.route != kDecisionRoute || too_late(row)) continue;
    replace_usage.bind_all(row.time, row.request_id, row.key, row.route);
    bind_row(insert_usage, row);
    if (!replace_usage.run() || !insert_usage.run()) return error("cannot write the ledger");
  }
  // The triggers would look up a row of usage_hours for each of these; here those of one group are added at once.
  HourSums sums(noted_runs);
  const WithoutTriggers without(db);
  for (const UsageRow& row : rows) {
    if (row.route == kDecisionRoute || too_late(row)) continue;
    bind_row(insert_usage, row);
    if (!insert_usage.run_bound()) return error("cannot write the ledger");
    sums.add(row);
  }
  if (!sums.write(add_hours, reopen_day, add_run_hour)) return error("cannot write the ledger");
  return {};
}

Result<void> Store::book(std::span<const UsageRow> usage, std::span<const AuditRow> audit,
                         std::span<const DrainPosition> positions, std::span<const ClosedDecision> closed) {
  auto done = impl_->book(usage, audit, positions, closed);
  if (!done) impl_->noted_runs.forget();
  return done;
}

Result<void> Store::Impl::book(std::span<const UsageRow> usage, std::span<const AuditRow> audit,
                               std::span<const DrainPosition> positions, std::span<const ClosedDecision> closed) {
  Transaction transaction(db);
  if (auto begun = transaction.begin(); !begun) return begun;
  if (auto booked = book_usage(usage); !booked) return booked;
  if (auto appended = append_audit(audit); !appended) return appended;
  for (const ClosedDecision& each : closed) {
    put_closed.bind_all(each.id, each.at, each.how, each.admitted, each.answer);
    if (!put_closed.run()) return error("cannot write the ledger");
  }
  for (const DrainPosition& position : positions) {
    put_position.bind_all(position.sequence, position.offset);
    if (!put_position.run()) return error("cannot write the ledger");
  }
  return transaction.commit();
}

Result<void> Store::add_refusal_hours(std::span<const RefusalHour> counts) {
  if (counts.empty()) return {};
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return begun;
  Statement s = impl_->db.prepare(
      "INSERT INTO refusal_hours VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
      "ON CONFLICT DO UPDATE SET count = count + excluded.count");
  if (!s) return impl_->error("cannot write the ledger");
  for (const RefusalHour& each : counts) {
    s.bind_all(each.hour, each.limit, each.layer, each.key, each.shadow, each.count);
    if (!s.run()) return impl_->error("cannot write the ledger");
  }
  return transaction.commit();
}

Result<std::size_t> Store::sum_days(TimeNs now, std::size_t most) {
  Transaction transaction(impl_->db);
  Statement next = impl_->db.prepare(
      "WITH RECURSIVE d(day) AS (SELECT (SELECT min(hour) FROM usage_hours) / 24 UNION ALL SELECT day + 1 FROM d "
      "WHERE day + 1 < ?1) SELECT day FROM d WHERE day < ?1 AND day NOT IN (SELECT day FROM days_summed) LIMIT 1");
  Statement clear = impl_->db.prepare("DELETE FROM usage_days WHERE day = ?1");
  Statement sum = impl_->db.prepare(
      "INSERT INTO usage_days SELECT ?1, key, tenant, user, tier, kind, model, provider, sum(requests), "
      "sum(input_tokens), sum(output_tokens), sum(cached_tokens), sum(cache_write_tokens), sum(reasoning_tokens), "
      "sum(usd_micros), sum(reserved_tokens), sum(tool_calls) FROM usage_hours WHERE hour >= ?1 * 24 AND "
      "hour < (?1 + 1) * 24 GROUP BY key, tenant, user, tier, kind, model, provider");
  Statement clear_spend = impl_->db.prepare("DELETE FROM spend_hours WHERE hour >= ?1 * 24 AND hour < (?1 + 1) * 24");
  Statement spend = impl_->db.prepare(
      "INSERT INTO spend_hours SELECT hour, tenant, sum(usd_micros) FROM usage_hours WHERE hour >= ?1 * 24 AND "
      "hour < (?1 + 1) * 24 GROUP BY hour, tenant");
  Statement done = impl_->db.prepare("INSERT INTO days_summed VALUES (?1)");
  if (!next || !clear || !sum || !clear_spend || !spend || !done) return impl_->error("cannot sum the ledger");
  std::size_t days = 0;
  for (; days < most; ++days) {
    next.bind(1, now / kDay);
    const bool found = next.next() && !next.is_null(0);
    const std::int64_t day = found ? next.integer(0) : 0;
    next.reset();
    if (!found) break;
    if (days == 0) {
      if (auto begun = transaction.begin(); !begun) return std::unexpected(begun.error());
    }
    for (Statement* s : {&clear, &sum, &clear_spend, &spend, &done}) {
      s->bind(1, day);
      if (!s->run()) return impl_->error("cannot sum the ledger");
    }
  }
  if (days == 0) return days;
  if (auto committed = transaction.commit(); !committed) return std::unexpected(committed.error());
  return days;
}

Result<void> Store::closed_decisions(TimeNs since, const std::function<bool(const ClosedDecision&)>& each) {
  Statement s = impl_->db.prepare(
      "SELECT id, closed_at, how, admitted, answer FROM closed_decisions WHERE closed_at >= ?1 ORDER BY closed_at");
  if (!s) return impl_->error("cannot read the ledger");
  s.bind(1, since);
  while (s.next()) {
    ClosedDecision closed{
        .at = s.integer(1), .how = static_cast<ClosedHow>(s.integer(2)), .admitted = s.text(3), .answer = s.text(4)};
    const std::string id = s.text(0);
    if (id.size() != sizeof closed.id) continue;
    std::memcpy(&closed.id, id.data(), sizeof closed.id);
    if (!each(closed)) return {};
  }
  if (s.failed()) return impl_->error("cannot read the ledger");
  return {};
}

Result<std::size_t> Store::purge_closed_decisions(TimeNs before, std::size_t most) {
  Statement s = impl_->db.prepare(
      "DELETE FROM closed_decisions WHERE id IN (SELECT id FROM closed_decisions WHERE closed_at < ?1 LIMIT ?2)");
  if (!s) return impl_->error("cannot write the ledger");
  s.bind_all(before, most);
  if (!s.run()) return impl_->error("cannot write the ledger");
  return static_cast<std::size_t>(impl_->db.changes());
}

Result<std::vector<DrainPosition>> Store::positions() {
  Statement s = impl_->db.prepare("SELECT sequence, position FROM drained ORDER BY sequence");
  if (!s) return impl_->error("cannot read the ledger");
  std::vector<DrainPosition> all;
  while (s.next()) {
    all.push_back(
        {.sequence = static_cast<std::uint64_t>(s.integer(0)), .offset = static_cast<std::uint64_t>(s.integer(1))});
  }
  if (s.failed()) return impl_->error("cannot read the ledger");
  return all;
}

Result<void> Store::forget_positions(std::span<const std::uint64_t> sequences) {
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return begun;
  Statement s = impl_->db.prepare("DELETE FROM drained WHERE sequence = ?1");
  if (!s) return impl_->error("cannot write the ledger");
  for (const std::uint64_t sequence : sequences) {
    s.bind(1, static_cast<std::int64_t>(sequence));
    if (!s.run()) return impl_->error("cannot write the ledger");
  }
  return transaction.commit();
}

}  // namespace weir
