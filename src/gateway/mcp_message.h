// A POST to an MCP server, read strictly before anything is decided: JSON-RPC messages, and headers that must agree
// with them.
//
//   auto post = read_mcp_post(body, mcp_headers(head.headers), bounds.depth);
//   if (!post) return reply(mcp_fault_reply(post.error(), …));        // 400, says what to do
//   for (const McpMessage& message : post->messages) if (message.is_call()) …message.call.name…
//
// What decides is the body; headers only have to agree, so that nobody who trusts them is led astray (SEP-2243).
// Pure; any thread. Ranges are bytes of the body that was read.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/http1.h"
#include "model/agent.h"
#include "providers/body_edit.h"

namespace weir {

inline constexpr std::size_t kMaxBatch = 100;       // messages of one POST
inline constexpr std::size_t kMaxMcpMethod = 256;   // bytes
inline constexpr std::size_t kMaxMcpHeader = 4096;  // bytes of Mcp-Method or Mcp-Name, before they are decoded
inline constexpr std::size_t kMaxRpcId = 1024;      // bytes of an id that is a string

// JSON-RPC error codes that MCP knows.
inline constexpr int kRpcParseError = -32700;
inline constexpr int kRpcInvalidRequest = -32600;
inline constexpr int kRpcInvalidParams = -32602;
inline constexpr int kRpcInternalError = -32603;
inline constexpr int kRpcHeaderMismatch = -32020;
inline constexpr int kRpcUnsupportedRevision = -32022;

struct McpHeaders {
  std::string_view revision;  // MCP-Protocol-Version; null data: absent
  std::string_view method;    // Mcp-Method
  std::string_view name;      // Mcp-Name
  bool repeated = false;      // one of them came twice
};
McpHeaders mcp_headers(const Headers& headers);

struct McpMessage {
  enum class Kind : std::uint8_t { kRequest, kNotification, kResponse };
  Kind kind = Kind::kRequest;
  std::string id;  // JSON text: `7` or `"a"`, in one spelling whatever the client's escapes; empty: none
  std::string method;
  std::string name;  // tools/call, prompts/get: params.name; resources/read: params.uri
  // tools/call: canonical name, arguments, signature. Its `id` stays empty: JSON-RPC ids are the connection's own and
  // never those that a model announced.
  ToolCall call;
  std::string
      request_state;         // echoed in a further round of the same call; each round counts, since anybody can send it
  std::uint64_t params = 0;  // hash of params as they came; 0: none
  TextRange range;

  bool is_request() const { return kind == Kind::kRequest; }
  bool is_call() const { return is_request() && method == "tools/call"; }
};

struct McpPost {
  std::string revision;  // "2025-06-18"
  bool modern = false;   // 2026-07-28 or later: no sessions, every request describes itself
  bool batch = false;
  std::vector<McpMessage> messages;
};

struct McpFault {
  int code = kRpcInvalidRequest;
  std::string message;
  std::string id;  // JSON text; empty: none is known
  // No JSON at all: answered as a problem, not as a JSON-RPC error.
  bool unreadable() const { return code == kRpcParseError; }
};

// `max_depth`: of nesting.
std::expected<McpPost, McpFault> read_mcp_post(std::string_view body, const McpHeaders& headers, std::size_t max_depth);

bool is_modern_revision(std::string_view revision);
// As Mcp-Name carries it: plain, or "=?base64?…?=". False: malformed.
bool decode_mcp_name(std::string_view header, std::string& name);

}  // namespace weir
