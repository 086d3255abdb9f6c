#include "admin/sentence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include "behavior/evidence.h"
#include "policy/amounts.h"
#include "records/metadata.h"

namespace weir {
namespace {

using evidence::shown;
using Names = std::map<std::string, std::string>;

std::string count_of(std::int64_t count, std::string_view one) {
  return fmt::format("{} {}{}", format_count(count), one, count == 1 ? "" : "s");
}

// Two units, so that a wait of 4 days and 4 hours is not one of 5 days.
std::string wait_words(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(std::min(seconds, 1e9)));
  if (whole < 120) return fmt::format("{} s", std::max<std::int64_t>(whole, 1));
  const auto two = [](std::int64_t smaller, std::int64_t in_one, std::string_view one, std::string_view small) {
    const std::int64_t rest = smaller % in_one;
    return count_of(smaller / in_one, one) + (rest == 0 ? "" : " " + count_of(rest, small));
  };
  const std::int64_t minutes = (whole + 59) / 60;
  if (minutes < 120) return count_of(minutes, "minute");
  const std::int64_t hours = (minutes + 59) / 60;
  return hours < 48 ? two(minutes, 60, "hour", "minute") : two(hours, 24, "day", "hour");
}

// Whose amount it is: "acme-bot", "tenant acme with model gpt-4o", "everybody together".
std::string whose(const AuditRow& row, const Names& per) {
  std::string out;
  const auto add = [&](const std::string& words) { out += (out.empty() ? "" : " with ") + words; };
  for (const char* first : {"key", "caller"}) {
    if (const auto found = per.find(first); found != per.end()) add(shown(found->second));
  }
  for (const auto& [name, value] : per) {
    if (name != "key" && name != "caller") add(shown(name) + " " + shown(value));
  }
  if (!out.empty()) return out;
  return row.layer == "breaker" && !row.key.empty() ? shown(row.key) : "everybody together";
}

std::string actor(const AuditRow& row) {
  if (!row.key.empty()) return shown(row.key);
  return row.user.empty() ? "a caller without a key" : "user " + shown(row.user);
}

// "48210" as "48,210"; what is no whole number stays as it is.
std::string grouped(const std::string& number) {
  const bool whole = !number.empty() && number.size() < 18 &&
                     std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
  std::string out = number;
  if (whole) {
    for (std::size_t at = number.size(); at > 3; at -= 3) out.insert(at - 3, ",");
  }
  return out;
}

// The limit's window that the row is about: the one with that amount, else the only one.
const WindowRule* window_of(const LimitRule& limit, const std::string& allowed, bool usd) {
  const WindowRule* any = nullptr;
  std::size_t windows = 0;
  for (const TierAllowance& tier : limit.allow) {
    for (const WindowRule& window : tier.windows) {
      any = &window;
      ++windows;
      if ((usd ? format_usd(window.amount) : std::to_string(window.amount)) == allowed) return &window;
    }
  }
  return windows == 1 ? any : nullptr;
}

std::string window_words(const WindowRule* window) {
  if (window == nullptr) return {};
  switch (window->kind) {
    case WindowKind::kSliding:
      return " within " +
             (window->length % kDay == 0 ? count_of(window->length / kDay, "day") : evidence::duration(window->length));
    case WindowKind::kCalendar:
      return " in this calendar " + window->calendar;
    case WindowKind::kBucket:
      return " at once (refilled at " + window->label + ")";
    case WindowKind::kConcurrency:
      return " at once";
  }
  return {};
}

struct Unit {
  bool usd = false;
  std::string after;  // " tokens"
  std::string window;

