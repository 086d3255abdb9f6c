#include "replay/recommend_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/characters.h"
#include "base/json_writer.h"
#include "policy/amounts.h"

namespace weir {
namespace {

constexpr std::array kAllWindows = {UseWindow::kPerMinute, UseWindow::kPerHour, UseWindow::kPerDay};
constexpr std::array kAllMeters = {UseMeter::kRequests, UseMeter::kTokens, UseMeter::kUsd, UseMeter::kRuns};

bool knows_tier(const Policy& policy, const std::string& tier) {
  return tier == "anonymous" ||
         std::any_of(policy.tiers.begin(), policy.tiers.end(), [&](const Tier& known) { return known.name == tier; });
}

double days_seen(const UseBook& book) {
  return static_cast<double>(book.last() - book.first()) / static_cast<double>(kDay);
}

// A line of a comment cannot end it: names come from clients.
std::string one_line(std::string_view text) {
  return without_controls(std::string(text));
}

void amount(JsonWriter& w, std::int64_t value, UseMeter meter) {
  meter == UseMeter::kUsd ? w.raw(format_usd(value)) : w.number(value);
}

JsonWriter& head(JsonWriter& w, std::string_view finding, const GroupUse& group) {
  return w.begin_object().key("finding").string(finding).key("tier").string(group.tier).key("kind").string(group.kind);
}

void add_seen(std::string& out, const Recommendation& r) {
  JsonWriter w(out);
  w.begin_object().key("finding").string("seen").key("requests").number(r.book.requests());
  w.key("consumers").number(static_cast<std::int64_t>(r.book.consumers().size()));
  w.key("from").string(format_rfc3339(r.book.first(), 3)).key("to").string(format_rfc3339(r.book.last(), 3));
  w.key("days").real(days_seen(r.book)).key("enough").boolean(r.book.last() - r.book.first() >= kEnoughSeen);
  w.key("excluded").number(r.excluded).key("notes").begin_array();
  for (const std::string& note : r.notes) w.string(note);
  w.end_array().end_object();
  out += '\n';
}

void add_shape(std::string& out, const GroupUse& group) {
  JsonWriter w(out);
  head(w, "shape", group).key("shape").string(to_string(group.shape)).key("suits").string(suits(group.shape));
  w.key("requests").number(group.requests).key("consumers").number(group.consumers).key("shapes").begin_object();
  for (std::size_t i = 0; i < kShapes; ++i) w.key(to_string(static_cast<Shape>(i))).number(group.shapes[i]);
  w.end_object().key("crowds").number(group.crowds);
  w.key("burstiness").real(group.burstiness).key("quick").real(group.quick).key("overlap").real(group.overlap);
  w.key("night").real(group.night).key("busiest_hour").real(group.busiest_hour).key("hours").real(group.hours);
  w.end_object();
  out += '\n';
}

void add_use(std::string& out, const GroupUse& group) {
  for (const UseMeter meter : kAllMeters) {
    for (const UseWindow window : kAllWindows) {
      const AmountHistogram& use = group.of(window, meter);
      if (use.count() == 0) continue;
      JsonWriter w(out);
      head(w, "use", group).key("meter").string(to_string(meter)).key("window").string(to_string(window));
      w.key("windows").number(use.count());
      for (const auto& [name, share] : {std::pair{"p50", 0.50}, {"p95", 0.95}, {"p99", 0.99}}) {
        w.key(name);
        amount(w, use.quantile(share), meter);
      }
      w.key("amounts").begin_object();
      for (const int multiple : kMultiples) {
        w.key(std::to_string(multiple));
        const std::int64_t most = amount_at(group, window, meter, multiple);
        most == 0 ? void(w.null()) : amount(w, most, meter);
      }
      w.end_object().end_object();
      out += '\n';
    }
  }
}

void add_choices(std::string& out, const Recommendation& r, std::size_t at) {
  const GroupUse& group = r.book.groups()[at];
  for (std::size_t i = 0; i < kMultiples.size(); ++i) {
    const Choice& choice = r.trial.choices(at)[i];
    JsonWriter w(out);
    head(w, "choice", group).key("multiple").number(kMultiples[i]).key("chosen").boolean(r.trial.chosen(at) == i);
    w.key("requests").number(group.requests).key("refused").number(choice.refused);
    w.key("consumers").number(group.consumers).key("refused_consumers").number(choice.consumers);
    w.key("who").begin_array();
    for (const auto& [name, refused] : choice.named) {
      w.begin_object().key("name").string(name).key("refused").number(refused).end_object();
    }
    w.end_array().key("limits").begin_array();
    for (const ProposedLimit& limit : choice.proposal.limits) {
      w.begin_object().key("meter").string(limit.meter).key("allow").begin_array();
      for (const std::string& window : limit.windows) w.string(window);
      w.end_array().end_object();
    }
    w.end_array().end_object();
    out += '\n';
  }
}

void add_current(std::string& out, const LimitFinding& finding) {
  JsonWriter w(out);
  const auto text = [&](std::string_view name, const std::string& value) {
    w.key(name);
    value.empty() ? w.null() : w.string(value);
  };
  w.begin_object().key("finding").string("current").key("limit").string(finding.limit);
  text("tier", finding.tier);
  text("kind", finding.kind);
  text("window", finding.window);
  w.key("verdict").string(to_string(finding.verdict));
  text("allowed", finding.allowed);
  text("proposed", finding.proposed);
  w.key("why").string(finding.why).end_object();
  out += '\n';
}

}  // namespace

std::string counted(std::int64_t count, std::string_view what) {
  return fmt::format("{} {}{}", format_count(count), what, count == 1 ? "" : "s");
}

std::vector<std::string> notes_on(const Policy& policy, const UseBook& book, const Trial& trial,
                                  const Exclusions& exclusions, std::int64_t excluded) {
  std::vector<std::string> notes;
  const DurationNs seen = book.last() - book.first();
  if (seen < kEnoughSeen) {
    const std::string length = seen < kHour  ? counted(seen / kMinute, "minute")
                               : seen < kDay ? counted(seen / kHour, "hour")
                                             : fmt::format("{:.1f} days", days_seen(book));
    notes.push_back(
        fmt::format("only {} seen, less than a week: what other days are like is not in these figures; "
                    "ask again after {}",
                    length, format_rfc3339(book.first() + kEnoughSeen).substr(0, 10)));
    if (seen < kDay) {
      notes.push_back(fmt::format("no whole {} was seen, so no limits per {} are proposed",
                                  seen < kHour ? "hour" : "day", seen < kHour ? "hour or day" : "day"));
    }
  }
  for (std::size_t at = 0; at < book.groups().size(); ++at) {
    const GroupUse& group = book.groups()[at];
    const std::string name = one_line(group.tier + " " + group.kind);
    if (const Choice& last = trial.choices(at).back(); static_cast<double>(last.refused) > accepted_refusals(group)) {
      notes.push_back(fmt::format(
          "{}: even {} times p95 would refuse {:.1f}% of the requests, all of them of {}, "
          "who use far more than the rest: they need a tier of their own",
          name, kMultiples.back(), 100 * static_cast<double>(last.refused) / static_cast<double>(group.requests),
          counted(last.consumers, "consumer")));
    }
    if (group.consumers < kEnoughConsumers) {
      notes.push_back(fmt::format("{}: only {}, too few for quantiles over consumers; single habits decide", name,
                                  counted(group.consumers, "consumer")));
    }
    if (!knows_tier(policy, group.tier)) {
      notes.push_back(
          fmt::format("{}: the policy has no such tier; these callers get the amounts of `default` until "
                      "it is added under `tiers`",
                      name));
    }
    if (group.crowds > 0) {
      notes.push_back(
          fmt::format("{}: {} like many people behind one name; a `kind: service` key that sends "
                      "X-Weir-User gives each of them limits of their own",
                      name, group.crowds == 1 ? "1 consumer looks" : counted(group.crowds, "consumer") + " look"));
    }
  }
  if (excluded > 0) {
    notes.push_back(counted(excluded, "request") +
                    " left out: runs and hours in which the audit has breakers, loops or anomalies");
  }
  if (exclusions.full()) notes.push_back("the audit has more such runs than are kept; some of them are in the figures");
  if (exclusions.refused() > 0) {
    notes.push_back(fmt::format("{} refused meanwhile: what the limits in force cut off is not in these figures",
                                counted(exclusions.refused(), "request")));
  }
  if (book.uncounted() > 0) {
    notes.push_back(
        fmt::format("{} of further consumers or tiers not counted; at most {} consumers and {} tiers and "
                    "kinds are; use --since",
                    counted(book.uncounted(), "request"), format_count(UseBook::kMaxConsumers), UseBook::kMaxGroups));
  }
  return notes;
}

std::string recommendation_json(const Recommendation& r) {
  std::string out;
  add_seen(out, r);
  for (std::size_t at = 0; at < r.book.groups().size(); ++at) {
    add_shape(out, r.book.groups()[at]);
    add_use(out, r.book.groups()[at]);
    add_choices(out, r, at);
  }
  for (const LimitFinding& finding : r.current) add_current(out, finding);
  return out;
}

std::string recommendation_yaml(const Recommendation& r) {
  std::string out = fmt::format("# From {} to {}: {} of {}.\n", format_rfc3339(r.book.first()),
                                format_rfc3339(r.book.last()), counted(r.book.requests(), "request"),
                                counted(static_cast<std::int64_t>(r.book.consumers().size()), "consumer"));
  for (const std::string& note : r.notes) out += "# " + note + "\n";
  std::vector<GroupProposal> proposals;
  for (std::size_t at = 0; at < r.book.groups().size(); ++at) {
    const GroupUse& group = r.book.groups()[at];
    const Choice& choice = r.trial.choices(at)[r.trial.chosen(at)];
    proposals.push_back(choice.proposal);
    out += fmt::format("# {} {}: {}, {} times p95, would have refused {} of {}.\n", one_line(group.tier), group.kind,
                       to_string(group.shape), choice.proposal.multiple, format_count(choice.refused),
                       counted(group.requests, "request"));
  }
  std::string kept;
  for (const LimitRule& rule : r.policy.limits) {
    const bool sized = std::any_of(proposals.begin(), proposals.end(), [&](const GroupProposal& proposal) {
      return std::any_of(proposal.limits.begin(), proposal.limits.end(),
                         [&](const ProposedLimit& l) { return is_sized(rule, l.meter); });
    });
    if (!sized) kept += (kept.empty() ? "" : ", ") + rule.name;
  }
  if (!kept.empty())
    out += "# `limits` replaces all limits: add those of your policy that are not sized here: " + kept + ".\n";
  std::vector<std::string> tiers{"anonymous"};
  for (const Tier& tier : r.policy.tiers) tiers.push_back(tier.name);
  return out + limits_yaml(r.book.groups(), proposals, tiers, r.policy.default_tier, r.policy.limits);
}

}  // namespace weir
