#include "replay/recommend_proposal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json_writer.h"
#include "policy/amounts.h"

namespace weir {
namespace {

constexpr std::int64_t kCent = 10'000;  // micro-dollars
constexpr std::int64_t kMaxWritten = 5'000'000'000'000'000;
constexpr std::int64_t kLeastConcurrency = 2;
constexpr std::array<std::string_view, 4> kMeters = {"requests", "tokens", "usd", "runs"};

// Amounts of one group at one multiple, as they are asked for.
class Maker {
 public:
  Maker(const GroupUse& group, int multiple) : group_(group) { out_.multiple = multiple; }

  void sliding(UseMeter meter, std::initializer_list<UseWindow> windows) {
    static constexpr std::array<std::string_view, kUseWindows> kNames = {"1m", "1h", "day"};
    add_windows(meter, windows, kNames);
  }
  void calendar(UseMeter meter, std::initializer_list<UseWindow> windows) {
    static constexpr std::array<std::string_view, kUseWindows> kNames = {"1m", "hour", "day"};
    add_windows(meter, windows, kNames);
  }

  void bucket() {
    const std::int64_t burst = amount(UseMeter::kRequests, UseWindow::kPerMinute);
    const std::int64_t rate = amount(UseMeter::kRequests, UseWindow::kPerHour);
    if (rate == 0) return sliding(UseMeter::kRequests, {UseWindow::kPerMinute});
    take(UseMeter::kRequests, UseWindow::kPerMinute, burst);
    take(UseMeter::kRequests, UseWindow::kPerHour, rate);
    out_.bucket = true;
    out_.limits.push_back({to_string(UseMeter::kRequests),
                           {fmt::format("{}/h burst {}", amount_text(rate, UseMeter::kRequests),
                                        amount_text(burst, UseMeter::kRequests))}});
  }

  // As many at once as arrive while one answer takes (Little's law), at the pace of a busy minute.
  void concurrency() {
    const double busy = static_cast<double>(group_.of(UseWindow::kPerMinute, UseMeter::kRequests).quantile(0.95)) / 60;
    const double answer = group_.answer_seconds / static_cast<double>(std::max<std::int64_t>(1, group_.requests));
    const auto at_once = static_cast<std::int64_t>(std::ceil(busy * answer * out_.multiple));
    out_.concurrency = written_amount(std::max(kLeastConcurrency, at_once), UseMeter::kRequests);
    out_.limits.push_back({"concurrency", {amount_text(out_.concurrency, UseMeter::kRequests)}});
  }

  GroupProposal done() { return std::move(out_); }

 private:
  std::int64_t amount(UseMeter meter, UseWindow window) const {
    return amount_at(group_, window, meter, out_.multiple);
  }
  void take(UseMeter meter, UseWindow window, std::int64_t amount) {
    out_.sums[static_cast<std::size_t>(window)][static_cast<std::size_t>(meter)] = amount;
  }
  void add_windows(UseMeter meter, std::initializer_list<UseWindow> windows,
                   const std::array<std::string_view, kUseWindows>& names) {
    std::vector<UseWindow> seen;
    for (const UseWindow window : windows) {
      if (window <= group_.longest) seen.push_back(window);
    }
    if (seen.empty()) seen.push_back(group_.longest);
    std::vector<std::string> texts;
    for (const UseWindow window : seen) {
      const std::int64_t most = amount(meter, window);
      if (most == 0) continue;
      take(meter, window, most);
      texts.push_back(fmt::format("{}/{}", amount_text(most, meter), names[static_cast<std::size_t>(window)]));
    }
    if (!texts.empty()) out_.limits.push_back({to_string(meter), std::move(texts)});
  }

  const GroupUse& group_;
  GroupProposal out_;
};

std::string flow(const std::vector<std::string>& texts) {
  return texts.size() == 1 ? texts[0] : fmt::format("[{}]", fmt::join(texts, ", "));
}

const ProposedLimit* limit_of(const GroupProposal& proposal, std::string_view meter) {
  const auto found = std::find_if(proposal.limits.begin(), proposal.limits.end(),
                                  [&](const ProposedLimit& limit) { return limit.meter == meter; });
  return found == proposal.limits.end() ? nullptr : &*found;
}

// The busiest kind stands for all that have no use of their own yet: nobody is without limits.
std::vector<std::string> kinds_busiest_last(std::span<const GroupUse> groups) {
  std::vector<std::pair<std::int64_t, std::string>> kinds;
  for (const GroupUse& group : groups) {
    const auto known = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.second == group.kind; });
    if (known == kinds.end()) {
      kinds.emplace_back(group.requests, group.kind);
    } else {
      known->first += group.requests;
    }
  }
  std::sort(kinds.begin(), kinds.end());
  std::vector<std::string> names;
  for (auto& [requests, name] : kinds) names.push_back(std::move(name));
  return names;
}

