#include "alerts/measures.h"

#include <fmt/format.h>

#include <unordered_map>

namespace weir {
namespace {

// How near subjects are to a limit's amount.
class UsageMeasure final : public Measure {
 public:
  explicit UsageMeasure(const AlertRule& rule) : rule_(rule) {}

  void take(const AlertInput&) override { uses_.clear(); }
  void each(const AlertInput& input, const EachReading& reading) override {
    for (const AlertInput::Use& use : input.uses) {
      if (!rule_.limit.empty() && use.limit != rule_.limit) continue;
      const std::string words = use.limit + " of " + use.subject;
      const std::string subject = use.id == 0 ? words : fmt::format("{} {:016x}", use.limit, use.id);
      uses_.emplace(subject, &use);
      reading(subject, {.value = use.ratio * 100,
                        .threshold = static_cast<double>(rule_.above_percent),
                        .words = words,
                        .use = &use});
    }
  }
  std::string sentence(const std::string& subject, TimeNs) override {
    const AlertInput::Use& use = *uses_.at(subject);
    const std::string held = use.held.empty() ? "" : " used, " + use.held + " held";
    return fmt::format("Limit {} of {} is used to {:.0f}% ({} of {}{}); the rule says {}%.{}", use.limit, use.subject,
                       use.ratio * 100, use.used, use.allowed, held, rule_.above_percent,
                       use.shadow ? " The limit is in shadow mode and refuses nothing." : "");
  }

 private:
  const AlertRule rule_;
  std::unordered_map<std::string, const AlertInput::Use*> uses_;  // of this step
};

std::int64_t used_of(KeyEvidence& key, AlertRule::Meter meter, TimeNs now) {
  switch (meter) {
    case AlertRule::Meter::kUsd:
      return key.usd_micros.of(now);
    case AlertRule::Meter::kRequests:
      return key.requests.of(now);
    case AlertRule::Meter::kTokens:
      break;
  }
  return key.tokens.of(now);
}

}  // namespace

std::unique_ptr<Measure> make_measure(const AlertRule& rule, std::string_view zone, std::size_t most_tracked) {
  switch (rule.when) {
    case AlertRule::When::kUsage:
      return std::make_unique<UsageMeasure>(rule);
    case AlertRule::When::kSpend:
      return make_spend_measure(rule, zone, most_tracked);
    case AlertRule::When::kSpike:
      return make_spike_measure(rule, most_tracked);
    case AlertRule::When::kBreakerOpened:
    case AlertRule::When::kFailOpen:
    case AlertRule::When::kSettlementDrift:
    case AlertRule::When::kProviderErrors:
      break;
  }
  return make_fault_measure(rule);
}

std::string subject_of(AlertRule::Per per, std::string_view key, std::string_view tenant) {
  if (per == AlertRule::Per::kGlobal) return "all traffic";
  std::string out = per == AlertRule::Per::kKey ? "key " : "tenant ";
  return out.append(per == AlertRule::Per::kKey ? key : tenant);
}

void EvidenceBook::take(const AlertInput& input) {
  for (const KeySecond& second : input.keys) {
    KeyEvidence* known = keys_.use(second.key);
    if (known == nullptr) *(known = &keys_.touch(second.key)) = KeyEvidence(within_);
    known->add(second, input.now);
  }
}

Cause EvidenceBook::cause(const std::string& subject, const AlertRule& rule, TimeNs now) {
  std::string chosen;
  std::int64_t most = -1;
  for (const auto& [name, known] : keys_) {
    if (subject_of(rule.per, name, known.tenant) != subject) continue;
    KeyEvidence copy = known;
    if (const std::int64_t used = used_of(copy, rule.meter, now); used > most) {
      most = used;
      chosen = name;
    }
  }
  KeyEvidence* key = most < 0 ? nullptr : keys_.use(chosen);
  if (key == nullptr) return {"unknown", "nothing is known of who used it"};
  Cause cause = cause_of(*key, now);
  if (rule.per != AlertRule::Per::kKey) cause.evidence = "most of it is key " + chosen + ": " + cause.evidence;
  return cause;
}

}  // namespace weir
