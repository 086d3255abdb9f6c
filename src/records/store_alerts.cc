// Alerts and their messages in Store.
#include "records/store_impl.h"

namespace weir {
namespace {

constexpr const char* kDoing = "cannot write alerts";
constexpr const char* kReading = "cannot read alerts";

AlertMessage message_of(const Statement& s) {
  AlertMessage out;
  out.id = s.text(0);
  out.alert = s.integer(1);
  out.target = s.text(2);
  out.created_at = s.integer(3);
  out.tries = s.integer(4);
  out.next_at = s.integer(5);
  out.done_at = s.integer(6);
  out.result = s.text(7);
  return out;
}

}  // namespace

Result<void> Store::put_alert(const Alert& alert, std::string_view members, std::span<const AlertMessage> messages) {
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return begun;
  Statement put = impl_->db.prepare(
      "INSERT INTO alerts (id, rule, subject, since, until, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
      "ON CONFLICT (id) DO UPDATE SET until = ?5, json = ?6");
  Statement add = impl_->db.prepare(
      "INSERT OR IGNORE INTO alert_messages (id, alert, target, body, created_at, tries, next_at, done_at, result) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
  if (!put || !add) return impl_->error(kDoing);
  put.bind_all(alert.id, alert.rule, alert.subject, alert.since, alert.until, members);
  if (!put.run()) return impl_->error(kDoing);
  for (const AlertMessage& message : messages) {
    add.bind_all(message.id, message.alert, message.target, message.body, message.created_at, message.tries,
                 message.next_at, message.done_at, message.result);
    if (!add.run()) return impl_->error(kDoing);
    add.reset();
  }
  return transaction.commit();
}

Result<std::vector<StoredAlert>> Store::alerts(AlertsOf which, std::size_t most) {
  const char* where = which == AlertsOf::kFiring     ? "WHERE until = 0 "
                      : which == AlertsOf::kResolved ? "WHERE until <> 0 "
                                                     : "";
  Statement s = impl_->db.prepare(
      "SELECT id, rule, subject, since, until, json, json_extract('{' || json || '}', '$.value'), "
      "json_extract('{' || json || '}', '$.threshold') FROM alerts " +
      std::string(where) + "ORDER BY since DESC, id LIMIT ?1");
  Statement told = impl_->db.prepare(
      "SELECT id, alert, target, created_at, tries, next_at, done_at, result FROM alert_messages "
      "WHERE id >= ?1 AND id < ?2 ORDER BY created_at, id");
  if (!s || !told) return impl_->error(kReading);
  s.bind(1, static_cast<std::int64_t>(most));
  std::vector<StoredAlert> out;
  while (s.next()) {
    StoredAlert stored;
    Alert& alert = stored.alert;
    alert.id = s.integer(0);
    alert.rule = s.text(1);
    alert.subject = s.text(2);
    alert.since = alert.told_at = s.integer(3);
    alert.until = s.integer(4);
    stored.members = s.text(5);
    alert.value = s.real(6);
    alert.threshold = s.real(7);
    // Ids of messages begin with the alert's, so that they are found by the key of their table.
    const std::string from = hex_id(alert.id) + "-", to = hex_id(alert.id) + ".";
    told.bind_all(from, to);
    while (told.next()) {
      stored.messages.push_back(message_of(told));
      alert.told_at = std::max(alert.told_at, stored.messages.back().created_at);
    }
    told.reset();
    if (told.failed()) return impl_->error(kReading);
    out.push_back(std::move(stored));
  }
  if (s.failed()) return impl_->error(kReading);
  return out;
}

Result<std::vector<AlertMessage>> Store::waiting_alert_messages(std::size_t most) {
  Statement s = impl_->db.prepare(
      "SELECT m.id, m.alert, m.target, m.created_at, m.tries, m.next_at, m.done_at, m.result, m.body, "
      "coalesce(a.rule, '') FROM alert_messages m LEFT JOIN alerts a ON a.id = m.alert "
      "WHERE m.done_at = 0 ORDER BY m.created_at, m.id LIMIT ?1");
  if (!s) return impl_->error(kReading);
  s.bind(1, static_cast<std::int64_t>(most));
  std::vector<AlertMessage> out;
  while (s.next()) {
    out.push_back(message_of(s));
    out.back().body = s.text(8);
    out.back().rule = s.text(9);
  }
  if (s.failed()) return impl_->error(kReading);
  return out;
}

Result<void> Store::update_alert_message(const AlertMessage& message) {
  Statement s =
      impl_->db.prepare("UPDATE alert_messages SET tries = ?1, next_at = ?2, done_at = ?3, result = ?4 WHERE id = ?5");
  if (!s) return impl_->error(kDoing);
  s.bind_all(message.tries, message.next_at, message.done_at, message.result, message.id);
  if (!s.run()) return impl_->error(kDoing);
  return {};
}

Result<std::size_t> Store::purge_alerts(TimeNs before, std::size_t most) {
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return std::unexpected(begun.error());
  Statement find = impl_->db.prepare("SELECT id FROM alerts WHERE until <> 0 AND until < ?1 ORDER BY since LIMIT ?2");
  Statement messages = impl_->db.prepare("DELETE FROM alert_messages WHERE id >= ?1 AND id < ?2");
  Statement alert = impl_->db.prepare("DELETE FROM alerts WHERE id = ?1");
  if (!find || !messages || !alert) return impl_->error(kDoing);
  find.bind_all(before, most);
  std::vector<std::int64_t> old;
  while (find.next()) old.push_back(find.integer(0));
  find.reset();
  for (const std::int64_t id : old) {
    const std::string from = hex_id(id) + "-", to = hex_id(id) + ".";
    messages.bind_all(from, to);
    alert.bind(1, id);
    if (!messages.run() || !alert.run()) return impl_->error(kDoing);
    messages.reset();
    alert.reset();
  }
  if (auto done = transaction.commit(); !done) return std::unexpected(done.error());
  return old.size();
}

}  // namespace weir
