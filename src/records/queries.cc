// Pages of rows.
#include "records/queries.h"

#include <fmt/format.h>

#include <algorithm>

#include "records/query_support.h"
#include "records/store_impl.h"

namespace weir {
namespace {

constexpr char kUsageCursor = 'u', kAuditCursor = 'a';

Conditions range_of(TimeNs since, TimeNs until) {
  Conditions where;
  where.add("time >= ? AND time < ?", {since, until});
  return where;
}

void continue_after(Conditions& where, const std::optional<Cursor>& cursor) {
  if (cursor) where.add("time <= ? AND (time < ? OR id < ?)", {cursor->time, cursor->time, cursor->id});
}

}  // namespace

Result<UsagePage> RecordQueries::usage(const UsageFilter& filter, const PageAsk& ask) {
  std::optional<Cursor> cursor;
  if (!ask.cursor.empty()) {
    const auto read = cursor_from(kUsageCursor, ask.cursor);
    if (!read) return std::unexpected(read.error());
    cursor = *read;
  }
  const std::size_t size = std::clamp<std::size_t>(ask.size, 1, kMaxQueryPage);
  const QueryBound bound(impl_.db, most_steps_);
  ReadTransaction snapshot(impl_.db);
  if (auto begun = snapshot.begin(); !begun) return std::unexpected(begun.error());
  LedgerHours hours(impl_.db, filter);
  if (cursor) hours.before(cursor->time);
  UsagePage page;
  Cursor last;
  while (page.rows.size() <= size) {
    const auto hour = hours.next();
    if (!hour) return std::unexpected(hour.error());
    if (!*hour) return page;
    Conditions where = range_of(std::max(filter.since, **hour * kHour), std::min(filter.until, (**hour + 1) * kHour));
    continue_after(where, cursor);
    names_of(where, filter);
    where.equals("agent", filter.agent);
    where.equals("run", filter.run);
    where.equals("conversation", filter.conversation);
    Statement s = impl_.db.prepare(fmt::format("SELECT {}, id FROM usage WHERE {} ORDER BY time DESC, id DESC LIMIT {}",
                                               usage_columns(), where.text(), size + 1 - page.rows.size()));
    if (!s) return question_failed(impl_.db);
    where.bind(s);
    while (s.next()) {
      if (page.rows.size() == size) {
        page.next = cursor_text(kUsageCursor, last);
        return page;
      }
      page.rows.push_back(usage_of(s));
      last = {.time = page.rows.back().time, .id = s.integer(kUsageColumnCount)};
    }
    if (s.failed()) return question_failed(impl_.db);
  }
  return page;
}

Result<AuditPage> RecordQueries::audit(const AuditFilter& filter, const PageAsk& ask) {
  Conditions where = range_of(filter.since, filter.until);
  if (!ask.cursor.empty()) {
    const auto read = cursor_from(kAuditCursor, ask.cursor);
    if (!read) return std::unexpected(read.error());
    continue_after(where, *read);
  }
  if (filter.event) where.add("event = ?", {static_cast<std::int64_t>(*filter.event)});
  if (filter.decisions) where.add("event <> ?", {static_cast<std::int64_t>(AuditEvent::kAdmin)});
  where.equals("layer", filter.layer);
  where.equals("limit_name", filter.limit);
  where.equals("user", filter.user);
  where.equals("tool", filter.tool);
  where.equals("request_id", filter.request_id);
  if (!filter.run.empty()) where.add("run = ? AND run <> ''", {filter.run});  // the index has no rows without one
  if (!filter.key.empty()) {
    // An operator's row has no caller: the key that was changed is in `per`.
    where.add(fmt::format("(key = ? OR (event = {} AND json_valid(per) AND json_extract(per, '$.key') = ?))",
                          static_cast<int>(AuditEvent::kAdmin)),
              {filter.key, filter.key});
  }
  const std::size_t size = std::clamp<std::size_t>(ask.size, 1, kMaxQueryPage);
  const QueryBound bound(impl_.db, most_steps_);
  Statement s = impl_.db.prepare(fmt::format("SELECT {}, id FROM audit WHERE {} ORDER BY time DESC, id DESC LIMIT {}",
                                             audit_columns(), where.text(), size + 1));
  if (!s) return question_failed(impl_.db);
  where.bind(s);
  AuditPage page;
  Cursor last;
  while (s.next()) {
    if (page.rows.size() == size) {
      page.next = cursor_text(kAuditCursor, last);
      return page;
    }
    page.rows.push_back(audit_of(s));
    last = {.time = page.rows.back().time, .id = s.integer(kAuditColumnCount)};
  }
  if (s.failed()) return question_failed(impl_.db);
  return page;
}

}  // namespace weir
