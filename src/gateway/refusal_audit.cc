#include "gateway/refusal_audit.h"

#include "base/json_writer.h"

namespace weir {
namespace {

std::string per_json(const Refusal& refusal) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  for (const auto& [attribute, value] : refusal.per) json.key(attribute).string(value);
  json.end_object();
  return out;
}

std::string per_value(const Refusal& refusal, const char* attribute) {
  for (const auto& [name, value] : refusal.per) {
    if (name == attribute) return value;
  }
  return {};
}

AuditRow row_of(const Services& services, AuditEvent event, const Refusal& refusal, const std::string& key,
                const std::string& request_id) {
  return {.time = services.now,
          .request_id = request_id,
          .key = key,
          .event = event,
          .layer = refusal.layer,
          .limit = refusal.limit,
          .per_json = per_json(refusal),
          .used = refusal.used,
          .reserved = refusal.reserved,
          .requested = refusal.requested,
          .allowed = refusal.allowed,
          .retry_after_s = refusal.retry_after_s,
          .count = 1,
          .evidence = {},
          .config_version = services.rules->policy().version,
          .user = {},
          .tool = per_value(refusal, "tool"),
          .run = {},
          .agent = {}};
}

void write(Services& services, std::vector<AuditRow>& rows) {
  for (const AuditRow& row : rows) services.journal->audit(row);
}

}  // namespace

void audit_event(Services& services, AuditEvent event, const Refusal& refusal, const EventSource& of,
                 std::string evidence) {
  const Identity& who = of.who;
  AuditRow row =
      row_of(services, event, refusal, who.consumer ? who.consumer->name : std::string(), std::string(of.request_id));
  row.evidence = std::move(evidence);
  row.user = who.user;
  row.agent = who.agent;
  row.run = of.run;
  publish_audited(services, of, row);
  audit_note(services, std::move(row));
}

void audit_note(Services& services, AuditRow row) {
  if (row.time == 0) row.time = services.now;
  if (row.event == AuditEvent::kRefused) services.metrics->refusal(row.layer, row.limit, row.tool);
  if (row.config_version.empty()) row.config_version = services.rules->policy().version;
  std::vector<AuditRow> rows;
  services.audit_sum->add(std::move(row), services.now, rows);
  write(services, rows);
}

void note_degraded(Services& services, const UsageRow& row, const std::shared_ptr<const Ruleset>& rules,
                   const Refusal& state) {
  services.metrics->degraded.add(1);
  AuditRow audited = row_of(services, AuditEvent::kDegraded, state, row.key, row.request_id);
  audited.limit = row.degraded.substr(0, row.degraded.find(';'));
  audited.evidence = row.degraded;
  audited.config_version = rules->policy().version;
  audited.user = row.user;
  audited.run = row.run;
  audited.agent = row.agent;
  publish_degraded(services, rules, row, audited);
  audit_note(services, std::move(audited));
}

void flush_audit(Services& services, bool all) {
  std::vector<AuditRow> rows;
  services.audit_sum->flush(services.now, rows, all);
  write(services, rows);
}

}  // namespace weir
