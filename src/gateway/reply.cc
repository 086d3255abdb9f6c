#include "gateway/reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/strings.h"

namespace weir {
namespace {

constexpr DurationNs kLongWait = 60 * kSecond;  // beyond it official SDKs should not retry (specs/http.md 4)

std::int64_t ceil_seconds(DurationNs wait) {
  return std::max<std::int64_t>(1, (wait + kSecond - 1) / kSecond);
}

std::int64_t remaining_of(const Plan& plan, const Decision& decision, std::size_t i) {
  const Verdict& v = decision.verdicts[i];
  const std::int64_t charged = decision.admitted ? plan.demands()[i].cost : 0;
  return std::max<std::int64_t>(0, plan.limits()[i].amount - v.used - v.reserved - charged);
}

// Window in whole seconds as `w`; 0 where the window has none.
std::int64_t window_seconds(const PlannedLimit& limit) {
  const WindowRule& w = *limit.window;
  DurationNs length = w.length;
  if (w.kind == WindowKind::kConcurrency) return 0;
  if (w.kind == WindowKind::kCalendar) length = limit.period.end - limit.period.start;
  if (w.kind == WindowKind::kBucket && w.rate.units > 0) {
    length = static_cast<DurationNs>(static_cast<double>(limit.amount) * static_cast<double>(w.rate.per) /
                                     static_cast<double>(w.rate.units));
  }
  return ceil_seconds(length);
}

std::string_view unit_parameter(const PlannedLimit& limit) {
  if (limit.window->kind == WindowKind::kConcurrency) return ";qu=\"concurrent-requests\"";
  if (limit.rule->meter.size() != 1) return ";weir-unit=\"weighted\"";
  switch (limit.rule->meter.front().kind) {
    case MeterKind::kRequests:
    case MeterKind::kRuns:
    case MeterKind::kToolCalls:
      return "";
    case MeterKind::kUsd:
      return ";weir-unit=\"usd-micros\"";
    case MeterKind::kBytesIn:
    case MeterKind::kBytesOut:
      return ";qu=\"content-bytes\"";
    case MeterKind::kCustom:
      return ";weir-unit=\"custom\"";
    default:
      return ";weir-unit=\"tokens\"";
  }
}

// Time until more becomes available; for a counter that only this request uses, until its own charge leaves.
DurationNs until_reset(const Plan& plan, const Decision& decision, std::size_t i, TimeNs now) {
  const PlannedLimit& limit = plan.limits()[i];
  const Verdict& v = decision.verdicts[i];
  if (v.refuses && v.retry_after != kNever) return v.retry_after;
  if (v.reset_at > now) return v.reset_at - now;
  if (!decision.admitted || plan.demands()[i].cost == 0) return 0;
  switch (limit.window->kind) {
    case WindowKind::kSliding:
      return limit.window->length;
    case WindowKind::kCalendar:
      return limit.period.end - now;
    case WindowKind::kBucket:
      return std::max<DurationNs>(1, limit.window->rate.per / std::max<std::int64_t>(1, limit.window->rate.units));
    case WindowKind::kConcurrency:
      break;
  }
  return 0;
}

// `"name";q=100;w=60`, with a comma before it unless it is the first.
void append_policy_item(const PlannedLimit& limit, bool first, std::string& out) {
  out.append(first ? "\"" : ", \"").append(limit.window->item).append("\";q=");
  append_number(out, limit.amount);
  if (const std::int64_t w = window_seconds(limit); w > 0) append_number(out.append(";w="), w);
  out += unit_parameter(limit);
}

// `"name";r=99;t=60`
void append_state_item(const Plan& plan, const Decision& decision, std::size_t i, TimeNs now, bool first,
                       std::string& out) {
  const PlannedLimit& limit = plan.limits()[i];
  out.append(first ? "\"" : ", \"").append(limit.window->item).append("\";r=");
  append_number(out, remaining_of(plan, decision, i));
  if (limit.window->kind == WindowKind::kConcurrency) return;
  if (const DurationNs until = until_reset(plan, decision, i, now); until > 0) {
    append_number(out.append(";t="), ceil_seconds(until));
  }
}

// The names clients see as "requests" and "tokens" headers.
std::string_view plain_meter(const LimitRule& rule) {
  if (rule.meter.size() != 1 || rule.meter.front().weight != 1) return {};
  switch (rule.meter.front().kind) {
    case MeterKind::kRequests:
      return "requests";
    case MeterKind::kTokens:
      return "tokens";
    case MeterKind::kInputTokens:
      return "input_tokens";
    case MeterKind::kOutputTokens:
      return "output_tokens";
    default:
      return {};
  }
}

ErrorKind refusal_kind(bool never, const Decision& decision) {
  if (decision.table_full) return ErrorKind::kOverloaded;
  if (never) return ErrorKind::kTooLarge;
  return decision.retry_after > kLongWait ? ErrorKind::kQuota : ErrorKind::kRateLimited;
}

void append_wait(DurationNs wait, std::string& out) {
  append_header(out, "retry-after", ceil_seconds(wait));
  append_header(out, "retry-after-ms", std::max<std::int64_t>(1, (wait + kMillisecond - 1) / kMillisecond));
}

// "55.4 s", "2 h 6 min", "3 d 4 h": as a person reads a wait.
std::string wait_in_words(double seconds) {
  const auto whole = std::llround(seconds);
  if (whole < 120) return fmt::format("{:.3g} s", seconds);
  if (whole < 2 * 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 48 * 3600) return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
  return fmt::format("{} d {} h", whole / 86400, whole / 3600 % 24);
}

std::string refusal_message(const Refusal& r, bool never) {
  const std::string window = r.window.empty() ? std::string(" at once") : " per " + r.window;
  std::string text =
      never ? fmt::format("This request can never fit limit `{}` ({} {}{}): it asks for {}. Make it smaller.", r.limit,
                          r.allowed, r.meter, window, r.requested)
            : fmt::format(
                  "Limit `{}` reached: {} {}{} allowed, {} used, {} reserved, {} requested. "
                  "Try again in {}.",
                  r.limit, r.allowed, r.meter, window, r.used, r.reserved, r.requested, wait_in_words(r.retry_after_s));
  return text;
}

}  // namespace

std::string serialize(const Reply& reply, bool head_request, bool keep_alive, int minor_version) {
  std::string out;
  out.reserve(256 + reply.headers.size() + reply.body.size());
  append_status_line(out, reply.status);
  if (!reply.content_type.empty() && !reply.body.empty()) append_header(out, "content-type", reply.content_type);
  if (reply.status != 204 && reply.status != 304) {
    append_header(out, "content-length", static_cast<std::int64_t>(reply.body.size()));
  }
  out += reply.headers;
  if (reply.close || !keep_alive) {
    append_header(out, "connection", "close");
  } else if (minor_version == 0) {
    append_header(out, "connection", "keep-alive");
  }
  out += "\r\n";
  if (!head_request) out += reply.body;
  return out;
}

Reply error_reply(ErrorShape shape, const ErrorFacts& facts) {
  Reply reply{
      .status = facts.status, .content_type = std::string(content_type_of(shape)), .body = error_body(shape, facts)};
  if (!facts.request_id.empty()) append_header(reply.headers, "x-weir-request-id", facts.request_id);
  return reply;
}

Reply refusal_reply(ErrorShape shape, const Plan& plan, const Decision& decision, const Refusal& refusal,
                    const std::string& request_id, TimeNs now) {
  const bool never = !decision.table_full && Ruleset::never_fits(plan, decision);
  ErrorFacts facts{.kind = refusal_kind(never, decision), .request_id = request_id};
  facts.status = decision.table_full ? 503 : never ? 413 : 429;
  if (decision.table_full) {
    facts.message = "Weir has no room to count another caller right now. Try again shortly.";
  } else {
    facts.message = refusal_message(refusal, never);
    facts.refusal = &refusal;
  }
  Reply reply = error_reply(shape, facts);
  if (decision.table_full) {
    append_retry_after(5 * kSecond + now % (3 * kSecond), reply.headers);  // jittered by the instant itself
  } else if (never) {
    append_header(reply.headers, "x-should-retry", "false");
  } else {
    append_retry_after(decision.retry_after, reply.headers);
  }
  if (!decision.table_full) append_limit_state(shape, plan, decision, now, reply.headers);
  return reply;
}

Reply breaker_reply(ErrorShape shape, const Refusal& refusal, std::string message, const std::string& request_id,
                    bool never) {
  Reply reply = error_reply(shape, {.kind = never ? ErrorKind::kTooLarge : ErrorKind::kAbnormal,
                                    .status = never ? 413 : 429,
                                    .message = std::move(message),
                                    .request_id = request_id,
                                    .refusal = &refusal});
  append_breaker_wait(refusal, reply.headers);
  return reply;
}

void append_breaker_wait(const Refusal& refusal, std::string& out) {
  if (refusal.retry_after_s >= 0) append_wait(static_cast<DurationNs>(refusal.retry_after_s * 1e9), out);
  append_header(out, "x-should-retry", "false");
}

void append_limit_state(ErrorShape shape, const Plan& plan, const Decision& decision, TimeNs now, std::string& out) {
  const std::size_t count = std::min<std::size_t>(decision.count, plan.limits().size());
  std::array<std::size_t, 2> tightest{kMaxDemands, kMaxDemands};
  std::array<double, 2> share{2, 2};
  std::array<LimitShare, kMaxDemands> shares;
  std::size_t share_count = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const PlannedLimit& limit = plan.limits()[i];
    if (limit.rule->shadow) continue;
    const std::int64_t left = remaining_of(plan, decision, i);
    const double ratio = limit.amount > 0 ? static_cast<double>(left) / static_cast<double>(limit.amount) : 0;
    if (ratio < share[0]) {
      tightest[1] = tightest[0];
      share[1] = share[0];
      tightest[0] = i;
      share[0] = ratio;
    } else if (ratio < share[1]) {
      tightest[1] = i;
      share[1] = ratio;
    }
    if (const std::string_view meter = plain_meter(*limit.rule); !meter.empty()) {
      shares[share_count++] = {meter, limit.amount, left, until_reset(plan, decision, i, now)};
    }
  }
  if (tightest[0] == kMaxDemands) return;
  out += "ratelimit-policy: ";
  for (const std::size_t i : tightest) {
    if (i != kMaxDemands) append_policy_item(plan.limits()[i], i == tightest[0], out);
  }
  out += "\r\nratelimit: ";
  for (const std::size_t i : tightest) {
    if (i != kMaxDemands) append_state_item(plan, decision, i, now, i == tightest[0], out);
  }
  out += "\r\n";
  append_limit_headers(shape, std::span(shares).first(share_count), now, out);
}

void append_retry_after(DurationNs wait, std::string& out) {
  append_wait(wait, out);
  if (wait > kLongWait) append_header(out, "x-should-retry", "false");
}

std::string decimal_usd(std::int64_t usd_micros) {
  std::string out;
  append_number(out, usd_micros / 1'000'000);
  out += '.';
  append_number(out, usd_micros % 1'000'000, 6);
  return out;
}

}  // namespace weir
