// The overrides of Store, and what the admin API shows beside them.
#include <fmt/format.h>

#include <algorithm>

#include "records/query_support.h"
#include "records/store_impl.h"

namespace weir {
namespace {

constexpr std::size_t kMaxShown = 2'000;  // bytes of a value in an audit row's evidence

// Cut between characters.
std::string shown(std::string_view json) {
  if (json.empty()) return "nothing";
  if (json.size() <= kMaxShown) return std::string(json);
  std::size_t end = kMaxShown;
  while (end > 0 && (static_cast<unsigned char>(json[end]) & 0xC0) == 0x80) --end;
  return std::string(json.substr(0, end)) + "…";
}

Result<std::vector<NamedCount>> count_by(Database& db, const char* sql) {
  Statement s = db.prepare(sql);
  if (!s) return db.error("cannot read consumers");
  s.bind_all(ConsumerStatus::kActive);
  std::vector<NamedCount> all;
  while (s.next()) all.push_back({s.text(0), s.integer(1)});
  if (s.failed()) return db.error("cannot read consumers");
  return all;
}

}  // namespace

Result<std::vector<NamedCount>> Store::consumers_by_tier() {
  return count_by(impl_->db, "SELECT tier, count(*) FROM consumers WHERE status = ?1 GROUP BY tier");
}

Result<std::vector<NamedCount>> Store::consumers_by_tenant() {
  return count_by(impl_->db, "SELECT tenant, count(*) FROM consumers WHERE status = ?1 GROUP BY tenant");
}

Result<std::vector<Override>> Store::overrides() {
  Statement s = impl_->db.prepare("SELECT kind, name, json, by, at FROM overrides ORDER BY kind, name LIMIT ?1");
  if (!s) return impl_->error("cannot read overrides");
  s.bind_all(kMaxOverrides);
  std::vector<Override> all;
  while (s.next()) {
    if (s.integer(0) < 0 || s.integer(0) > static_cast<std::int64_t>(Override::Kind::kTenant)) continue;
    all.push_back({.kind = static_cast<Override::Kind>(s.integer(0)),
                   .name = s.text(1),
                   .json = s.text(2),
                   .by = s.text(3),
                   .at = s.integer(4)});
  }
  if (s.failed()) return impl_->error("cannot read overrides");
  return all;
}

Result<OverrideOutcome> Store::change_overrides(std::span<const OverrideChange> changes, const Change& change) {
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return std::unexpected(begun.error());
  Statement find = impl_->db.prepare("SELECT json FROM overrides WHERE kind = ?1 AND name = ?2");
  Statement put = impl_->db.prepare(
      "INSERT INTO overrides (kind, name, json, by, at) VALUES (?1, ?2, ?3, ?4, ?5) "
      "ON CONFLICT (kind, name) DO UPDATE SET json = ?3, by = ?4, at = ?5");
  Statement drop = impl_->db.prepare("DELETE FROM overrides WHERE kind = ?1 AND name = ?2");
  if (!find || !put || !drop) return impl_->error("cannot write overrides");
  for (const OverrideChange& each : changes) {
    find.bind_all(each.kind, each.name);
    const bool found = find.next();
    if (find.failed()) return impl_->error("cannot read overrides");
    const std::string before = found ? find.text(0) : std::string();
    find.reset();
    if (before != each.before) return OverrideOutcome::kChangedMeanwhile;
    if (before == each.after) continue;
    if (each.after.size() > kMaxOverrideBytes) return fail("an override has at most 16 KiB");
    Statement& write = each.after.empty() ? drop : put;
    write.bind_all(each.kind, each.name);
    if (!each.after.empty()) write.bind_all(each.kind, each.name, each.after, change.by, change.at);
    if (!write.run()) return impl_->error("cannot write overrides");
    write.reset();
    const char* const word = to_string(each.kind);
    const std::string evidence = fmt::format("was {}, is {}", shown(before), shown(each.after));
    if (auto noted = impl_->append_change(change, fmt::format("override {}", word), word, each.name, evidence);
        !noted) {
      return std::unexpected(noted.error());
    }
  }
  Statement count = impl_->db.prepare("SELECT count(*) FROM overrides");
  if (!count || !count.next()) return impl_->error("cannot read overrides");
  if (count.integer(0) > static_cast<std::int64_t>(kMaxOverrides)) return OverrideOutcome::kTooMany;
  count.reset();
  if (auto done = transaction.commit(); !done) return std::unexpected(done.error());
  return OverrideOutcome::kDone;
}

Result<std::vector<ShadowCount>> Store::shadow_refusals(TimeNs since, TimeNs until) {
  Statement s = impl_->db.prepare(
      "SELECT limit_name, key, sum(count) FROM refusal_hours WHERE hour >= ?1 AND hour < ?2 AND shadow = 1 "
      "GROUP BY limit_name, key ORDER BY limit_name, sum(count) DESC, key LIMIT ?3");
  if (!s) return impl_->error("cannot read refusals by hour");
  // Hours are counted since 1970.
  s.bind_all(since / kHour, (until + kHour - 1) / kHour, kMaxRefusalGroups);
  std::vector<ShadowCount> all;
  while (s.next()) all.push_back({s.text(0), s.text(1), s.integer(2)});
  if (s.failed()) return impl_->error("cannot read refusals by hour");
  return all;
}

// The bound is that of a question: whoever asks for years of a busy audit is told to narrow the range.
Result<std::vector<AuditRow>> Store::override_changes(TimeNs since, TimeNs until, std::int64_t most,
                                                      std::int64_t skip) {
  const QueryBound bound(impl_->db, kMaxQuerySteps);
  Statement s = impl_->db.prepare(fmt::format(
      "SELECT {} FROM audit WHERE time >= ?1 AND time < ?2 AND event = ?3 AND limit_name >= 'override ' AND "
      "limit_name < 'override!' ORDER BY time DESC, id DESC LIMIT ?4 OFFSET ?5",
      audit_columns()));
  if (!s) return question_failed(impl_->db);
  s.bind_all(since, until, AuditEvent::kAdmin, std::clamp<std::int64_t>(most, 0, kMaxQueryPage + 1),
             std::max<std::int64_t>(skip, 0));
  std::vector<AuditRow> all;
  while (s.next()) all.push_back(audit_of(s));
  if (s.failed()) return question_failed(impl_->db);
  return all;
}

}  // namespace weir
