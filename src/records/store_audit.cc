// The audit of Store: rows in their chain, verification, retention.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/json_writer.h"
#include "records/store_impl.h"

namespace weir {
namespace {

// In the order of the chain's encoding; `hash` is bound after them.
constexpr std::string_view kAuditColumns =
    "time, request_id, key, event, layer, limit_name, per, used, reserved, requested, allowed, retry_after, count, "
    "evidence, config_version, user, tool, run, agent";
static_assert(std::count(kAuditColumns.begin(), kAuditColumns.end(), ',') + 1 == kAuditColumnCount);

void bind_row(Statement& s, const AuditRow& row, const AuditHash& hash) {
  const auto retry_after = row.retry_after_s >= 0 ? std::optional(row.retry_after_s) : std::nullopt;
  s.bind_all(row.time, row.request_id, row.key, row.event, row.layer, row.limit, row.per_json, row.used, row.reserved,
             row.requested, row.allowed, retry_after, row.count, row.evidence, row.config_version, row.user, row.tool,
             row.run, row.agent, hash);
}

bool hash_of(const Statement& s, int at, AuditHash& hash) {
  const std::string bytes = s.text(at);
  if (bytes.size() != hash.size()) return false;
  std::memcpy(hash.data(), bytes.data(), hash.size());
  return true;
}

constexpr std::string_view kRetention = "retention";  // what an operator's row of a deletion is called

struct Chain {
  AuditHash base{}, head{};
  std::int64_t purged = 0, kept = 0;
};

std::unexpected<Error> damaged() {
  return fail("the record of where the audit's chain begins and ends is damaged; restore the store from a copy");
}

Result<Chain> read_chain(Database& db, Statement& s) {
  const ResetAfter reset(s);
  if (!s.next()) {
    if (s.failed()) return db.error("cannot read the audit");
    return damaged();
  }
  Chain chain;
  if (!hash_of(s, 0, chain.base) || !hash_of(s, 2, chain.head)) return damaged();
  chain.purged = s.integer(1);
  chain.kept = s.integer(3);
  return chain;
}

Result<void> write_chain(Database& db, Statement& s, const Chain& chain) {
  s.bind_all(chain.base, chain.purged, chain.head, chain.kept);
  if (!s.run()) return db.error("cannot write the audit");
  return {};
}

void broken(AuditVerdict& verdict, std::string why) {
  verdict.intact = false;
  verdict.why = std::move(why);
}

std::string base_json(const AuditHash& base) {
  return fmt::format(R"({{"base":"{}"}})", to_hex(base));
}

// What retention leaves in the chain: where it begins now, and how many rows went, in all and this time.
AuditRow purge_row(const Chain& chain, std::size_t gone, TimeNs before, TimeNs now) {
  AuditRow row{.time = now, .event = AuditEvent::kAdmin, .layer = "admin", .limit = std::string(kRetention)};
  row.per_json = base_json(chain.base);
  row.used = std::to_string(chain.purged);
  row.requested = std::to_string(gone);
  row.evidence = fmt::format("by retention: {} rows from before {} deleted, {} in all", gone, format_rfc3339(before),
                             chain.purged);
  return row;
}

bool is_purge_row(const Statement& s) {
  return s.integer(3) == static_cast<std::int64_t>(AuditEvent::kAdmin) && s.text(4) == "admin" &&
         s.text(5) == kRetention;
}

// The rows that retention deletes: only from the chain's old end, up to the first row that is to stay, since a gap in
// the middle would break it.
struct OldRows {
  std::size_t count = 0;
  std::size_t purges = 0;  // of those: what earlier deletions left
  std::int64_t last = 0;   // its id
  AuditHash base{};        // its hash, at which the rest begins
};

Result<OldRows> oldest_rows(Database& db, TimeNs before, std::size_t most) {
  Statement old = db.prepare(fmt::format("SELECT {}, hash, id FROM audit ORDER BY id LIMIT ?1", kAuditColumns));
  if (!old) return db.error("cannot delete old records");
  old.bind(1, static_cast<std::int64_t>(most));
  OldRows rows;
  while (old.next() && old.integer(0) < before) {
    if (!hash_of(old, kAuditColumnCount, rows.base)) {
      return fail("old audit rows are not deleted: `weir audit --verify` says what is wrong");
    }
    rows.last = old.integer(kAuditColumnCount + 1);
    ++rows.count;
    rows.purges += is_purge_row(old) ? 1 : 0;
  }
  if (old.failed()) return db.error("cannot delete old records");
  return rows;
}

// One step of the walk; false where the chain breaks.
bool check_row(const Statement& s, AuditVerdict& verdict) {
  const TimeNs time = s.integer(0);
  AuditHash stored{};
  const bool has_hash = hash_of(s, kAuditColumnCount, stored);
  if (!has_hash || chained(verdict.head, s) != stored) {
    broken(verdict, has_hash ? "this row was changed, or a row before it was changed, moved or removed"
                             : "this row was written past the chain");
    verdict.broken_at_row = true;
    verdict.broken_time = time;
    verdict.broken_request_id = s.text(1);
    return false;
  }
  verdict.head = stored;
  verdict.first = verdict.rows == 0 ? time : std::min(verdict.first, time);
  verdict.last = verdict.rows == 0 ? time : std::max(verdict.last, time);
  ++verdict.rows;
  return true;
}

}  // namespace

std::string_view audit_columns() {
  return kAuditColumns;
}

AuditRow audit_of(const Statement& s) {
  AuditRow row;
  row.time = s.integer(0);
  row.request_id = s.text(1);
  row.key = s.text(2);
  row.event = static_cast<AuditEvent>(s.integer(3));
  std::string* const texts[] = {&row.layer,    &row.limit,     &row.per_json, &row.used,
                                &row.reserved, &row.requested, &row.allowed};
  int at = 4;
  for (std::string* text : texts) *text = s.text(at++);
  row.retry_after_s = s.is_null(at) ? -1 : s.real(at);
  row.count = s.integer(++at);
  for (std::string* text : {&row.evidence, &row.config_version, &row.user, &row.tool, &row.run, &row.agent}) {
    *text = s.text(++at);
  }
  return row;
}

std::string audit_insert_sql() {
  return insert_sql("audit", fmt::format("{}, hash", kAuditColumns));
}
std::string chain_select_sql() {
  return "SELECT base, purged, head, kept FROM audit_chain WHERE id = 1";
}
std::string chain_update_sql() {
  return "UPDATE audit_chain SET base = ?1, purged = ?2, head = ?3, kept = ?4 WHERE id = 1";
}

Result<void> chain_existing_audit(Database& db) {
  Statement rows = db.prepare(fmt::format("SELECT {}, id FROM audit ORDER BY id", kAuditColumns));
  Statement put = db.prepare("UPDATE audit SET hash = ?1 WHERE id = ?2");
  Statement put_chain = db.prepare(chain_update_sql());
  if (!rows || !put || !put_chain) return db.error("cannot chain the audit");
  Chain chain;
  while (rows.next()) {
    chain.head = chained(chain.head, rows);
    ++chain.kept;
    put.bind_all(chain.head, rows.integer(kAuditColumnCount));
    if (!put.run()) return db.error("cannot chain the audit");
  }
  if (rows.failed()) return db.error("cannot chain the audit");
  return write_chain(db, put_chain, chain);
}

Result<void> Store::Impl::append_audit(std::span<const AuditRow> rows) {
  if (rows.empty()) return {};
  auto chain = read_chain(db, get_chain);
  if (!chain) return std::unexpected(chain.error());
  for (const AuditRow& row : rows) {
    chain->head = chained(chain->head, row);
    bind_row(insert_audit, row, chain->head);
    if (!insert_audit.run()) return error("cannot write the audit");
  }
  chain->kept += static_cast<std::int64_t>(rows.size());
  return write_chain(db, put_chain, *chain);
}

Result<void> Store::Impl::append_change(const Change& change, std::string what, std::string_view attribute,
                                        std::string_view name, std::string evidence) {
  AuditRow row{.time = change.at, .event = AuditEvent::kAdmin, .layer = "admin", .limit = std::move(what)};
  row.per_json.clear();
  JsonWriter(row.per_json).begin_object().key(attribute).string(name).end_object();
  row.evidence = "by " + change.by + (evidence.empty() ? "" : ": " + evidence);
  if (attribute == "tool") row.tool = name;
  if (attribute == "agent") row.agent = name;
  if (attribute == "run") row.run = name;
  return append_audit({&row, 1});
}

Result<bool> Store::Impl::commit_change(Transaction& transaction, const Change& change, std::string what,
                                        std::string_view attribute, std::string_view name, std::string evidence) {
  auto done = append_change(change, std::move(what), attribute, name, std::move(evidence));
  if (done) done = transaction.commit();
  if (!done) return std::unexpected(done.error());
  return true;
}

Result<void> Store::audit(TimeNs since, const std::function<bool(const AuditRow&)>& row) {
  return audit(AuditQuery{.since = since, .event = {}, .key = {}}, row);
}

Result<void> Store::audit(const AuditQuery& query, const std::function<bool(const AuditRow&)>& row) {
  // An operator's row has no caller: the key that was changed is in `per`.
  std::string sql = fmt::format(
      "SELECT {0}, id FROM audit WHERE time >= ?1 AND (?2 < 0 OR event = ?2) AND "
      "(?3 = '' OR key = ?3 OR (event = {1} AND json_valid(per) AND json_extract(per, '$.key') = ?3))",
      kAuditColumns, static_cast<int>(AuditEvent::kAdmin));
  if (query.limit > 0) sql = fmt::format("SELECT * FROM ({} ORDER BY time DESC, id DESC LIMIT {})", sql, query.limit);
  Statement s = impl_->db.prepare(sql + " ORDER BY time, id");
  if (!s) return impl_->error("cannot read the audit");
  s.bind_all(query.since, query.event ? static_cast<int>(*query.event) : -1, query.key);
  while (s.next()) {
    if (!row(audit_of(s))) return {};
  }
  if (s.failed()) return impl_->error("cannot read the audit");
  return {};
}

Result<AuditVerdict> Store::verify_audit(std::string_view expected) {
  // Rows and the chain's ends must be of one moment although a server appends meanwhile.
  ReadTransaction snapshot(impl_->db);
  if (auto begun = snapshot.begin(); !begun) return std::unexpected(begun.error());
  const auto chain = read_chain(impl_->db, impl_->get_chain);
  if (!chain) return std::unexpected(chain.error());
  AuditVerdict verdict;
  verdict.purged = chain->purged;
  verdict.base = verdict.head = chain->base;
  const auto seen = [&] {
    verdict.expected_found = verdict.expected_found || (!expected.empty() && to_hex(verdict.head) == expected);
  };
  seen();
  Statement s = impl_->db.prepare(fmt::format("SELECT {}, hash FROM audit ORDER BY id", kAuditColumns));
  if (!s) return impl_->error("cannot read the audit");
  bool begins = verdict.base == kAuditGenesis && chain->purged == 0;
  const std::string base = base_json(chain->base), purged = std::to_string(chain->purged);
  while (s.next()) {
    if (!check_row(s, verdict)) return verdict;
    seen();
    if (!is_purge_row(s)) continue;
    begins = begins || (s.text(6) == base && s.text(7) == purged);
    verdict.purge_time = s.integer(0);
    verdict.purge_words = s.text(13);
  }
  if (s.failed()) return impl_->error("cannot read the audit");
  if (verdict.rows < chain->kept) {
    broken(verdict, fmt::format("{} of the newest rows are missing", chain->kept - verdict.rows));
  } else if (verdict.rows > chain->kept || verdict.head != chain->head) {
    broken(verdict, "rows were appended past the recorded end of the chain");
  } else if (!begins) {
    broken(verdict, "rows are missing before the first kept one, and no row says that retention deleted them");
  }
  return verdict;
}

Result<std::size_t> Store::purge_usage(TimeNs before, std::size_t most) {
  Statement usage =
      impl_->db.prepare("DELETE FROM usage WHERE id IN (SELECT id FROM usage WHERE time < ?1 ORDER BY time LIMIT ?2)");
  if (!usage) return impl_->error("cannot delete old records");
  usage.bind_all(before, most);
  if (!usage.run()) return impl_->error("cannot delete old records");
  const auto gone = static_cast<std::size_t>(impl_->db.changes());
  impl_->noted_runs.forget();
  for (const auto& [sql, end] :
       {std::pair("DELETE FROM refusal_hours WHERE hour < ?1", before / kHour),
        std::pair("DELETE FROM spend_hours WHERE hour < ?1", before / kHour),
        // As long as rows of that age are left, so are the hours of their runs.
        std::pair(
            "DELETE FROM run_hours WHERE hour < min(?1, (SELECT coalesce(min(time) / 3600000000000, ?1) FROM usage))",
            before / kHour),
        std::pair("DELETE FROM usage_days WHERE day < ?1 AND day NOT IN (SELECT day FROM days_summed)",
                  before / kDay)}) {
    Statement old = impl_->db.prepare(sql);
    if (!old) return impl_->error("cannot delete old records");
    old.bind(1, end);
    if (!old.run()) return impl_->error("cannot delete old records");
  }
  return gone;
}

Result<std::size_t> Store::purge_audit(TimeNs before, std::size_t most, TimeNs now) {
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return std::unexpected(begun.error());
  const auto old = oldest_rows(impl_->db, before, most);
  if (!old) return std::unexpected(old.error());
  // A quiet audit would otherwise tell for ever that it deleted the row that told of the row before.
  if (old->count == old->purges && old->count < most) return 0;
  auto chain = read_chain(impl_->db, impl_->get_chain);
  if (!chain) return std::unexpected(chain.error());
  Statement remove = impl_->db.prepare("DELETE FROM audit WHERE id <= ?1");
  if (!remove) return impl_->error("cannot delete old records");
  remove.bind(1, old->last);
  if (!remove.run()) return impl_->error("cannot delete old records");
  chain->base = old->base;
  chain->purged += static_cast<std::int64_t>(old->count);
  chain->kept -= static_cast<std::int64_t>(old->count);
  if (auto written = write_chain(impl_->db, impl_->put_chain, *chain); !written) {
    return std::unexpected(written.error());
  }
  const AuditRow row = purge_row(*chain, old->count, before, now);
  if (auto told = impl_->append_audit({&row, 1}); !told) return std::unexpected(told.error());
  if (auto done = transaction.commit(); !done) return std::unexpected(done.error());
  return old->count;
}

}  // namespace weir