  std::string amount(const std::string& number) const { return (usd ? "$" : "") + grouped(number); }
};

Unit unit_of_row(const AuditRow& row, const Policy* policy) {
  Unit unit;
  // Dollars are the only amounts that are shown with decimals.
  unit.usd = row.allowed.find('.') != std::string::npos || row.requested.find('.') != std::string::npos;
  if (policy == nullptr) return unit;
  const auto limit = std::find_if(policy->limits.begin(), policy->limits.end(),
                                  [&](const LimitRule& each) { return each.name == row.limit; });
  if (limit == policy->limits.end()) return unit;
  unit.usd = limit->meter_name == "usd";
  std::string meter = limit->meter_name == "concurrency" ? "requests" : limit->meter_name;
  std::replace(meter.begin(), meter.end(), '_', ' ');
  if (!unit.usd) unit.after = " " + meter;
  unit.window = window_words(window_of(*limit, row.allowed, unit.usd));
  return unit;
}

std::string room_again(const AuditRow& row) {
  if (row.retry_after_s >= 0) return fmt::format(" Room again in {}.", wait_words(row.retry_after_s));
  return row.event == AuditEvent::kRefused ? " That can never fit." : "";
}

// "… had used 48,210 of 50,000 tokens within 1 minute and held 1,100; this request asked for 2,600 more."
std::string numbers(const AuditRow& row, const Names& per, const Policy* policy) {
  const Unit unit = unit_of_row(row, policy);
  std::string out =
      fmt::format("{} had used {} of {}{}{}", whose(row, per), unit.amount(row.used.empty() ? "0" : row.used),
                  unit.amount(row.allowed), unit.after, unit.window);
  if (!row.reserved.empty() && row.reserved != "0") out += " and held " + unit.amount(row.reserved);
  if (!row.requested.empty() && row.requested != "0") {
    out += fmt::format("; this {} asked for {} more",
                       row.tool.empty() ? "request" : "call of `" + shown(row.tool) + "`", unit.amount(row.requested));
  }
  return out + ".";
}

std::string limit_name(const AuditRow& row) {
  return "`" + shown(row.limit) + "`";
}

std::string ended(std::string text) {
  if (!text.empty() && text.back() != '.') text += '.';
  return text;
}

bool is_denial(const AuditRow& row) {
  return row.layer == "tool" && row.limit == "tools";
}

std::string killed(const AuditRow& row, const Names& per) {
  for (const char* kind : {"key", "agent", "run", "tool"}) {
    const auto found = per.find(kind);
    if (found != per.end()) return fmt::format("The {} {} is stopped by a kill switch", kind, shown(found->second));
  }
  return actor(row) + " is stopped by a kill switch";
}

std::string refused(const AuditRow& row, const Names& per, const Policy* policy) {
  if (is_denial(row)) return fmt::format("{} may not use the tool `{}`.", actor(row), shown(row.tool));
  if (row.limit == "killed") return row.evidence.empty() ? killed(row, per) + "." : ended(row.evidence);
  if (row.limit == "table_full") {
    return "The table of counters was full, so that this request could not be counted; it was refused to keep all "
           "limits true.";
  }
  if (row.layer == "entry" && row.limit == "holds") {
    return actor(row) + " had as many open holds as one key may have; settle or cancel some.";
  }
  if (row.layer == "breaker") {
    std::string out = fmt::format("Breaker {} stopped {}", limit_name(row), actor(row));
    if (!row.evidence.empty()) return ended(out + ": " + row.evidence);
    return row.allowed.empty() ? out + "." : out + ": " + numbers(row, per, policy);
  }
  if (!row.allowed.empty()) {
    std::string out = numbers(row, per, policy) + room_again(row);
    return row.evidence.empty() ? out : out + " " + ended(row.evidence);
  }
  if (!row.evidence.empty()) return ended(fmt::format("{} was refused: {}", actor(row), row.evidence));
  return fmt::format("{} was refused by {}.", actor(row), limit_name(row));
}

std::string stripped(const AuditRow& row, const Names& per, const Policy* policy) {
  std::string out = fmt::format("The tool `{}` was taken from the request of {}", shown(row.tool), actor(row));
  if (is_denial(row) || row.allowed.empty()) return out + ": it may not be used.";
  return out + ": " + numbers(row, per, policy) + room_again(row);
}

// "spend; model=gpt-4o-mini; max_tokens=256", as in X-Weir-Degraded.
std::string degraded(const AuditRow& row) {
  const std::size_t semicolon = row.evidence.find(';');
  std::string how = semicolon == std::string::npos ? std::string() : row.evidence.substr(semicolon + 1);
  std::replace(how.begin(), how.end(), ';', ',');
  while (how.starts_with(' ')) how.erase(0, 1);
  return fmt::format("The budget {} of {} was running low, so that the request was answered by less{}.",
                     limit_name(row), actor(row), how.empty() ? "" : ": " + shown(how));
}

// "by admin: kind=human tier=pro".
std::string changed(const AuditRow& row, const Names& per) {
  std::string by = "Somebody", detail = row.evidence;
  if (detail.starts_with("by ")) {
    const std::size_t colon = detail.find(": ");
    by = shown(detail.substr(3, colon == std::string::npos ? std::string::npos : colon - 3));
    detail = colon == std::string::npos ? std::string() : detail.substr(colon + 2);
  }
  std::string what = per.empty() ? "" : " " + per.begin()->first + " " + shown(per.begin()->second);
  if (row.limit == "retention") return ended("Retention: " + detail);
  if (row.limit == "purge") return ended(fmt::format("{} deleted somebody's records: {}", by, detail));
  if (row.layer == "breaker") return ended(fmt::format("{} was throttled too often: {}", actor(row), row.evidence));
  std::string verb = "did `" + shown(row.limit) + "` on";
  if (row.limit == "keys create") verb = "created the";
  if (row.limit == "keys update") verb = "changed the";
  if (row.limit == "keys revoke") verb = "revoked the";
  if (row.limit.starts_with("kill ")) verb = "stopped the";
  if (row.limit.starts_with("unkill ")) verb = "let go on the";
  if (what.empty()) verb = "did `" + shown(row.limit) + "`";
  return ended(fmt::format("{} {}{}{}{}", by, verb, what, detail.empty() ? "" : ": ", detail));
}

std::string of_event(const AuditRow& row, const Names& per, const Policy* policy) {
  switch (row.event) {
    case AuditEvent::kRefused:
    case AuditEvent::kBroken:
      return refused(row, per, policy);
    case AuditEvent::kWarned:
      if (!row.evidence.empty()) return ended(fmt::format("Only a warning ({}): {}", limit_name(row), row.evidence));
      return row.allowed.empty() ? fmt::format("Only a warning: {} was reached by {}.", limit_name(row), actor(row))
                                 : "Only a warning: " + numbers(row, per, policy);
    case AuditEvent::kStripped:
      return stripped(row, per, policy);
    case AuditEvent::kDegraded:
      return degraded(row);
    case AuditEvent::kTrust:
      return ended(fmt::format("Weir trusts {} less: {}", actor(row), row.evidence));
    case AuditEvent::kAdmin:
      return changed(row, per);
  }
  return {};
}

}  // namespace

std::string sentence_of(const AuditRow& row, const Policy* policy) {
  const auto read = flatten_metadata(row.per_json);
  std::string out = of_event(row, read ? *read : Names(), policy);
  if (row.count > 1) out += fmt::format(" It happened {} times within that second.", format_count(row.count));
  return out;
}

}  // namespace weir
