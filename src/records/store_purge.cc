// Deleting a subject's rows from the ledger of Store, those included that have not arrived yet.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/hmac.h"
#include "base/strings.h"
#include "records/audit_chain.h"
#include "records/purge.h"
#include "records/store_impl.h"

namespace weir {
namespace {

constexpr std::int64_t kStep = 20'000;           // rows looked at in one transaction: the server's writes come between
constexpr std::string_view kPrefix = "purged:";  // of settings: "purged:<names>:<mark>", the value is the time
constexpr std::string_view kAfterPrefix = "purged;";
constexpr std::string_view kWhat = "purge";  // what an operator's audit row of a deletion is called

PurgeSubject subject_of(const UsageRow& row, int names) {
  return {.key = (names & PurgeMarks::kKey) != 0 ? row.key : std::string(),
          .user = (names & PurgeMarks::kUser) != 0 ? row.user : std::string(),
          .tenant = (names & PurgeMarks::kTenant) != 0 ? row.tenant : std::string()};
}

std::string setting_name(const PurgeSubject& subject) {
  return fmt::format("{}{}:{}", kPrefix, PurgeMarks::names(subject), subject.mark());
}

}  // namespace

std::string PurgeSubject::mark() const {
  static const HmacSha256 hmac("weir purge");
  std::string text;
  for (const auto& [name, value] : {std::pair("key", &key), std::pair("user", &user), std::pair("tenant", &tenant)}) {
    if (!value->empty()) text.append(name).append(1, '\0').append(*value).append(1, '\0');
  }
  return to_hex(hmac.of({text}));
}

int PurgeMarks::names(const PurgeSubject& subject) {
  return (subject.key.empty() ? 0 : kKey) | (subject.user.empty() ? 0 : kUser) | (subject.tenant.empty() ? 0 : kTenant);
}

void PurgeMarks::add(int names, std::string mark, TimeNs at) {
  if (names < 1 || names > (kKey | kUser | kTenant)) return;
  combinations_ |= 1u << names;
  at_[std::move(mark)] = at;
}

bool PurgeMarks::cover(const UsageRow& row) const {
  for (int names = 1; names <= (kKey | kUser | kTenant); ++names) {
    if ((combinations_ >> names & 1u) == 0) continue;
    const PurgeSubject subject = subject_of(row, names);
    if (PurgeMarks::names(subject) != names) continue;  // a row without that name is nobody's
    const auto found = at_.find(subject.mark());
    if (found != at_.end() && row.time <= found->second) return true;
  }
  return false;
}

Result<PurgeMarks> Store::Impl::purge_marks() {
  PurgeMarks marks;
  const ResetAfter reset(get_purges);
  get_purges.bind_all(kPrefix, kAfterPrefix);
  while (get_purges.next()) {
    const std::string name = get_purges.text(0);
    const std::size_t colon = name.find(':', kPrefix.size());
    const auto names = parse_decimal(std::string_view(name).substr(kPrefix.size(), colon - kPrefix.size()));
    const auto at = parse_decimal(get_purges.view(1));
    if (colon != std::string::npos && names && at) marks.add(static_cast<int>(*names), name.substr(colon + 1), *at);
  }
  if (get_purges.failed()) return error("cannot read the ledger");
  return marks;
}

// First the mark, so that what the server books meanwhile stays away; then the rows, step by step.
Result<PurgeDone> Store::purge_subject(const PurgeSubject& subject, const Change& change) {
  if (subject.empty()) return fail("nobody is named whose records are to be deleted");
  if (auto set = impl_->db.execute("PRAGMA secure_delete = ON"); !set) return std::unexpected(set.error());
  if (auto set = set_setting(setting_name(subject), std::to_string(change.at)); !set) {
    return std::unexpected(set.error());
  }
  Statement forget = impl_->db.prepare(
      "DELETE FROM settings WHERE name IN (SELECT name FROM settings WHERE name >= ?1 AND name < ?2 "
      "ORDER BY CAST(value AS INTEGER) DESC, name LIMIT -1 OFFSET ?3)");
  Statement last = impl_->db.prepare("SELECT coalesce(max(id), 0) FROM usage");
  Statement rows = impl_->db.prepare(
      "DELETE FROM usage WHERE id > ?4 AND id <= ?5 AND (?1 = '' OR key = ?1) AND (?2 = '' OR user = ?2) AND "
      "(?3 = '' OR tenant = ?3)");
  if (!forget || !rows || !last || !last.next()) return impl_->error("cannot delete records");
  // Sums by day are made anew from what is left; until then they must not keep the name.
  Statement days = impl_->db.prepare(
      "DELETE FROM usage_days WHERE (?1 = '' OR key = ?1) AND (?2 = '' OR user = ?2) AND (?3 = '' OR tenant = ?3)");
  Statement spends = impl_->db.prepare("DELETE FROM spend_hours WHERE tenant = ?1");
  Statement refusals = impl_->db.prepare("DELETE FROM refusal_hours WHERE key = ?1");
  if (!days || !spends || !refusals) return impl_->error("cannot delete records");
  forget.bind_all(kPrefix, kAfterPrefix, kMaxPurges);
  if (!forget.run()) return impl_->error("cannot delete records");
  const std::int64_t end = last.integer(0);
  last.reset();
  PurgeDone done{.rows = 0, .mark = subject.mark()};
  // At least once, so that the audit says of every deletion that it was asked for.
  for (std::int64_t from = 0; from == 0 || from < end; from += kStep) {
    Transaction transaction(impl_->db);
    if (auto begun = transaction.begin(); !begun) return std::unexpected(begun.error());
    rows.bind_all(subject.key, subject.user, subject.tenant, from, from + kStep);
    if (!rows.run()) return impl_->error("cannot delete records");
    const std::int64_t gone = impl_->db.changes();
    done.rows += gone;
    // The audit says that it was done and how much, not whose they were: that name is what had to go.
    if (gone > 0 || from == 0) {
      if (auto told = impl_->append_change(change, std::string(kWhat), "subject", done.mark,
                                           fmt::format("{} rows of the ledger deleted", gone));
          !told) {
        return std::unexpected(told.error());
      }
    }
    if (auto committed = transaction.commit(); !committed) return std::unexpected(committed.error());
  }
  days.bind_all(subject.key, subject.user, subject.tenant);
  if (!days.run()) return impl_->error("cannot delete records");
  if (!subject.tenant.empty()) {
    spends.bind(1, std::string_view(subject.tenant));
    if (!spends.run()) return impl_->error("cannot delete records");
  }
  if (subject.user.empty() && subject.tenant.empty()) {
    refusals.bind(1, std::string_view(subject.key));
    if (!refusals.run()) return impl_->error("cannot delete records");
  }
  // What was deleted is overwritten in the file; a reader may keep the log of older pages open a little longer.
  if (Statement checkpoint = impl_->db.prepare("PRAGMA wal_checkpoint(TRUNCATE)")) checkpoint.run();
  return done;
}

}  // namespace weir