std::string match_of(const std::vector<std::string>& kinds, std::size_t at) {
  if (kinds.size() == 1) return {};
  if (at + 1 < kinds.size()) return fmt::format("    match: {{ kind: {} }}\n", kinds[at]);
  const std::vector<std::string> others(kinds.begin(), kinds.end() - 1);
  return fmt::format("    match: {{ kind: {{ not: {} }} }}\n", flow(others));
}

// The ladder of the limit that this one stands for.
std::string ladder_of(std::span<const LimitRule> replaced, std::string_view meter) {
  std::string out;
  for (const LimitRule& rule : replaced) {
    if (rule.degrade.empty() || !is_sized(rule, meter)) continue;
    out = "    degrade:\n";
    for (const Rung& rung : rule.degrade) {
      out += fmt::format("      - {{ at: {}%", rung.percent);
      for (const auto& [from, to] : rung.model) {
        out += &from == &rung.model.begin()->first ? ", model: { " : ", ";
        append_json_string(out, from);  // as YAML quotes it too
        out += ": ";
        append_json_string(out, to);
      }
      if (!rung.model.empty()) out += " }";
      if (rung.max_tokens) out += fmt::format(", max_tokens: {}", *rung.max_tokens);
      if (rung.keep_messages) out += fmt::format(", keep_messages: {}", *rung.keep_messages);
      out += " }\n";
    }
    if (rule.on_exceed == OnExceed::kDegrade) {
      out += fmt::format("    on_exceed: degrade\n    hard: {}%\n", rule.hard_percent);
    }
    break;
  }
  return out;
}

}  // namespace

bool is_sized(const LimitRule& rule, std::string_view meter) {
  return rule.meter_name == meter && rule.match.empty() && rule.per == std::vector<std::string>{"caller"};
}

std::int64_t written_amount(std::int64_t amount, UseMeter meter) {
  static constexpr std::array<std::int64_t, 11> kTenths = {10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100};
  const std::int64_t wanted = std::clamp<std::int64_t>(amount, meter == UseMeter::kUsd ? kCent : 1, kMaxWritten);
  if (wanted < 10) return wanted;
  std::int64_t unit = 1;
  while (unit * 100 < wanted) unit *= 10;
  for (const std::int64_t tenths : kTenths) {
    if (tenths * unit >= wanted - wanted / 128) return tenths * unit;
  }
  return kTenths.back() * unit;
}

std::string amount_text(std::int64_t amount, UseMeter meter) {
  if (meter == UseMeter::kUsd) return format_usd(amount);
  for (const auto& [unit, letter] : {std::pair{1'000'000'000, 'G'}, {1'000'000, 'M'}, {1'000, 'k'}}) {
    if (amount >= unit && amount % unit == 0) return fmt::format("{}{}", amount / unit, letter);
  }
  return std::to_string(amount);
}

std::string dollars_text(std::int64_t micros) {
  if (micros < 1'000'000) return "$" + format_usd(micros);
  const std::int64_t cents = (micros + kCent / 2) / kCent;
  return fmt::format("${}.{:02}", format_count(cents / 100), cents % 100);
}

std::int64_t amount_at(const GroupUse& group, UseWindow window, UseMeter meter, int multiple) {
  if (window > group.longest) return 0;
  std::int64_t most = 0;
  for (std::size_t at = 0; at <= static_cast<std::size_t>(window); ++at) {
    most = std::max(most, group.of(static_cast<UseWindow>(at), meter).quantile(0.95));
  }
  return most == 0 ? 0 : written_amount(std::min(most, kMaxWritten / multiple) * multiple, meter);
}

GroupProposal propose(const GroupUse& group, int multiple) {
  using enum UseWindow;
  Maker maker(group, multiple);
  switch (group.shape) {
    case Shape::kUnknown:
    case Shape::kConversational:
      maker.sliding(UseMeter::kRequests, {kPerMinute, kPerDay});
      maker.sliding(UseMeter::kTokens, {kPerMinute, kPerDay});
      maker.calendar(UseMeter::kUsd, {kPerDay});
      break;
    case Shape::kBatch:
      maker.bucket();
      maker.calendar(UseMeter::kTokens, {kPerHour, kPerDay});
      maker.calendar(UseMeter::kUsd, {kPerDay});
      maker.concurrency();
      break;
    case Shape::kAutonomous:
      maker.bucket();
      maker.sliding(UseMeter::kTokens, {kPerHour, kPerDay});
      maker.calendar(UseMeter::kUsd, {kPerDay});
      maker.sliding(UseMeter::kRuns, {kPerHour});
      break;
  }
  return maker.done();
}

