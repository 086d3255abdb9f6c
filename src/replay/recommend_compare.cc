#include "replay/recommend_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/strings.h"
#include "policy/amounts.h"
#include "replay/recommend_proposal.h"

namespace weir {
namespace {

constexpr std::string_view kOwnLeftOut = " (without those whose key has its own amount)";

std::optional<UseMeter> meter_of(const LimitRule& rule) {
  if (rule.meter.size() != 1 || rule.meter[0].weight != 1) return std::nullopt;
  switch (rule.meter[0].kind) {
    case MeterKind::kRequests:
      return UseMeter::kRequests;
    case MeterKind::kTokens:
      return UseMeter::kTokens;
    case MeterKind::kUsd:
      return UseMeter::kUsd;
    case MeterKind::kRuns:
      return UseMeter::kRuns;
    default:
      return std::nullopt;
  }
}

std::optional<UseWindow> window_of(const WindowRule& window) {
  if (window.kind == WindowKind::kBucket) return UseWindow::kPerMinute;
  for (const UseWindow known : {UseWindow::kPerMinute, UseWindow::kPerHour, UseWindow::kPerDay}) {
    const bool same =
        window.kind == WindowKind::kCalendar ? window.calendar == to_string(known) : window.length == length_of(known);
    if (same) return known;
  }
  return std::nullopt;
}

// Why nothing can be said of the whole limit; empty: something can.
std::string not_judged(const LimitRule& rule) {
  if (rule.per.size() != 1 || (rule.per[0] != "caller" && rule.per[0] != "key" && rule.per[0] != "user")) {
    return fmt::format("counts per {}; only use per caller is measured",
                       rule.per.empty() ? "global" : fmt::format("{}", fmt::join(rule.per, " and ")));
  }
  for (const MatchTerm& term : rule.match) {
    if (term.attribute != "tier" && term.attribute != "kind") {
      return fmt::format("holds for some requests only (match: {}); all of a caller's are measured", term.attribute);
    }
  }
  if (!meter_of(rule)) return fmt::format("the meter {} is not measured", rule.meter_name);
  return {};
}

bool applies(const LimitRule& rule, const GroupUse& group) {
  return std::all_of(rule.match.begin(), rule.match.end(), [&](const MatchTerm& term) {
    const std::string& value = term.attribute == "tier" ? group.tier : group.kind;
    const bool any = std::any_of(term.patterns.begin(), term.patterns.end(),
                                 [&](const std::string& pattern) { return glob_match(pattern, value); });
    return any != term.negated;
  });
}

const TierAllowance* allowance_of(const LimitRule& rule, const std::string& tier) {
  const TierAllowance* others = nullptr;
  for (const TierAllowance& allowance : rule.allow) {
    if (allowance.tier == tier) return &allowance;
    if (allowance.tier.empty()) others = &allowance;
  }
  return others;
}

std::string shown_amount(std::int64_t amount, UseMeter meter) {
  return meter == UseMeter::kUsd ? dollars_text(amount) : format_count(amount);
}

// `own`: of the group's use, the part of consumers whose key has an amount of its own of this limit; null: none has.
LimitFinding judge(const LimitRule& rule, const WindowRule& window, const GroupUse& group, const UseHistograms* own) {
  LimitFinding out{.limit = rule.name, .tier = group.tier, .kind = group.kind, .window = window.label};
  const UseMeter meter = *meter_of(rule);
  out.allowed = amount_text(window.amount, meter);
  out.verdict = LimitVerdict::kNotJudged;
  const auto measured = window_of(window);
  if (!window.amount_metadata.empty()) {
    out.allowed.clear();
    out.why = "each key has its own amount";
    return out;
  }
  if (!measured) {
    out.why = fmt::format("use per {} is not measured; minutes, hours and days are", window.label);
    return out;
  }
  if (*measured > group.longest) {
    out.why = fmt::format("less than one {} was seen", to_string(*measured));
    return out;
  }
  AmountHistogram use = group.of(*measured, meter);
  if (own != nullptr) use.remove((*own)[static_cast<std::size_t>(*measured)][static_cast<std::size_t>(meter)]);
  out.p95 = use.quantile(0.95);
  if (out.p95 == 0) {
    out.why = own != nullptr ? "each key that used it has its own amount" : "nothing of it was used";
    return out;
  }
  const double times = static_cast<double>(window.amount) / static_cast<double>(out.p95);
  const std::string is =
      fmt::format("{} is {} times the p95 of {} per {}", shown_amount(window.amount, meter),
                  times < 10 ? fmt::format("{:.2g}", times) : format_count(static_cast<std::int64_t>(times)),
                  shown_amount(out.p95, meter), to_string(*measured));
  const auto change_to = [&](LimitVerdict verdict, int multiple, std::string_view because) {
    out.verdict = verdict;
    const std::int64_t amount = written_amount(out.p95 * multiple, meter);
    out.proposed = amount_text(amount, meter);
    out.why = fmt::format("{}: {}; {} times is {}", is, because, multiple, shown_amount(amount, meter));
  };
  if (times < kMultiples.front()) {
    change_to(LimitVerdict::kLoosen, kMultiples.front(), "ordinary peaks meet it");
  } else if (static_cast<double>(window.amount) >
             static_cast<double>(written_amount(out.p95 * kMultiples.back(), meter))) {
    change_to(LimitVerdict::kTighten, kMultiples.back(), "it would stop a runaway late");
  } else {
    out.verdict = LimitVerdict::kFits;
    out.why = is;
  }
  return out;
}

}  // namespace

const char* to_string(LimitVerdict verdict) {
  static constexpr std::array kNames = {"fits", "tighten", "loosen", "not judged"};
  return kNames[static_cast<std::size_t>(verdict)];
}

std::vector<LimitFinding> compare(const Policy& policy, const UseBook& book) {
  std::vector<LimitFinding> out;
  for (const LimitRule& rule : policy.limits) {
    if (std::string why = not_judged(rule); !why.empty()) {
      out.push_back({.limit = rule.name, .verdict = LimitVerdict::kNotJudged, .why = std::move(why)});
      continue;
    }
    for (const GroupUse& group : book.groups()) {
      if (!applies(rule, group)) continue;
      const TierAllowance* allowance = allowance_of(rule, group.tier);
      if (allowance == nullptr) continue;
      const auto own = group.own.find(static_cast<std::uint16_t>(&rule - policy.limits.data()));
      for (const WindowRule& window : allowance->windows) {
        out.push_back(judge(rule, window, group, own == group.own.end() ? nullptr : &own->second));
        if (own != group.own.end() && out.back().p95 > 0) out.back().why += kOwnLeftOut;
      }
    }
  }
  return out;
}

}  // namespace weir
