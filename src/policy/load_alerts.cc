// `alerts`: targets and rules.
#include <algorithm>
#include <array>

#include "base/strings.h"
#include "policy/address.h"
#include "policy/amounts.h"
#include "policy/keys.h"
#include "policy/loader.h"

namespace weir {
namespace {

using When = AlertRule::When;

constexpr std::size_t kLeastSecret = 16;
constexpr std::size_t kMostSecret = 256;
constexpr DurationNs kMostWithin = kDay;
constexpr DurationNs kMostHold = 7 * kDay;

template <std::size_t N>
std::size_t index_of(const std::array<std::string_view, N>& words, std::string_view word) {
  return static_cast<std::size_t>(std::find(words.begin(), words.end(), word) - words.begin());
}

// The keys beside name, when, for, every and to, and the rules that take them.
struct KeyOf {
  std::string_view key;
  std::vector<When> when;
};
const std::vector<KeyOf>& keys_of_rules() {
  static const std::vector<KeyOf> keys = {
      {"limit", {When::kUsage}},
      {"above", {When::kUsage, When::kSpend, When::kSettlementDrift, When::kProviderErrors}},
      {"forecast", {When::kSpend}},
      {"per", {When::kSpend, When::kSpike}},
      {"meter", {When::kSpike}},
      {"factor", {When::kSpike}},
      {"min", {When::kSpike}},
      {"warmup", {When::kSpike}},
      {"within", {When::kSpike, When::kSettlementDrift, When::kProviderErrors}},
  };
  return keys;
}

bool only_this_machine(std::string_view host) {
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

// The address is never repeated: the path of many a webhook is its password.
void read_target_url(Section& s, AlertTarget& out) {
  const Yaml* value = s.required("url");
  if (value == nullptr) return;
  Reporter& reporter = s.reporter();
  std::string_view text = value->is_scalar() ? value->text : std::string_view();
  const std::size_t query = text.find('?');
  const auto url = parse_url(text.substr(0, query));
  const bool clean = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F && c != '#'; });
  if (!url || !clean) return reporter.error(*value, "`url` must be an address such as https://hooks.example.com/weir");
  if (!url->tls && !only_this_machine(url->host)) {
    return reporter.error(*value, "`url` must be https:// (http:// only to this machine): messages name your callers");
  }
  out.url = text;
  out.host = url->host.find(':') == std::string::npos ? url->host : "[" + url->host + "]";
  if (url->port != (url->tls ? 443 : 80)) out.host += ":" + std::to_string(url->port);
}

AlertTarget read_target(Section& s, const Yaml& name) {
  AlertTarget out;
  out.name = name.text;
  if (!is_name(out.name)) s.reporter().error(name, "a target's name has 1 to 64 of a-z 0-9 . _ -");
  read_target_url(s, out);
  if (s.choice("kind") == "slack") out.kind = AlertTarget::Kind::kSlack;
  std::string secret;
  s.text("secret", secret);
  if (out.kind == AlertTarget::Kind::kSlack && !secret.empty()) {
    s.reporter().error(*s.get("secret"), "`secret` is of `kind: webhook` only; Slack checks no signature");
  } else if (out.kind == AlertTarget::Kind::kWebhook && (secret.size() < kLeastSecret || secret.size() > kMostSecret)) {
    const Yaml* given = s.get("secret");
    s.reporter().error(given != nullptr ? *given : s.node(),
                       "this alert target needs a `secret` of 16 to 256 characters, which its messages are signed "
                       "with; make one with `openssl rand -hex 32`");
  }
  out.secret = Secret(std::move(secret));
  s.finish();
  return out;
}

class RuleReader {
 public:
  RuleReader(Reporter& reporter, const Policy& policy, const Yaml& node)
      : reporter_(reporter), policy_(policy), s_(reporter, node, "alert rule") {}

