#include "records/hour_sums.h"

#include "base/hash.h"
#include "base/time.h"
#include "records/store_impl.h"

namespace weir {

std::string hour_sums_sql() {
  return "INSERT INTO usage_hours VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) "
         "ON CONFLICT DO UPDATE SET requests = requests + ?9, input_tokens = input_tokens + ?10, "
         "output_tokens = output_tokens + ?11, cached_tokens = cached_tokens + ?12, "
         "cache_write_tokens = cache_write_tokens + ?13, reasoning_tokens = reasoning_tokens + ?14, "
         "usd_micros = usd_micros + ?15, reserved_tokens = reserved_tokens + ?16, tool_calls = tool_calls + ?17";
}

Result<void> sum_existing_hours(Database& db) {
  Statement next = db.prepare("SELECT min(time) FROM usage WHERE time >= ?1");
  Statement sum = db.prepare(
      "INSERT INTO usage_hours SELECT ?1, key, tenant, user, tier, kind, model, provider, count(*), "
      "sum(input_uncached + cache_read + cache_write + cache_write_1h), sum(output_visible + reasoning), "
      "sum(cache_read), sum(cache_write + cache_write_1h), sum(reasoning), sum(usd_micros), sum(reserved_tokens), "
      "sum(tool_calls) FROM usage WHERE time >= ?1 * 3600000000000 AND time < (?1 + 1) * 3600000000000 "
      "GROUP BY key, tenant, user, tier, kind, model, provider");
  if (!next || !sum) return db.error("cannot sum the ledger");
  for (TimeNs from = 0;;) {
    next.bind(1, from);
    if (!next.next()) return db.error("cannot sum the ledger");
    if (next.is_null(0)) return {};
    const std::int64_t hour = next.integer(0) / kHour;
    next.reset();
    sum.bind(1, hour);
    if (!sum.run()) return db.error("cannot sum the ledger");
    from = (hour + 1) * kHour;
  }
}

Result<void> note_existing_runs(Database& db) {
  Statement rows =
      db.prepare("SELECT time / 3600000000000, run FROM usage INDEXED BY usage_time WHERE run <> '' ORDER BY time");
  Statement note = db.prepare(run_hour_sql());
  if (!rows || !note) return db.error("cannot read the runs of the ledger");
  NotedRuns noted;
  while (rows.next()) {
    const std::int64_t number = NotedRuns::number_of(rows.view(1));
    if (!noted.add(rows.integer(0), number)) continue;
    note.bind_all(rows.integer(0), number);
    if (!note.run()) return db.error("cannot note the runs of the ledger");
  }
  if (rows.failed()) return db.error("cannot read the runs of the ledger");
  return {};
}

std::string day_reopen_sql() {
  return "DELETE FROM days_summed WHERE day = ?1";
}

std::string run_hour_sql() {
  return "INSERT INTO run_hours VALUES (?1, ?2) ON CONFLICT DO NOTHING";
}

std::size_t HourSums::GroupOf::operator()(const UsageRow* row) const {
  auto hash = static_cast<std::uint64_t>(row->time / kHour);
  for (const std::string* text : {&row->key, &row->model, &row->provider}) hash = hash64(*text, hash);
  return hash;
}

bool HourSums::GroupOf::operator()(const UsageRow* a, const UsageRow* b) const {
  return a->time / kHour == b->time / kHour && a->key == b->key && a->model == b->model && a->provider == b->provider &&
         a->tenant == b->tenant && a->user == b->user && a->tier == b->tier && a->kind == b->kind;
}

std::int64_t NotedRuns::number_of(std::string_view run) {
  return static_cast<std::int64_t>(hash64(run) % kMaxNumbers);
}

bool NotedRuns::add(std::int64_t hour, std::int64_t number) {
  if (hour < hour_) return true;  // an older hour: the table knows
  if (hour > hour_) {
    hour_ = hour;
    numbers_.assign(kMaxNumbers, false);
  }
  if (numbers_[static_cast<std::size_t>(number)]) return false;
  return numbers_[static_cast<std::size_t>(number)] = true;
}

void HourSums::add(const UsageRow& row) {
  days_.insert(row.time / kDay);
  if (!row.run.empty()) {
    const std::int64_t hour = row.time / kHour, number = NotedRuns::number_of(row.run);
    if (noted_.add(hour, number)) runs_.emplace_back(hour, number);
  }
  const Usage& used = row.usage;
  const std::int64_t values[] = {1,
                                 used.input(),
                                 used.output(),
                                 used.cache_read,
                                 used.cache_write + used.cache_write_1h,
                                 used.reasoning,
                                 row.usd_micros,
                                 row.reserved_tokens,
                                 row.tool_calls};
  auto& sums = groups_[&row];
  for (std::size_t i = 0; i < kSums; ++i) sums[i] += values[i];
}

bool HourSums::write(Statement& upsert, Statement& reopen, Statement& run) const {
  for (const std::int64_t day : days_) {
    reopen.bind(1, day);
    if (!reopen.run()) return false;
  }
  for (const auto& [row, sums] : groups_) {
    upsert.bind_all(row->time / kHour, row->key, row->tenant, row->user, row->tier, row->kind, row->model,
                    row->provider);
    for (int at = 9; const std::int64_t sum : sums) upsert.bind(at++, sum);
    if (!upsert.run_bound()) return false;
  }
  for (const auto& [hour, number] : runs_) {
    run.bind_all(hour, number);
    if (!run.run_bound()) return false;
  }
  return true;
}

}  // namespace weir
