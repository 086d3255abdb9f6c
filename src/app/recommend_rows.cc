#include "app/recommend_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "app/trace_file.h"
#include "records/store.h"
#include "replay/agent_trace.h"
#include "replay/recommend_clock.h"

namespace weir {
namespace {

// Views of `from`.
TraceRow trace_row(const UsageRow& from) {
  TraceRow row;
  row.time = from.time;
  row.tenant = from.tenant;
  row.conversation = from.conversation;
  row.model = from.model;
  row.key = from.key;
  row.user = from.user;
  row.tier = from.tier;
  row.kind = from.kind;
  row.run = from.run;
  row.agent = from.agent;
  row.route = from.route;
  row.input_tokens = std::min(from.usage.input(), kMaxRowTokens);
  row.cached_tokens = std::min(from.usage.cache_read, row.input_tokens);
  row.output_tokens = std::min(from.usage.output(), kMaxRowOutput);
  return row;
}

Result<void> each_of_trace(const std::string& path, TraceClock& clock, RecordedKeys& keys, Progress& progress,
                           std::string_view what, const RecordedRows::Row& row_of) {
  const auto text = read_trace(path);
  if (!text) return std::unexpected(text.error());
  if (is_agent_trace(*text)) {
    return fail(path +
                ":1: is an agent trace, which does not tell who used how much when; name load rows or lines of "
                "`weir usage --json`");
  }
  auto trace = open_trace(*text, path);
  if (!trace) return std::unexpected(trace.error());
  clock.begin(**trace);
  const double lines = lines_of(*text);
  const std::string title = fmt::format("{} {}", what, path);
  TraceRow row;
  while (true) {
    const auto more = (*trace)->next(row);
    if (!more) return std::unexpected(more.error());
    if (!*more) return {};
    progress.show(title, static_cast<double>(row.line) / lines);
    clock.place(row);
    keys.complete(row);
    if (auto done = row_of(row); !done) return fail(fmt::format("{}:{}: {}", path, row.line, done.error().message));
  }
}

}  // namespace

Result<RecordedRows> rows_of_ledger(const std::string& dir, TimeNs since, TimeNs now) {
  auto opened = Store::open(dir, {.read_only = true});
  if (!opened) return std::unexpected(opened.error());
  const auto store = std::make_shared<Store>(std::move(*opened));
  RecordedRows out;
  auto audited = store->audit(since, [&](const AuditRow& row) {
    out.excluded.note(row);
    return true;
  });
  if (!audited) return std::unexpected(audited.error());
  out.keys = std::make_shared<RecordedKeys>(store->load_directory());
  out.each = [store, since, now, keys = out.keys](Progress& progress, std::string_view what,
                                                  const RecordedRows::Row& row_of) {
    Result<void> done;
    std::optional<TimeNs> first;
    const auto read = store->usage(since, [&](const UsageRow& row) {
      if (row.time > now) return false;
      if (!first) first = row.time;
      progress.show(what, static_cast<double>(row.time - *first) / static_cast<double>(now - *first));
      TraceRow of = trace_row(row);
      keys->complete(of);
      done = row_of(of);
      return done.has_value();
    });
    return read ? done : read;
  };
  return out;
}

RecordedRows rows_of_traces(std::vector<std::string> paths, std::shared_ptr<RecordedKeys> keys) {
  RecordedRows out;
  out.keys = keys;
  out.each = [paths = std::move(paths), keys](Progress& progress, std::string_view what,
                                              const RecordedRows::Row& row_of) -> Result<void> {
    TraceClock clock;
    for (const std::string& path : paths) {
      if (auto done = each_of_trace(path, clock, *keys, progress, what, row_of); !done) return done;
    }
    return {};
  };
  return out;
}

}  // namespace weir
