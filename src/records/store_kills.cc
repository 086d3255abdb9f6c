// The kill switches of Store.
#include "records/store_impl.h"

namespace weir {

Result<void> Store::set_kill_switch(const KillSwitch& off) {
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return begun;
  Statement count = impl_->db.prepare("SELECT count(*) FROM kill_switches WHERE NOT (kind = ?1 AND name = ?2)");
  Statement put = impl_->db.prepare(
      "INSERT INTO kill_switches (kind, name, reason, by, since) VALUES (?1, ?2, ?3, ?4, ?5) "
      "ON CONFLICT (kind, name) DO UPDATE SET reason = ?3, by = ?4, since = ?5");
  if (!count || !put) return impl_->error("cannot write kill switches");
  count.bind_all(off.kind, off.name);
  if (!count.next()) return impl_->error("cannot read kill switches");
  if (count.integer(0) >= static_cast<std::int64_t>(kMaxKillSwitches)) {
    return fail("there are " + std::to_string(kMaxKillSwitches) +
                " kill switches; clear some with `weir unkill` first");
  }
  count.reset();
  put.bind_all(off.kind, off.name, off.reason, off.by, off.since);
  if (!put.run()) return impl_->error("cannot write kill switches");
  const char* const kind = to_string(off.kind);
  const Change change{.at = off.since, .by = off.by};
  const auto done = impl_->commit_change(transaction, change, std::string("kill ") + kind, kind, off.name, off.reason);
  return done ? Result<void>() : std::unexpected(done.error());
}

Result<bool> Store::clear_kill_switch(KillSwitch::Kind kind, std::string_view name, const Change& change) {
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return std::unexpected(begun.error());
  Statement s = impl_->db.prepare("DELETE FROM kill_switches WHERE kind = ?1 AND name = ?2");
  if (!s) return impl_->error("cannot write kill switches");
  s.bind_all(kind, name);
  if (!s.run()) return impl_->error("cannot write kill switches");
  if (impl_->db.changes() == 0) return false;
  const char* const word = to_string(kind);
  return impl_->commit_change(transaction, change, std::string("unkill ") + word, word, name);
}

Result<std::vector<KillSwitch>> Store::kill_switches() {
  Statement s = impl_->db.prepare("SELECT kind, name, reason, by, since FROM kill_switches ORDER BY kind, name");
  if (!s) return impl_->error("cannot read kill switches");
  std::vector<KillSwitch> all;
  while (s.next()) {
    all.push_back({.kind = static_cast<KillSwitch::Kind>(s.integer(0)),
                   .name = s.text(1),
                   .reason = s.text(2),
                   .by = s.text(3),
                   .since = s.integer(4)});
  }
  if (s.failed()) return impl_->error("cannot read kill switches");
  return all;
}

}  // namespace weir
