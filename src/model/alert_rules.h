// What weir.yaml says under `alerts` (docs/alerts.md). A value.
//
//   for (const AlertRule& rule : policy.alerts.rules) …
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "base/time.h"

namespace weir {

inline constexpr std::size_t kMaxAlertTargets = 20;
inline constexpr std::size_t kMaxAlertRules = 100;

struct AlertTarget {
  enum class Kind : std::uint8_t { kWebhook, kSlack };
  std::string name;
  Kind kind = Kind::kWebhook;
  std::string url;   // its path may be a credential: shown is only the host
  std::string host;  // with the port, if it is not the scheme's own
  Secret secret;     // kWebhook: what messages are signed with
};

struct AlertRule {
  enum class When : std::uint8_t {
    kUsage,
    kSpend,
    kSpike,
    kBreakerOpened,
    kFailOpen,
    kSettlementDrift,
    kProviderErrors,
  };
  enum class Per : std::uint8_t { kGlobal, kTenant, kKey };
  enum class Meter : std::uint8_t { kTokens, kUsd, kRequests };

  std::string name;
  When when = When::kUsage;
  std::string limit;                // kUsage: empty is every limit
  std::int64_t above_percent = 80;  // kUsage, kSettlementDrift, kProviderErrors
  std::int64_t amount_micros = 0;   // kSpend: of `within`, or of `period` if that is set
  std::string period;               // kSpend with a forecast: "day", "week" or "month"
  Per per = Per::kGlobal;           // kSpend, kSpike
  Meter meter = Meter::kTokens;     // kSpike
  double factor = 5;                // kSpike: so many times the subject's own baseline
  std::int64_t least = 0;           // kSpike: less than so much is never one; micro-dollars of kUsd
  DurationNs within = 0;            // what is summed up
  DurationNs warmup = kHour;        // kSpike: watched for so long before it is judged
  DurationNs hold = 0;              // `for`: how long it must last
  DurationNs every = 0;             // said again that often; 0 never
  std::vector<std::string> to;      // names of targets; empty: all
  bool operator==(const AlertRule&) const = default;
};

struct AlertSettings {
  std::vector<AlertTarget> targets;
  std::vector<AlertRule> rules;
};

// As weir.yaml writes them.
inline constexpr std::array<std::string_view, 7> kAlertWhens = {
    "usage", "spend", "spike", "breaker_opened", "fail_open", "settlement_drift", "provider_errors"};
inline constexpr std::array<std::string_view, 3> kAlertPers = {"global", "tenant", "key"};
inline constexpr std::array<std::string_view, 3> kAlertMeters = {"tokens", "usd", "requests"};

inline std::string_view to_string(AlertRule::When when) {
  return kAlertWhens[static_cast<std::size_t>(when)];
}
inline std::string_view to_string(AlertRule::Per per) {
  return kAlertPers[static_cast<std::size_t>(per)];
}
inline std::string_view to_string(AlertRule::Meter meter) {
  return kAlertMeters[static_cast<std::size_t>(meter)];
}
inline std::string_view to_string(AlertTarget::Kind kind) {
  return kind == AlertTarget::Kind::kSlack ? "slack" : "webhook";
}

}  // namespace weir