  AlertRule read() {
    s_.required("when");
    const std::string_view when = s_.choice("when");
    if (when.empty()) return {};  // said; what the other keys may be is not known
    rule_.when = static_cast<When>(index_of(kAlertWhens, when));
    rule_.name = when;
    if (rule_.when == When::kSpike) rule_.per = AlertRule::Per::kKey, rule_.within = kMinute;
    if (rule_.when == When::kProviderErrors) rule_.above_percent = 20, rule_.within = 5 * kMinute;
    if (rule_.when == When::kSettlementDrift) rule_.above_percent = 10, rule_.within = 30 * kMinute;
    refuse_keys_of_others(when);
    read_name();
    read_measure();
    s_.duration("within", rule_.within, kSecond, kMostWithin);
    s_.duration("for", rule_.hold, 0, kMostHold);
    s_.duration("every", rule_.every, kMinute, kMostHold);
    read_to();
    s_.finish();
    return std::move(rule_);
  }

 private:
  void refuse_keys_of_others(std::string_view when) {
    for (const KeyOf& of : keys_of_rules()) {
      const Yaml* value = s_.get(of.key);
      if (value == nullptr || std::find(of.when.begin(), of.when.end(), rule_.when) != of.when.end()) continue;
      reporter_.error(*value, "`" + std::string(of.key) + "` says nothing for `when: " + std::string(when) +
                                  "`; it is of `when: " + std::string(to_string(of.when.front())) + "`");
    }
  }

  void read_name() {
    s_.text("name", rule_.name);
    if (!is_name(rule_.name)) reporter_.error(*s_.get("name"), "a rule's name has 1 to 64 of a-z 0-9 . _ -");
  }

  void read_measure() {
    if (const std::string_view per = s_.choice("per"); !per.empty()) {
      rule_.per = static_cast<AlertRule::Per>(index_of(kAlertPers, per));
    }
    if (rule_.when == When::kUsage) read_limit();
    if (rule_.when == When::kSpend) return read_spend();
    if (rule_.when == When::kSpike) return read_spike();
    read_percent();
  }

  void read_limit() {
    const Yaml* value = s_.scalar("limit");
    if (value == nullptr) return;
    rule_.limit = value->text;
    std::vector<std::string_view> names;
    for (const LimitRule& limit : policy_.limits) names.push_back(limit.name);
    if (std::find(names.begin(), names.end(), rule_.limit) != names.end()) return;
    reporter_.error(*value, "there is no limit `" + rule_.limit + "`" + did_you_mean(rule_.limit, names));
  }

  void read_percent() {
    const Yaml* value = s_.scalar("above");
    if (value == nullptr) return;
    std::string_view text = value->text;
    const bool sign = text.ends_with('%');
    if (sign) text.remove_suffix(1);
    const auto percent = parse_decimal(text);
    if (sign && percent && *percent >= 1 && *percent <= 1'000) {
      rule_.above_percent = *percent;
      return;
    }
    const bool forgotten = !sign && percent && *percent >= 1 && *percent <= 1'000;
    reporter_.error(*value, "`above` must be a whole percentage from 1% to 1000%" +
                                (forgotten ? "; write `" + value->text + "%`" : std::string()));
  }

  void read_spend() {
    const Yaml* above = s_.scalar("above");
    const Yaml* forecast = s_.scalar("forecast");
    if ((above != nullptr) == (forecast != nullptr)) {
      return reporter_.error(s_.node(),
                             "`when: spend` needs either `above`, as in 50/1h, or `forecast`, as in 1000/month");
    }
    const auto window = parse_window((above != nullptr ? above : forecast)->text, AmountUnit::kUsd);
    if (above != nullptr) {
      if (!window || window->kind != WindowKind::kSliding || window->length < kMinute || window->length > kMostWithin ||
          window->amount <= 0) {
        return reporter_.error(*above, "`above` must be dollars and 1m to 24h, as in 50/1h");
      }
      rule_.within = window->length;
    } else {
      if (!window || window->kind != WindowKind::kCalendar || !window->anchor.empty() || window->calendar == "hour" ||
          window->amount <= 0) {
        return reporter_.error(*forecast, "`forecast` must be dollars and day, week or month, as in 1000/month");
      }
      rule_.period = window->calendar;
    }
    rule_.amount_micros = window->amount;
  }

