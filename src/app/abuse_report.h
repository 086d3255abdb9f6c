// `weir report`: the audit of a time grouped into patterns: who, with which tool, met which detector, how often.
//
//   Result<AbuseReport> report = gather_abuse(store, since, now);
//   for (const AbusePattern& pattern : report->patterns) …          // the most frequent first
//   out << abuse_html(*report);
//
// Values. What an operator changed (admin) and what a ladder degraded is no abuse and left out. Limit: kMaxPatterns;
// events of further patterns are counted in `others`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "records/store.h"

namespace weir {

inline constexpr std::size_t kMaxPatterns = 10'000;

struct AbusePattern {
  std::string key, user, tool;
  AuditEvent event = AuditEvent::kRefused;  // with `limit`: the detector
  std::string layer, limit;
  std::int64_t count = 0;
  TimeNs first = 0, last = 0;
  std::string request_id, evidence;  // of the last row that has evidence, else of the last
};

struct AbuseReport {
  TimeNs since = 0, until = 0;
  std::vector<AbusePattern> patterns;
  std::int64_t events = 0;    // of all patterns
  std::int64_t others = 0;    // of patterns beyond kMaxPatterns; in `events` too
  std::size_t consumers = 0;  // different keys
};

Result<AbuseReport> gather_abuse(Store& store, TimeNs since, TimeNs until);

std::string abuse_json(const AbusePattern& pattern);  // one line
// One page for a browser: no scripts, nothing loaded, light and dark. The first kMaxHtmlRows patterns.
inline constexpr std::size_t kMaxHtmlRows = 1000;
std::string abuse_html(const AbuseReport& report);

}  // namespace weir