bool may_be_refused(const ConsumerUse& consumer, const GroupProposal& proposal) {
  if (consumer.several) return true;  // its windows are those of more than one group together
  const auto most = [&](UseWindow window, std::size_t meter) {
    return consumer.windows[static_cast<std::size_t>(window)].most[meter];
  };
  constexpr std::size_t kRequests = static_cast<std::size_t>(UseMeter::kRequests);
  for (std::size_t meter = 0; meter < kUseMeters; ++meter) {
    if (proposal.bucket && meter == kRequests) continue;
    for (std::size_t window = 0; window < kUseWindows; ++window) {
      const std::int64_t amount = proposal.sums[window][meter];
      if (amount > 0 && most(static_cast<UseWindow>(window), meter) > amount) return true;
    }
  }
  const std::int64_t in_minutes = most(UseWindow::kPerMinute, kRequests);  // at most, in any minute
  const bool within_a_minute = consumer.longest <= kMinute;
  if (proposal.concurrency > 0 && (!within_a_minute || in_minutes > proposal.concurrency)) return true;
  if (!proposal.bucket) return false;
  // A bucket refuses when some stretch of time holds more than the burst and what refilled during it. A stretch of at
  // least m and less than m + 1 minutes lies within m + 2 of the clock's, and within two of its hours if it is shorter
  // than one.
  const std::int64_t rate = proposal.sums[static_cast<std::size_t>(UseWindow::kPerHour)][kRequests];
  const std::int64_t burst = proposal.sums[static_cast<std::size_t>(UseWindow::kPerMinute)][kRequests];
  const std::int64_t in_hours = most(UseWindow::kPerHour, kRequests);
  for (std::int64_t minutes = 0; minutes < 60; ++minutes) {
    const std::int64_t pairs = (minutes + 3) / 2;
    if (std::min(pairs * in_minutes, in_hours) > burst + rate * minutes / 60) return true;
  }
  // Of at least h hours: within h + 2 of the clock's, so every two further hours add at most what they refill.
  return in_hours > rate || 2 * in_hours > burst + rate;
}

std::string_view suits(Shape shape) {
  static constexpr std::array<std::string_view, kShapes> kTexts = {
      "too few requests of each to tell; a short sliding window and a day",
      "a short sliding window and a day; usd per day",
      "a bucket that paces, tokens per calendar hour and day, usd per day, concurrency",
      "a bucket, tokens per sliding hour and day, usd per day, runs per hour"};
  return kTexts[static_cast<std::size_t>(shape)];
}

std::string limits_yaml(std::span<const GroupUse> groups, std::span<const GroupProposal> proposals,
                        std::span<const std::string> tiers, std::string_view fallback,
                        std::span<const LimitRule> replaced) {
  std::string out = "limits:\n";
  const std::vector<std::string> kinds = kinds_busiest_last(groups);
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    for (const std::string_view meter :
         {kMeters[0], kMeters[1], kMeters[2], kMeters[3], std::string_view("concurrency")}) {
      std::string map;
      const ProposedLimit* others = nullptr;
      for (std::size_t at = 0; at < groups.size(); ++at) {
        const ProposedLimit* limit = groups[at].kind == kinds[kind] ? limit_of(proposals[at], meter) : nullptr;
        if (limit == nullptr) continue;
        if (others == nullptr || groups[at].tier == fallback) others = limit;
        if (std::find(tiers.begin(), tiers.end(), groups[at].tier) == tiers.end()) continue;
        map += fmt::format("      {}: {}\n", groups[at].tier, flow(limit->windows));
      }
      if (others == nullptr) continue;
      out += fmt::format("  - name: {}\n    per: caller\n    meter: {}\n",
                         kinds.size() == 1 ? std::string(meter) : fmt::format("{}-{}", meter, kinds[kind]), meter);
      out += match_of(kinds, kind);
      out += fmt::format("    allow:\n{}      default: {}\n", map, flow(others->windows)) + ladder_of(replaced, meter);
    }
  }
  return out;
}

}  // namespace weir
