#include "gateway/trips.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/refusal_audit.h"
#include "gateway/reply.h"

namespace weir {
namespace {

std::string amount_text(std::string_view meter, std::int64_t amount) {
  return meter == "usd" ? decimal_usd(amount) : std::to_string(amount);
}

std::string seconds_text(DurationNs wait) {
  return std::to_string((wait + kSecond - 1) / kSecond) + " s";
}

// A run that did too much is over once it was idle; what it is then refused for depth, it always will be.
DurationNs wait_of(const Trip& trip, const Entry& entry) {
  const bool run = trip.guard == "runs" && trip.meter != "depth" && entry.rules != nullptr;
  return run && trip.retry_after == kNever ? entry.rules->runs.idle + kMillisecond : trip.retry_after;
}

bool is_of_caller(std::string_view guard) {
  return guard == "failed_prompts" || guard == "unlinked";
}

}  // namespace

Refusal refusal_of(const Trip& trip, const Entry& entry, const Identity& who, std::string_view tool, TimeNs now) {
  Refusal refusal;
  refusal.limit = trip.guard;
  refusal.layer = "breaker";
  if (is_of_caller(trip.guard) || entry.run.empty()) {
    refusal.per.emplace_back("caller", who.caller);
  } else {
    refusal.per.emplace_back("run", entry.run);
  }
  if (!tool.empty()) refusal.per.emplace_back("tool", tool);
  refusal.meter = trip.meter;
  if (!trip.meter.empty()) {
    refusal.allowed = amount_text(trip.meter, trip.allowed);
    refusal.used = amount_text(trip.meter, trip.used);
    refusal.reserved = "0";
    refusal.requested = trip.meter == "usd" || trip.meter == "tokens" ? std::string() : "1";
  }
  const DurationNs told = wait_of(trip, entry);
  if (told != kNever) {
    const DurationNs wait = std::max<DurationNs>(told, kMillisecond);
    const std::int64_t wait_ms = (wait + kMillisecond - 1) / kMillisecond;
    refusal.retry_after_s = static_cast<double>(wait_ms) / 1000;
    refusal.reset_at = now + wait_ms * kMillisecond;
  }
  return refusal;
}

std::string message_of(const Trip& trip) {
  std::string text = "Breaker `";
  text.append(trip.guard).append("`: ").append(trip.evidence);
  if (!text.ends_with('.')) text += '.';
  if (trip.retry_after != kNever) text.append(" Try again in ").append(seconds_text(trip.retry_after)) += '.';
  return text;
}

std::string warning_of(const Trip& trip) {
  return fmt::format("{}; used={}; allowed={}", trip.guard, amount_text(trip.meter, trip.used),
                     amount_text(trip.meter, trip.allowed));
}

void audit_trip(Services& services, AuditEvent event, const Trip& trip, const Entry& entry, std::string_view tool,
                const EventSource& of) {
  Refusal refusal = refusal_of(trip, entry, of.who, tool, services.now);
  const bool stirred = event == AuditEvent::kWarned || event == AuditEvent::kBroken;
  if (stirred && trip.guard != "killed") services.metrics->anomalies.add(trip.guard);
  if (event == AuditEvent::kWarned && trip.retry_after == 0) refusal.retry_after_s = -1;  // nobody was told to wait
  audit_event(services, event, refusal, of, trip.evidence);
}

Refusal denial_of(const Identity& who, std::string_view tool) {
  Refusal refusal;
  refusal.limit = "tools";
  refusal.layer = "tool";
  refusal.per.emplace_back("key", who.consumer ? who.consumer->name : who.ip);
  refusal.per.emplace_back("tool", tool);
  refusal.meter = "tool_calls";
  refusal.allowed = "0";
  refusal.used = refusal.reserved = "0";
  refusal.requested = "1";
  return refusal;
}

}  // namespace weir
