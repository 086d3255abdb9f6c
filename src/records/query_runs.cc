// Runs, put together from their requests. The index by time, key and run is read backwards and the rows of runs that
// are shown are looked up: an index by run would cost every booking more than these questions are worth. In which hours
// one run has rows is known.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "records/query_support.h"
#include "records/store_impl.h"

namespace weir {

struct RecordQueries::Life {
  std::string key, run;
  TimeNs first = 0;
  Cursor last = {};
  std::int64_t usd_micros = 0;
  bool flagged = false, agrees = false, judged = false, wanted = false;
  std::vector<std::int64_t> ids = {};  // of its rows, newest first
};

namespace {

constexpr char kRunsCursor = 'r', kRankCursor = 'c';

std::string name_of(std::string_view key, std::string_view run) {
  return std::string(run).append(1, '\0').append(key);
}

bool is_before(const Cursor& a, const Cursor& b) {
  return a.time < b.time || (a.time == b.time && a.id < b.id);
}

// Saturates: `until` may be the end of time.
TimeNs later(TimeNs time, DurationNs by) {
  return time > std::numeric_limits<TimeNs>::max() - by ? std::numeric_limits<TimeNs>::max() : time + by;
}

}  // namespace

Result<void> RecordQueries::add_rows(const Life& life, RunSum& sum, std::vector<UsageRow>* calls) {
  Statement s = impl_.db.prepare(fmt::format("SELECT {} FROM usage WHERE id = ?1", usage_columns()));
  if (!s) return question_failed(impl_.db);
  sum.key = life.key, sum.run = life.run;
  sum.first = life.first, sum.last = life.last.time;
  for (const std::int64_t id : life.ids) {
    s.reset();
    s.bind(1, id);
    const bool found = s.next();
    if (s.failed()) return question_failed(impl_.db);
    if (!found) continue;
    UsageRow row = usage_of(s);
    ++sum.requests;
    sum.llm_calls += row.model.empty() ? 0 : 1;
    sum.tool_calls += row.tool_calls;
    sum.tokens += row.usage.total();
    sum.usd_micros += row.usd_micros;
    sum.depth = std::max(sum.depth, row.depth);
    sum.tenant = row.tenant, sum.user = row.user;
    if (!row.agent.empty()) sum.agent = row.agent;  // whoever began it
    if (calls != nullptr && calls->size() < kMaxQueryPage) calls->push_back(std::move(row));
  }
  if (calls != nullptr) std::ranges::reverse(*calls);
  return {};
}

// A break comes after the last request that was admitted.
Result<void> RecordQueries::add_flags(std::span<RunSum> runs, DurationNs idle) {
  if (runs.empty()) return {};
  TimeNs first = runs[0].first, last = runs[0].last;
  std::unordered_multimap<std::string, RunSum*> by_name;
  for (RunSum& run : runs) {
    first = std::min(first, run.first), last = std::max(last, run.last);
    by_name.emplace(name_of(run.key, run.run), &run);
  }
  Statement s = impl_.db.prepare(
      "SELECT DISTINCT limit_name, key, run, time FROM audit WHERE time >= ?1 AND time <= ?2 AND layer = 'breaker' AND "
      "run <> ''");
  if (!s) return question_failed(impl_.db);
  s.bind_all(first, later(last, idle));
  while (s.next()) {
    const auto [begin, end] = by_name.equal_range(name_of(s.text(1), s.text(2)));
    for (auto each = begin; each != end; ++each) {
      RunSum& run = *each->second;
      const TimeNs at = s.integer(3);
      const std::string flag = s.text(0);
      if (at < run.first || at > later(run.last, idle) || std::ranges::find(run.flags, flag) != run.flags.end()) {
        continue;
      }
      run.flags.push_back(flag);
    }
  }
  if (s.failed()) return question_failed(impl_.db);
  for (RunSum& run : runs) std::ranges::sort(run.flags);
  return {};
}

Result<std::vector<std::string>> RecordQueries::flagged_runs(const RunFilter& filter) {
  Statement s = impl_.db.prepare(
      fmt::format("SELECT DISTINCT key, run FROM audit WHERE time >= ?1 AND time < ?2 AND layer = 'breaker' AND "
                  "run <> '' LIMIT {}",
                  kMaxRunRows));
  if (!s) return question_failed(impl_.db);
  s.bind_all(filter.since, later(filter.until, filter.idle));
  std::vector<std::string> names;
  while (s.next()) names.push_back(name_of(s.text(0), s.text(1)));
  if (s.failed()) return question_failed(impl_.db);
  return names;
}

// The lives that rows belong to, found from the newest row to the oldest.
struct RecordQueries::RunScan {
  const RunFilter& filter;
  std::optional<Cursor> cursor;
  std::size_t size;
  std::unordered_set<std::string> flagged = {};  // names: an earlier life of one may be meant
  std::vector<Life> lives = {};                  // in the order in which they were last used
  std::unordered_map<std::string, std::size_t> places = {};
  std::size_t found = 0;
  std::optional<std::size_t> enough = {};  // no life beyond this one is of the page
  TimeNs touched = 0;                      // where one of the page's was seen
  TimeNs stopped_at = 0;                   // by cost: rows up to here were too many