  void read_spike() {
    if (const std::string_view meter = s_.choice("meter"); !meter.empty()) {
      rule_.meter = static_cast<AlertRule::Meter>(index_of(kAlertMeters, meter));
    }
    s_.fraction("factor", rule_.factor, 1.5, 1'000);
    s_.duration("warmup", rule_.warmup, kSecond, kMostHold);
    const bool dollars = rule_.meter == AlertRule::Meter::kUsd;
    rule_.least = dollars ? 1'000'000 : rule_.meter == AlertRule::Meter::kTokens ? 10'000 : 60;
    const Yaml* min = s_.scalar("min");
    if (min == nullptr) return;
    const auto least = parse_amount(min->text, dollars ? AmountUnit::kUsd : AmountUnit::kCount);
    if (!least || *least < 1) {
      return reporter_.error(*min,
                             dollars ? "`min` must be dollars such as 0.50" : "`min` must be an amount such as 10k");
    }
    rule_.least = *least;
  }

  void read_to() {
    const Yaml* node = s_.get("to");
    if (node == nullptr) return;
    std::vector<std::string_view> names;
    for (const AlertTarget& target : policy_.alerts.targets) names.push_back(target.name);
    if (!node->is_list() || node->items.empty()) {
      return reporter_.error(*node, "`to` must be a list of targets, as in [ops]; without it, all of them are told");
    }
    for (const Yaml& item : node->items) {
      if (std::find(names.begin(), names.end(), item.text) == names.end()) {
        reporter_.error(item, "there is no alert target `" + item.text + "`" + did_you_mean(item.text, names));
      } else if (std::find(rule_.to.begin(), rule_.to.end(), item.text) == rule_.to.end()) {
        rule_.to.push_back(item.text);
      }
    }
  }

  Reporter& reporter_;
  const Policy& policy_;
  Section s_;
  AlertRule rule_;
};

void load_targets(Section& alerts, AlertSettings& out) {
  const Yaml* node =
      alerts.map("targets", 0, kMaxAlertTargets, "a map of at most 20 targets, as in ops: { url: https://… }");
  if (node == nullptr) return;
  for (std::size_t i = 0; i < node->keys.size(); ++i) {
    Section s(alerts.reporter(), node->items[i], "alert target");
    out.targets.push_back(read_target(s, node->keys[i]));
  }
}

void load_rules(Section& alerts, Policy& policy) {
  const Yaml* node =
      alerts.list("rules", 0, kMaxAlertRules, "a list of at most 100 rules, as in - { when: usage, above: 80% }");
  if (node == nullptr) return;
  std::vector<AlertRule>& rules = policy.alerts.rules;
  for (const Yaml& item : node->items) {
    AlertRule rule = RuleReader(alerts.reporter(), policy, item).read();
    if (rule.name.empty()) continue;
    const bool taken =
        std::any_of(rules.begin(), rules.end(), [&](const auto& other) { return other.name == rule.name; });
    if (taken) {
      alerts.reporter().error(item, "two rules are called `" + rule.name + "`; give this one a `name` of its own");
    }
    rules.push_back(std::move(rule));
  }
}

}  // namespace

void load_alerts(Section& root, Policy& policy) {
  const Yaml* node = root.get("alerts");
  if (node == nullptr) return;
  Section s(root.reporter(), *node, "alerts");
  load_targets(s, policy.alerts);
  load_rules(s, policy);
  s.finish();
  if (!policy.alerts.rules.empty() && policy.alerts.targets.empty()) {
    root.reporter().warning(*node, "alerts have no `targets`: they show in GET /admin/v1/alerts and in the log only");
  }
}

}  // namespace weir
