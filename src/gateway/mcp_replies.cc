#include "gateway/mcp_replies.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/json_writer.h"
#include "base/strings.h"

namespace weir {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kEvents = "text/event-stream";

bool names(std::string_view accept, std::string_view type) {
  const std::string lower = to_lower(accept);
  return lower.find(type) != std::string::npos;
}

std::int64_t whole_seconds(double seconds) {
  return static_cast<std::int64_t>(std::ceil(std::max(1.0, seconds)));
}

std::string begin_message(std::string_view id) {
  std::string out = R"({"jsonrpc":"2.0")";  // an error about nobody's message has no id
  return id.empty() ? out : out.append(R"(,"id":)").append(id);
}

std::string rpc_refusal_message(const Refusal& refusal, bool never) {
  if (never) return fmt::format("Limit `{}` can never allow this: {} asked for.", refusal.limit, refusal.requested);
  return fmt::format("Limit `{}` reached: {} {}{} allowed. Retry after {} s.", refusal.limit, refusal.allowed,
                     refusal.meter, refusal.window.empty() ? std::string(" at once") : " per " + refusal.window,
                     whole_seconds(refusal.retry_after_s));
}

}  // namespace

bool accepts_events_only(std::string_view accept) {
  return names(accept, kEvents) && !names(accept, kJson) && !names(accept, "*/*") && !names(accept, "application/*");
}

std::string tool_error_message(std::string_view id, bool modern, std::string_view text, const Refusal* refusal) {
  std::string out = begin_message(id);
  out += R"(,"result":{)";
  if (modern) out += R"("resultType":"complete",)";
  out += R"("content":[{"type":"text","text":)";
  append_json_string(out, text);
  out += "}]";
  if (refusal != nullptr) out.append(R"(,"structuredContent":{"weir":)").append(machine_json(*refusal)).append("}");
  return out += R"(,"isError":true}})";
}

std::string rpc_error_message(std::string_view id, int code, std::string_view message, const Refusal* refusal) {
  std::string out = begin_message(id);
  out += fmt::format(R"(,"error":{{"code":{},"message":)", code);
  append_json_string(out, message);
  if (refusal != nullptr) {
    const bool never = refusal->retry_after_s < 0;
    out.append(R"(,"data":{"weir":)").append(machine_json(*refusal)).append(R"(,"retryable":)");
    out.append(never ? "false" : "true").append(R"(,"retryAfterMs":)");
    if (never) {
      out += "null";
    } else {
      append_number(out, std::max<std::int64_t>(1, std::llround(std::ceil(refusal->retry_after_s * 1000))));
    }
    out += '}';
  }
  return out += "}}";
}

std::string refusal_words(std::string_view tool, const Refusal& refusal) {
  std::string out = refusal.layer == "breaker"
                        ? fmt::format("Stopped by breaker `{}`: {} was called {} times, {} are allowed.", refusal.limit,
                                      tool, refusal.used.empty() ? "too many" : refusal.used,
                                      refusal.allowed.empty() ? "fewer" : refusal.allowed)
                    : refusal.window.empty()
                        ? fmt::format("Rate limit: {} of {} may run at once, and they do.", refusal.allowed, tool)
                        : fmt::format("Rate limit: {} {}/{} used.", tool, refusal.allowed, refusal.window);
  if (refusal.retry_after_s < 0) return out + " Do not call it again; continue without it.";
  return out +
         fmt::format(" Retry after {} s. Do not retry now; continue without it.", whole_seconds(refusal.retry_after_s));
}

std::string denied_words(std::string_view tool) {
  return fmt::format("Not allowed: you may not use {}. Do not call it again; continue without it.", tool);
}

Refusal denied_refusal(std::string_view server, std::string_view tool) {
  Refusal out;
  out.limit = "tools";
  out.layer = "tool";
  out.meter = "tool_calls";
  out.allowed = out.used = out.reserved = "0";
  out.requested = "1";
  out.per.emplace_back("server", server);
  out.per.emplace_back("tool", tool);
  return out;
}

std::string as_event(std::string_view message) {
  return std::string("event: message\ndata: ").append(message).append("\n\n");
}

std::string as_batch(const std::vector<std::string>& messages) {
  std::string out = "[";
  for (const std::string& message : messages) out.append(out.size() > 1 ? "," : "").append(message);
  return out += "]";
}

Reply rpc_reply(int status, std::string message, bool event) {
  if (!event) return {.status = status, .content_type = std::string(kJson), .headers = {}, .body = std::move(message)};
  return {.status = status, .content_type = std::string(kEvents), .headers = {}, .body = as_event(message)};
}

Reply rpc_error_reply(const McpAsker& asker, int status, int code, std::string_view message, const Refusal* refusal) {
  std::vector<std::string> errors;
  for (const std::string& id : asker.ids) errors.push_back(rpc_error_message(id, code, message, refusal));
  if (errors.empty()) {
    return rpc_reply(status, rpc_error_message({}, code, message, refusal), false);
  }
  return rpc_reply(status, asker.batch ? as_batch(errors) : errors.front(), false);
}

Reply mcp_fault_reply(const McpFault& fault, const std::string& request_id) {
  if (fault.unreadable()) {
    return error_reply(ErrorShape::kProblem, {.kind = ErrorKind::kInvalidRequest,
                                              .status = 400,
                                              .message = fault.message,
                                              .param = {},
                                              .request_id = request_id});
  }
  Reply reply = rpc_reply(400, rpc_error_message(fault.id, fault.code, fault.message, nullptr), false);
  append_header(reply.headers, "x-weir-request-id", request_id);
  return reply;
}

Reply mcp_refusal_reply(const McpAsker& asker, std::string_view tool, const Plan& plan, const Decision& decision,
                        const Refusal& refusal, TimeNs now) {
  Reply reply;
  if (decision.table_full) {
    reply = rpc_error_reply(asker, 503, kRpcOverloaded,
                            "Weir has no room to count another caller right now. Try again shortly.", nullptr);
    append_retry_after(5 * kSecond + now % (3 * kSecond), reply.headers);  // jittered by the instant itself
    return reply;
  }
  const bool never = Ruleset::never_fits(plan, decision);
  if (!tool.empty() && !asker.ids.empty()) {
    reply = rpc_reply(200, tool_error_message(asker.ids.front(), asker.modern, refusal_words(tool, refusal), &refusal),
                      asker.events_only);
  } else {
    reply = rpc_error_reply(asker, never ? 413 : 429, kRpcQuota, rpc_refusal_message(refusal, never), &refusal);
    if (never) append_header(reply.headers, "x-should-retry", "false");
  }
  if (!never) append_retry_after(decision.retry_after, reply.headers);
  append_limit_state(ErrorShape::kProblem, plan, decision, now, reply.headers);
  return reply;
}

}  // namespace weir
