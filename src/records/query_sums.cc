// Sums and series.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <unordered_map>
#include <utility>

#include "records/queries.h"
#include "records/query_support.h"
#include "records/store_impl.h"

namespace weir {
namespace {

struct Grouping {
  SumBy by;
  std::string_view word;
  std::string_view column;  // of `usage` and, but for agent and run, of `usage_hours`; empty: from the time
};
constexpr Grouping kGroupings[] = {
    {SumBy::kAll, "all", ""},
    {SumBy::kKey, "key", "key"},
    {SumBy::kTenant, "tenant", "tenant"},
    {SumBy::kUser, "user", "user"},
    {SumBy::kTier, "tier", "tier"},
    {SumBy::kModel, "model", "model"},
    {SumBy::kProvider, "provider", "provider"},
    {SumBy::kAgent, "agent", "agent"},
    {SumBy::kRun, "run", "run"},
    {SumBy::kUtcDay, "day", ""},
    {SumBy::kUtcHour, "hour", ""},
};
std::string_view column_of(SumBy by) {
  return kGroupings[static_cast<std::size_t>(by)].column;
}

constexpr std::string_view kHourSums =
    "requests, input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, usd_micros, "
    "reserved_tokens, tool_calls";
constexpr std::string_view kHourSumsSummed =
    "sum(requests), sum(input_tokens), sum(output_tokens), sum(cached_tokens), sum(cache_write_tokens), "
    "sum(reasoning_tokens), sum(usd_micros), sum(reserved_tokens), sum(tool_calls)";
constexpr std::string_view kRowSums =
    "1, input_uncached + cache_read + cache_write + cache_write_1h, output_visible + reasoning, cache_read, "
    "cache_write + cache_write_1h, reasoning, usd_micros, reserved_tokens, tool_calls";

void read_sums(const Statement& s, int at, UsageSum& sum) {
  for (std::int64_t UsageSum::* number : kUsageSums) sum.*number += s.integer(at++);
}

void add(UsageSum& to, const UsageSum& from) {
  for (std::int64_t UsageSum::* number : kUsageSums) to.*number += from.*number;
}

bool needs_rows(const UsageFilter& filter, SumBy by) {
  return by == SumBy::kAgent || by == SumBy::kRun || !filter.agent.empty() || !filter.run.empty() ||
         !filter.conversation.empty();
}

std::string group_of_time(SumBy by, std::int64_t hour) {
  if (by == SumBy::kAll) return "all";
  const std::string text = format_rfc3339(hour * kHour);
  return by == SumBy::kUtcDay ? text.substr(0, 10) : text;
}

bool larger(const UsageSum& a, const UsageSum& b) {
  if (a.usd_micros != b.usd_micros) return a.usd_micros > b.usd_micros;
  return a.requests != b.requests ? a.requests > b.requests : a.group < b.group;
}

}  // namespace

std::optional<SumBy> sum_by_from(std::string_view word) {
  const auto found =
      std::find_if(std::begin(kGroupings), std::end(kGroupings), [&](const Grouping& g) { return g.word == word; });
  if (found == std::end(kGroupings) || found->by == SumBy::kAll) return std::nullopt;
  return found->by;
}

// Takes what is read: the sum for `s`, whose columns are hour, group (unless it comes from the hour) and the sums.
struct RecordQueries::Sink {
  std::function<void(std::int64_t hour, std::string_view group, const Statement& s, int at)> take;
};

Result<void> RecordQueries::sum_hours(const UsageFilter& filter, std::int64_t first, std::int64_t end, SumBy by,
                                      Sink& sink) {
  const std::string_view column = column_of(by);
  Conditions where;
  std::string from = "usage_hours";
  if (filter.key.empty()) {
    where.add("hour >= ? AND hour < ?", {first, end});
  } else {
    // Hours begin the table's key: asked for one by one, each is a look at that key's rows instead of all.
    from = "h CROSS JOIN usage_hours ON hour = at";
  }
  names_of(where, filter);
  std::string sql = fmt::format("SELECT hour, {}, {} FROM {} WHERE {}", column.empty() ? "''" : column,
                                column.empty() ? kHourSumsSummed : kHourSums, from, where.text());
  if (column.empty()) sql += " GROUP BY hour";
  if (!filter.key.empty()) {
    const auto bounds = hour_bounds(impl_.db);
    if (!bounds) return {};
    first = std::max(first, bounds->first);
    end = std::min(end, bounds->second + 1);
    if (first >= end) return {};
    sql = fmt::format("WITH RECURSIVE h(at) AS (VALUES({}) UNION ALL SELECT at + 1 FROM h WHERE at + 1 < {}) {}", first,
                      end, sql);
  }
  return each_row(impl_.db, sql, where, [&](const Statement& s) { sink.take(s.integer(0), s.view(1), s, 2); });
}

Result<void> RecordQueries::sum_rows(const UsageFilter& filter, SumBy by, Sink& sink) {
  const std::string_view column = column_of(by);
  Conditions where;
  where.add("time >= ? AND time < ?", {filter.since, filter.until});
  names_of(where, filter);
  where.equals("agent", filter.agent);
  where.equals("run", filter.run);
  where.equals("conversation", filter.conversation);
  const std::string sql =
      fmt::format("SELECT time, {}, {} FROM usage WHERE {}", column.empty() ? "''" : column, kRowSums, where.text());
  return each_row(impl_.db, sql, where, [&](const Statement& s) { sink.take(s.integer(0) / kHour, s.view(1), s, 2); });
}

// Days that are summed as such, hours between them. A key's hours are few: it needs no days.
Result<void> RecordQueries::sum_whole(const UsageFilter& filter, std::int64_t first, std::int64_t end, SumBy by,
                                      bool days, Sink& sink) {
  const std::int64_t first_day = (first + 23) / 24, end_day = end / 24;
  if (!days || !filter.key.empty() || first_day >= end_day) return sum_hours(filter, first, end, by, sink);
  Conditions where;
  where.add("day >= ? AND day < ?", {first_day, end_day});
  std::vector<std::int64_t> summed;
  if (auto read = each_row(impl_.db, "SELECT day FROM days_summed WHERE " + where.text() + " ORDER BY day", where,
                           [&](const Statement& s) { summed.push_back(s.integer(0)); });
      !read) {
    return read;
  }
  for (const std::int64_t day : summed) {
    if (first < day * 24) {
      if (auto read = sum_hours(filter, first, day * 24, by, sink); !read) return read;
    }
    first = (day + 1) * 24;
  }
  if (first < end) {
    if (auto read = sum_hours(filter, first, end, by, sink); !read) return read;
  }
  const std::string_view column = column_of(by);
  names_of(where, filter);
  const std::string sql =
      fmt::format("SELECT day * 24, {}, {} FROM days_summed CROSS JOIN usage_days USING (day) WHERE {}{}",
                  column.empty() ? "''" : column, column.empty() ? kHourSumsSummed : kHourSums, where.text(),
                  column.empty() ? " GROUP BY day" : "");
  return each_row(impl_.db, sql, where, [&](const Statement& s) { sink.take(s.integer(0), s.view(1), s, 2); });
}

// Whole hours from their sums; what of an hour lies outside the range makes its rows be read, if there are any outside.
Result<void> RecordQueries::sum_range(const UsageFilter& filter, SumBy by, bool days, Sink& sink) {
  if (needs_rows(filter, by)) return sum_rows(filter, by, sink);
  Statement any = impl_.db.prepare("SELECT 1 FROM usage WHERE time >= ?1 AND time < ?2 LIMIT 1");
  if (!any) return question_failed(impl_.db);
  const auto empty = [&](TimeNs since, TimeNs until) {
    any.bind_all(since, until);
    const bool none = since >= until || (!any.next() && !any.failed());
    any.reset();
    return none;
  };
  std::int64_t first = filter.since / kHour, end = (filter.until - 1) / kHour + 1;
  if (!empty(first * kHour, filter.since)) {
    UsageFilter head = filter;
    head.until = std::min(filter.until, ++first * kHour);
    if (auto read = sum_rows(head, by, sink); !read) return read;
  }
  const TimeNs last = (filter.until - 1) / kHour * kHour;
  const TimeNs last_end = last + std::min(kHour, std::numeric_limits<TimeNs>::max() - last);  // `until` may be the end
  if (first < end && !empty(filter.until, last_end)) {
    UsageFilter tail = filter;
    tail.since = std::max(filter.since, last);
    --end;
    if (auto read = sum_rows(tail, by, sink); !read) return read;
  }
  return first < end ? sum_whole(filter, first, end, by, days, sink) : Result<void>{};
}

Result<UsageSums> RecordQueries::usage_sums(const UsageFilter& filter, SumBy by, std::size_t top) {
  const QueryBound bound(impl_.db, most_steps_);
  ReadTransaction snapshot(impl_.db);
  if (auto begun = snapshot.begin(); !begun) return std::unexpected(begun.error());
  std::unordered_map<std::string, UsageSum> groups;
  UsageSum untold;  // of groups beyond kMaxSumGroups
  std::int64_t untold_groups = 0;
  std::string name;
  const bool by_time = column_of(by).empty();
  Sink sink{[&](std::int64_t hour, std::string_view group, const Statement& s, int at) {
    name = by_time ? group_of_time(by, hour) : std::string(group);
    const auto known = groups.find(name);
    if (known == groups.end() && groups.size() >= kMaxSumGroups) {
      ++untold_groups;
      read_sums(s, at, untold);
    } else {
      read_sums(s, at, known == groups.end() ? groups[name] : known->second);
    }
  }};
  if (auto read = sum_range(filter, by, by != SumBy::kUtcHour, sink); !read) return std::unexpected(read.error());
  UsageSums out;
  out.sums.reserve(groups.size());
  for (auto& [group, sum] : groups) {
    add(out.total, sum);
    sum.group = group;
    out.sums.push_back(std::move(sum));
  }
  add(out.total, untold);
  std::sort(out.sums.begin(), out.sums.end(), larger);
  UsageSum rest = untold;
  out.others = untold_groups;
  for (; out.sums.size() > top; out.sums.pop_back(), ++out.others) add(rest, out.sums.back());
  if (out.others > 0) out.sums.push_back(std::move(rest));
  return out;
}

Result<UsageSeries> RecordQueries::usage_series(const UsageFilter& filter, SumBy by, DurationNs step, std::size_t top) {
  UsageFilter whole = filter;
  whole.since = filter.since / step * step;
  UsageSeries series;
  for (TimeNs at = whole.since; at < whole.until; at += step) {
    if (series.times.size() * (top + 1) >= kMaxSeriesPoints) {
      return fail("a series has at most " + std::to_string(kMaxSeriesPoints) +
                  " points; narrow the range, ask for days or for fewer groups");
    }
    series.times.push_back(at);
  }
  // The one group of everything needs no reading to be known.
  Result<UsageSums> sums = UsageSums{};
  if (by == SumBy::kAll) {
    sums->sums.push_back({.group = "all"});
  } else {
    sums = usage_sums(whole, by, top);
  }
  if (!sums) return std::unexpected(sums.error());
  std::unordered_map<std::string, std::size_t> places;
  for (const UsageSum& sum : sums->sums) {
    const bool rest = sums->others > 0 && &sum == &sums->sums.back();
    SeriesGroup& group = series.groups.emplace_back();
    group.group = sum.group;
    group.rest = rest;
    for (auto* values : {&group.requests, &group.tokens, &group.usd_micros}) values->resize(series.times.size());
    if (!rest) places.emplace(sum.group, series.groups.size() - 1);
  }
  const QueryBound bound(impl_.db, most_steps_);
  ReadTransaction snapshot(impl_.db);
  if (auto begun = snapshot.begin(); !begun) return std::unexpected(begun.error());
  const bool by_time = column_of(by).empty();
  Sink sink{[&](std::int64_t hour, std::string_view name, const Statement& s, int at) {
    const auto known = places.find(by_time ? group_of_time(by, hour) : std::string(name));
    const auto index = static_cast<std::size_t>((hour * kHour - whole.since) / step);
    // Between the two readings somebody may have come who was not there.
    if (index >= series.times.size() || (known == places.end() && !series.groups.back().rest)) return;
    SeriesGroup& group = known == places.end() ? series.groups.back() : series.groups[known->second];
    UsageSum sum;
    read_sums(s, at, sum);
    group.requests[index] += sum.requests;
    group.tokens[index] += sum.input_tokens + sum.output_tokens;
    group.usd_micros[index] += sum.usd_micros;
  }};
  if (!series.groups.empty()) {
    if (auto read = sum_range(whole, by, step % kDay == 0 && by != SumBy::kUtcHour, sink); !read)
      return std::unexpected(read.error());
  }
  if (auto read = add_refusals(whole, by, step, series); !read) return std::unexpected(read.error());
  return series;
}

// Refusals are known by key only: of other groups and filters nothing is told.
Result<void> RecordQueries::add_refusals(const UsageFilter& filter, SumBy by, DurationNs step, UsageSeries& series) {
  UsageFilter names = filter;
  names.key.clear();
  Conditions others;
  names_of(others, names);
  if ((by != SumBy::kAll && by != SumBy::kKey) || others.text() != "1" || needs_rows(filter, by)) return {};
  std::unordered_map<std::string, SeriesGroup*> places;
  for (SeriesGroup& group : series.groups) {
    group.refused.resize(series.times.size());
    if (!group.rest) places.emplace(group.group, &group);
  }
  Conditions where;
  where.add("hour >= ? AND hour <= ? AND shadow = 0", {filter.since / kHour, (filter.until - 1) / kHour});
  where.equals("key", filter.key);
  const std::string sql = fmt::format("SELECT hour, {}, count FROM refusal_hours WHERE {}",
                                      by == SumBy::kAll ? "'all'" : "key", where.text());
  return each_row(impl_.db, sql, where, [&](const Statement& s) {
    const auto index = static_cast<std::size_t>((s.integer(0) * kHour - series.times[0]) / step);
    const auto known = places.find(s.text(1));
    SeriesGroup* group = known != places.end() ? known->second : nullptr;
    if (group == nullptr && !series.groups.empty() && series.groups.back().rest) group = &series.groups.back();
    if (group != nullptr && index < series.times.size()) group->refused[index] += s.integer(2);
  });
}

Result<std::vector<AuditCount>> RecordQueries::audit_sums(TimeNs since, TimeNs until, AuditBy by, bool decisions) {
  constexpr std::string_view kColumns[] = {"limit_name", "layer", "key", "event"};
  const QueryBound bound(impl_.db, most_steps_);
  Conditions where;
  where.add("time >= ? AND time < ? AND event <> ?",
            {since, until, decisions ? static_cast<std::int64_t>(AuditEvent::kAdmin) : -1});
  const std::string sql =
      fmt::format("SELECT {}, count FROM audit WHERE {}", kColumns[static_cast<std::size_t>(by)], where.text());
  std::unordered_map<std::string, std::int64_t> counts;
  std::string name;
  const auto read = each_row(impl_.db, sql, where, [&](const Statement& s) {
    name = by == AuditBy::kEvent ? std::string(to_string(static_cast<AuditEvent>(s.integer(0)))) : s.text(0);
    if (counts.size() >= kMaxSumGroups && !counts.contains(name)) name = "other";
    counts[name] += s.integer(1);
  });
  if (!read) return std::unexpected(read.error());
  std::vector<AuditCount> all;
  for (auto& [group, count] : counts) all.push_back({group, count});
  std::sort(all.begin(), all.end(), [](const AuditCount& a, const AuditCount& b) {
    return a.count != b.count ? a.count > b.count : a.group < b.group;
  });
  return all;
}

// Hours of summed days have a sum for each tenant, others one for each key and model.
Result<std::vector<HourSpend>> RecordQueries::spend_by_hour(TimeNs since, TimeNs until, std::string_view tenant) {
  const QueryBound bound(impl_.db, most_steps_);
  const auto bounds = hour_bounds(impl_.db);
  std::vector<HourSpend> hours;
  if (!bounds) return hours;
  const std::int64_t first = std::max(since / kHour, bounds->first), end = std::min(until / kHour, bounds->second + 1);
  if (first >= end) return hours;
  Conditions where;
  where.equals("tenant", tenant);
  const std::string sql = fmt::format(
      "WITH RECURSIVE h(at) AS (VALUES({0}) UNION ALL SELECT at + 1 FROM h WHERE at + 1 < {1}) "
      "SELECT at, sum(usd_micros) FROM h CROSS JOIN spend_hours s ON s.hour = at "
      "WHERE at / 24 IN (SELECT day FROM days_summed) {2}GROUP BY at UNION ALL "
      "SELECT at, sum(usd_micros) FROM h CROSS JOIN usage_hours u ON u.hour = at "
      "WHERE at / 24 NOT IN (SELECT day FROM days_summed) {2}GROUP BY at ORDER BY 1",
      first, end, tenant.empty() ? "" : "AND tenant = ?1 ");
  const auto read =
      each_row(impl_.db, sql, where, [&](const Statement& s) { hours.push_back({s.integer(0), s.integer(1)}); });
  if (!read) return std::unexpected(read.error());
  return hours;
}

}  // namespace weir
