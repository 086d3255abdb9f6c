// Weir's own answers to MCP clients, in three shapes (specs: two that a JSON-RPC client understands, one that any
// does):
//
//   A  a tool's result with isError, HTTP 200: for per-tool caps and breakers; the model reads it and can go on
//   B  a JSON-RPC error, HTTP 429: for all other refusals; client code reads it
//   C  a problem, HTTP 4xx: for what cannot be parsed, and callers that are not known
//
//   std::string a = tool_error_message("7", false, refusal_words("send_email", refusal), &refusal);
//   Reply reply = rpc_reply(200, a, /*as_event=*/false);
//
// The machine part is `structuredContent.weir` (A) and `error.data.weir` (B). Codes of our own are positive, since no
// revision of MCP defines one for limits. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/mcp_message.h"
#include "gateway/reply.h"

namespace weir {

inline constexpr int kRpcQuota = 42900;       // a limit
inline constexpr int kRpcAbnormal = 42901;    // a breaker: the caller repeats itself or runs away
inline constexpr int kRpcOverloaded = 50300;  // Weir has no room, or cannot count

// Who asked, as far as the shape of the answer depends on it.
struct McpAsker {
  bool modern = false;       // results carry resultType
  bool events_only = false;  // Accept names text/event-stream and not JSON
  bool batch = false;
  std::vector<std::string> ids;  // of requests; empty: only notifications and responses
};

// True if `accept` allows events and no JSON.
bool accepts_events_only(std::string_view accept);

// A message of shape A, B. `refusal` may be null.
std::string tool_error_message(std::string_view id, bool modern, std::string_view text, const Refusal* refusal);
std::string rpc_error_message(std::string_view id, int code, std::string_view message, const Refusal* refusal);

// What a model can act on: "Rate limit: send_email 5/1h used. Retry after 1840 s. Do not retry now; continue without
// it."
std::string refusal_words(std::string_view tool, const Refusal& refusal);
// For a tool that this caller may never use.
std::string denied_words(std::string_view tool);
Refusal denied_refusal(std::string_view server, std::string_view tool);

// A JSON answer, or one event of a stream.
Reply rpc_reply(int status, std::string message, bool as_event);
std::string as_event(std::string_view message);
std::string as_batch(const std::vector<std::string>& messages);  // "[…,…]"

// Shape B for every request of the POST; a body without id where only notifications are refused.
Reply rpc_error_reply(const McpAsker& asker, int status, int code, std::string_view message, const Refusal* refusal);

// 400 for a body that says something wrong, with its JSON-RPC code; shape C if it says nothing at all.
Reply mcp_fault_reply(const McpFault& fault, const std::string& request_id);

// A refusal of the whole POST by a limit. `tool`: the tool called, if a cap on it refused and shape A is due; else
// empty.
Reply mcp_refusal_reply(const McpAsker& asker, std::string_view tool, const Plan& plan, const Decision& decision,
                        const Refusal& refusal, TimeNs now);

}  // namespace weir