  // A row of (time, id, key, run, agent, usd_micros). False: what is older changes nothing.
  bool take(const Statement& s) {
    const Cursor at{.time = s.integer(0), .id = s.integer(1)};
    if (enough && touched - at.time > filter.idle) return false;
    const std::string name = name_of(s.view(2), s.view(3));
    if (filter.flagged && !flagged.contains(name)) return true;
    auto place = places.find(name);
    if (place == places.end() || lives[place->second].first - at.time > filter.idle) {
      if (enough) return true;
      place = places.insert_or_assign(name, lives.size()).first;
      lives.push_back(
          {.key = s.text(2), .run = s.text(3), .first = at.time, .last = at, .flagged = flagged.contains(name)});
    }
    Life& life = lives[place->second];
    life.first = at.time;
    if (!enough || place->second <= *enough) touched = at.time;
    if (cursor && !is_before(life.last, *cursor)) return true;
    life.ids.push_back(at.id);
    life.usd_micros += s.integer(5);
    life.agrees |= filter.agent.empty() || s.view(4) == filter.agent;
    if (!life.wanted && life.agrees && (filter.single || life.flagged || life.ids.size() > 1)) {
      if (!life.judged) life.wanted = !filter.wanted || filter.wanted(life.key, life.run, life.last.time);
      life.judged = true;
      if (life.wanted && ++found > size && !enough) enough = lives.size() - 1;
    }
    return true;
  }

