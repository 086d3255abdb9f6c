#include "records/hour_sums.h"

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
    if (next.step() != Statement::kRow) return db.error("cannot sum the ledger");
    if (next.is_null(0)) return {};
    const std::int64_t hour = next.integer(0) / kHour;
    next.reset();
    sum.bind(1, hour);
    if (!sum.run()) return db.error("cannot sum the ledger");
    from = (hour + 1) * kHour;
  }
}

std::string day_reopen_sql() {
  return "DELETE FROM days_summed WHERE day = ?1";
}

void HourSums::add(const UsageRow& row) {
  const std::int64_t hour = row.time / kHour;
  days_.insert(row.time / kDay);
  name_ = std::to_string(hour) + '\0';
  for (const std::string* text : {&row.key, &row.tenant, &row.user, &row.tier, &row.kind, &row.model, &row.provider}) {
    name_.append(*text).append(1, '\0');
  }
  Group& group = groups_[name_];
  if (group.row == nullptr) group.row = &row;
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
  for (std::size_t i = 0; i < kSums; ++i) group.sums[i] += values[i];
}

bool HourSums::write(Statement& upsert, Statement& reopen) const {
  for (const std::int64_t day : days_) {
    reopen.bind(1, day);
    if (!reopen.run()) return false;
  }
  for (const auto& [name, group] : groups_) {
    const UsageRow& row = *group.row;
    Binder b(upsert);
    b.number(row.time / kHour).text(row.key).text(row.tenant).text(row.user).text(row.tier).text(row.kind);
    b.text(row.model).text(row.provider);
    for (const std::int64_t sum : group.sums) b.number(sum);
    if (!upsert.run()) return false;
  }
  return true;
}

}  // namespace weir
