#include "behavior/evidence.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace weir::evidence {

std::string duration(DurationNs span) {
  if (span >= 2 * kHour && span % kHour == 0) return fmt::format("{} hours", span / kHour);
  if (span == kHour) return "1 hour";
  if (span >= 2 * kMinute && span % kMinute == 0) return fmt::format("{} minutes", span / kMinute);
  if (span == kMinute) return "1 minute";
  if (span >= kSecond) return fmt::format("{} s", span / kSecond);
  return fmt::format("{} ms", span / kMillisecond);
}

std::string shown(std::string_view name) {
  std::string out;
  while (!name.empty() && out.size() < kMaxShown) {
    const std::size_t length = utf8_sequence_length(name);
    const bool usable = length > 1 || (length == 1 && static_cast<unsigned char>(name[0]) >= 0x20 && name[0] != 0x7f);
    if (usable) {
      out += name.substr(0, length);
    } else {
      out += '?';
    }
    name.remove_prefix(length == 0 ? 1 : length);
  }
  if (!name.empty()) out += "...";
  return out;
}

namespace {

std::string span_of(DurationNs within) {
  return within > 0 ? fmt::format(" within {}", duration(within)) : "";
}

}  // namespace

std::string same_call(std::string_view tool, std::int64_t times, std::string_view run, DurationNs within) {
  return fmt::format("`{}` was called {} times with the same arguments in run {}{}", shown(tool), times, shown(run),
                     span_of(within));
}

std::string open_call(std::string_view tool, std::string_view run) {
  return fmt::format("`{}` with the same arguments again, after it was repeated too often in run {}", shown(tool),
                     shown(run));
}

std::string same_prompt(std::int64_t times, std::string_view where, DurationNs within) {
  return fmt::format("the same prompt was sent {} times in {}{}", times, shown(where), span_of(within));
}

std::string tool_errors(std::int64_t times, std::string_view run) {
  return fmt::format("the last {} tool results in run {} were errors", times, shown(run));
}

std::string nothing_new(int results, std::string_view run) {
  return fmt::format("the last {} tool results in run {} brought nothing that was not seen before in it", results,
                     shown(run));
}

std::string bound(std::string_view run, std::string_view did, std::int64_t used, std::int64_t allowed) {
  return fmt::format("run {} {} {}, the most that one run may is {}", shown(run), did, used, allowed);
}

std::string burst(std::int64_t calls, std::string_view run, DurationNs within) {
  return fmt::format("{} tool calls in run {}{}", calls, shown(run), span_of(within));
}

std::string killed(const KillSwitch& off) {
  std::string out = fmt::format("{} {} was stopped by an operator", to_string(off.kind), shown(off.name));
  if (off.by == "escalation")
    out = fmt::format("{} {} was stopped after anomalies", to_string(off.kind), shown(off.name));
  if (!off.reason.empty()) out += ": " + off.reason;
  return out;
}

}  // namespace weir::evidence