  // Without those that were shown.
  void rank(std::size_t shown) {
    std::ranges::stable_sort(lives, [](const Life& a, const Life& b) {
      return a.flagged != b.flagged ? a.flagged : a.usd_micros > b.usd_micros;
    });
    lives.erase(lives.begin(), lives.begin() + static_cast<std::ptrdiff_t>(std::min(shown, lives.size())));
  }
};

Result<void> RecordQueries::scan_runs(RunScan& scan) {
  const RunFilter& filter = scan.filter;
  // Runs of the pages before go on below the cursor: that far above it they were seen, if at all.
  const TimeNs from = scan.cursor ? std::min(filter.until, later(scan.cursor->time, filter.idle + 1)) : filter.until;
  Conditions where;
  where.add("time >= ? AND time < ? AND run <> ''", {filter.since, from});
  where.equals("key", filter.key);
  Statement s = impl_.db.prepare(fmt::format(
      "SELECT time, id, key, run, {}, {} FROM usage INDEXED BY usage_time WHERE {} ORDER BY time DESC, id DESC",
      filter.agent.empty() ? "''" : "agent", filter.by_cost ? "usd_micros" : "0", where.text()));
  if (!s) return question_failed(impl_.db);
  where.bind(s);
  std::size_t rows = 0;
  while (s.next()) {
    if (++rows > (filter.by_cost ? filter.ranked_rows : kMaxRunRows)) {
      if (!filter.by_cost) return fail(std::string(kReadsTooMuch));
      scan.stopped_at = s.integer(0);
      return {};
    }
    if (!scan.take(s)) return {};
  }
  if (s.failed()) return question_failed(impl_.db);
  return {};
}

Result<RunsPage> RecordQueries::runs(const RunFilter& filter, const PageAsk& ask) {
  const std::size_t size = std::clamp<std::size_t>(ask.size, 1, kMaxQueryPage);
  const char kind = filter.by_cost ? kRankCursor : kRunsCursor;
  RunScan scan{.filter = filter, .cursor = std::nullopt, .size = size};
  Cursor last;  // by cost: how many were shown
  if (!ask.cursor.empty()) {
    const auto read = cursor_from(kind, ask.cursor);
    if (!read) return std::unexpected(read.error());
    last = *read;
    if (!filter.by_cost) scan.cursor = *read;
  }
  const QueryBound bound(impl_.db, most_steps_);
  ReadTransaction snapshot(impl_.db);
  if (auto begun = snapshot.begin(); !begun) return std::unexpected(begun.error());
  if (filter.flagged || filter.by_cost || !filter.single) {
    const auto names = flagged_runs(filter);
    if (!names) return std::unexpected(names.error());
    scan.flagged.insert(names->begin(), names->end());
  }
  if (filter.by_cost) scan.size = filter.ranked_rows;
  if (auto scanned = scan_runs(scan); !scanned) return std::unexpected(scanned.error());
  std::erase_if(scan.lives, [](const Life& life) { return !life.wanted; });
  if (filter.by_cost) scan.rank(static_cast<std::size_t>(std::max<std::int64_t>(last.id, 0)));
  RunsPage page;
  page.ranked_since = scan.stopped_at;
  for (const Life& life : scan.lives) {
    if (page.runs.size() == size) {
      page.next = cursor_text(kind, last);
      break;
    }
    last = filter.by_cost ? Cursor{.id = last.id + 1} : life.last;
    if (auto added = add_rows(life, page.runs.emplace_back(), nullptr); !added) return std::unexpected(added.error());
  }
  if (auto added = add_flags(page.runs, filter.idle); !added) return std::unexpected(added.error());
  return page;
}

// Its newest row: nothing is found, and it stays as it was.
Result<void> RecordQueries::find_last(const RunFilter& filter, Life& life) {
  LedgerHours hours(impl_.db, {.since = filter.since, .until = filter.until, .run = life.run});
  while (life.last.id == 0) {
    const auto hour = hours.next();
    if (!hour) return std::unexpected(hour.error());
    if (!*hour) return {};
    Conditions where;
    where.add("time >= ? AND time < ? AND run = ?",
              {std::max(filter.since, **hour * kHour), std::min(filter.until, (**hour + 1) * kHour), life.run});
    where.equals("key", filter.key);
    Statement s = impl_.db.prepare(
        fmt::format("SELECT time, id, key FROM usage INDEXED BY usage_time WHERE {} ORDER BY time DESC, id DESC "
                    "LIMIT 1",
                    where.text()));
    if (!s) return question_failed(impl_.db);
    where.bind(s);
    const bool found = s.next();
    if (s.failed()) return question_failed(impl_.db);
    if (!found) continue;
    life.first = s.integer(0), life.key = s.text(2);
    life.last = {.time = life.first, .id = s.integer(1)};
  }
  return {};
}

// Newest first, back to where it was idle for too long.
Result<void> RecordQueries::find_life(const RunFilter& filter, Life& life) {
  if (auto found = find_last(filter, life); !found || life.last.id == 0) return found;
  TimeNs until = life.first + 1;
  for (std::size_t known = 0;; known = life.ids.size()) {
    const TimeNs from = std::max(filter.since, life.first - filter.idle);
    Statement s = impl_.db.prepare(
        "SELECT time, id FROM usage INDEXED BY usage_time WHERE time >= ?1 AND time < ?2 AND run = ?3 AND key = ?4 "
        "ORDER BY time DESC, id DESC");
    if (!s) return question_failed(impl_.db);
    s.bind_all(from, until, life.run, life.key);
    while (s.next()) {
      life.first = s.integer(0);
      life.ids.push_back(s.integer(1));
      if (life.ids.size() > kMaxRunRows) return fail(std::string(kReadsTooMuch));
    }
    if (s.failed()) return question_failed(impl_.db);
    if (life.ids.size() == known) return {};
    until = from;
  }
}

Result<std::optional<RunCalls>> RecordQueries::run(const RunFilter& filter, const std::string& name) {
  const QueryBound bound(impl_.db, most_steps_);
  ReadTransaction snapshot(impl_.db);
  if (auto begun = snapshot.begin(); !begun) return std::unexpected(begun.error());
  Life life{.key = filter.key, .run = name};
  if (auto found = find_life(filter, life); !found) return std::unexpected(found.error());
  if (life.ids.empty()) return std::nullopt;
  RunCalls out;
  if (auto added = add_rows(life, out.sum, &out.calls); !added) return std::unexpected(added.error());
  if (auto added = add_flags({&out.sum, 1}, filter.idle); !added) return std::unexpected(added.error());
  return out;
}

}  // namespace weir
