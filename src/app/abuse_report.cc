#include "app/abuse_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/json_writer.h"

namespace weir {
namespace {

bool is_abuse(AuditEvent event) {
  return event != AuditEvent::kAdmin && event != AuditEvent::kDegraded;
}

// What a refusal's numbers say, where the row has no words.
std::string evidence_of(const AuditRow& row) {
  if (!row.evidence.empty()) return row.evidence;
  if (row.allowed.empty()) return {};
  std::string out;
  const auto add = [&](const char* name, const std::string& number) {
    if (!number.empty()) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, number);
  };
  add("used", row.used);
  add("held", row.reserved);
  add("asked", row.requested);
  add("allowed", row.allowed);
  return out;
}

}  // namespace

Result<AbuseReport> gather_abuse(Store& store, TimeNs since, TimeNs until) {
  using Name = std::tuple<std::string, std::string, std::string, AuditEvent, std::string, std::string>;
  AbuseReport report{.since = since, .until = until, .patterns = {}};
  std::map<Name, AbusePattern> groups;
  std::set<std::string> consumers;
  const auto read = store.audit(since, [&](const AuditRow& row) {
    if (!is_abuse(row.event)) return true;
    report.events += row.count;
    const Name name(row.key, row.user, row.tool, row.event, row.layer, row.limit);
    auto found = groups.find(name);
    if (found == groups.end()) {
      if (groups.size() >= kMaxPatterns) {
        report.others += row.count;
        return true;
      }
      found = groups
                  .emplace(name, AbusePattern{.key = row.key,
                                              .user = row.user,
                                              .tool = row.tool,
                                              .event = row.event,
                                              .layer = row.layer,
                                              .limit = row.limit,
                                              .first = row.time})
                  .first;
      if (!row.key.empty()) consumers.insert(row.key);
    }
    AbusePattern& pattern = found->second;
    pattern.count += row.count;
    pattern.last = std::max(pattern.last, row.time);
    std::string evidence = evidence_of(row);
    if (pattern.request_id.empty() || !evidence.empty()) {
      pattern.request_id = row.request_id;
      pattern.evidence = std::move(evidence);
    }
    return true;
  });
  if (!read) return std::unexpected(read.error());
  for (auto& [name, pattern] : groups) report.patterns.push_back(std::move(pattern));
  std::stable_sort(report.patterns.begin(), report.patterns.end(),
                   [](const AbusePattern& a, const AbusePattern& b) { return a.count > b.count; });
  report.consumers = consumers.size();
  return report;
}

std::string abuse_json(const AbusePattern& pattern) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().key("key").string(pattern.key).key("user").string(pattern.user).key("tool").string(pattern.tool);
  w.key("event").string(to_string(pattern.event)).key("layer").string(pattern.layer);
  w.key("limit").string(pattern.limit).key("count").number(pattern.count);
  w.key("first").string(format_rfc3339(pattern.first, 3)).key("last").string(format_rfc3339(pattern.last, 3));
  w.key("request_id").string(pattern.request_id).key("evidence").string(pattern.evidence).end_object();
  return out;
}

}  // namespace weir
