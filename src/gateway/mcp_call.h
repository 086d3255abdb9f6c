// A request to an MCP server as the governor sees it: what it calls, what it costs, where it goes; and then its answer,
// read and edited on its way back.
//
//   auto call = McpCall::read(upstream, head, body, policy.bounds.json.depth);
//   if (!call) return reply(mcp_fault_reply(call.error(), request_id));
//   call->hooks.on_result = [&](const ToolCall& tool, const ToolResult& result) { guard.result(entry, result, now); };
//   …the limits decide, refused calls of a batch: call->refuse(i, message)…
//   …forward call->forward_body(body)… as the answer comes: call->take_event(event) or call->take_body(body)…
//
// GET and DELETE (sessions, streams of the older revisions) carry no message: they pass and call nothing. Belongs to
// one exchange and its thread. What is read of an answer is bounded by its caller; a stream may live for
// kMaxStreamLife.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/mcp_answer.h"
#include "gateway/mcp_replies.h"
#include "policy/policy.h"

namespace weir {

class McpCall {
 public:
  static constexpr DurationNs kMaxStreamLife = 24 * kHour;  // of a GET stream, or subscriptions/listen
  static constexpr DurationNs kStreamIdle = kHour;          // without a byte, at least

  // For whoever watches behaviour. All may be empty.
  struct Hooks {
    // The answer of a tools/call was read: an error, or what it returned. Not for "input_required". Not for calls that
    // were refused here. `call` is the one of calls(); the result names it and has no id of its own.
    std::function<void(const ToolCall& call, const ToolResult& result)> on_result;
    // The server told this caller its tools (canonical names), hidden ones included: for Guard::serves().
    std::function<void(const std::vector<std::string>& tools)> on_tools;
    // True: tools/list leaves the tool (canonical name) out, besides what limits and deny lists say. Kill switches.
    // Not asked where the server's `hide_tools` is false.
    std::function<bool(std::string_view tool)> hides;
    // Asked about each tools/call of a batch before its own admission; a refusal here keeps it from being made. A
    // single tools/call is judged with its request instead.
    std::function<std::optional<Refusal>(const ToolCall& call)> judge;
    // A call that judge() let pass was then refused by a limit.
    std::function<void(const ToolCall& call)> unjudge;
  };

  static std::expected<McpCall, McpFault> read(const Upstream& upstream, const RequestHead& head, std::string_view body,
                                               std::size_t max_depth);

  // --- what it is ---
  const std::string& server() const { return upstream_->server; }
  // The only tools/call of a POST that is no batch, as Arrival::call; null: none.
  const ToolCall* single_call() const;
  // True if something is called at all: then it begins or joins a run. Handshakes, lists and streams do not.
  bool calls_tools() const;
  // Of methods and params, without ids; for Arrival::fingerprint. 0: no POST.
  std::uint64_t fingerprint() const;
  const McpAsker& asker() const { return asker_; }
  bool is_batch() const { return post_.batch; }
  const std::vector<McpMessage>& messages() const { return post_.messages; }
  std::int64_t requests() const;  // that it counts as: at least 1
  bool hides_tools() const { return upstream_->hide_tools; }

  // --- where it goes ---
  std::string upstream_path(std::string_view client_path) const;
  bool is_post() const { return is_post_; }
  bool is_long_lived() const { return long_lived_; }
  ProviderTimeouts timeouts() const;

  // --- what is refused of it ---
  // The i-th message is not forwarded; `answer` is what its caller gets.
  void refuse(std::size_t i, std::string answer);
  bool refused(std::size_t i) const;
  std::size_t refusals() const { return refusals_.size(); }
  bool forwards_any() const { return refusals_.size() < post_.messages.size() || post_.messages.empty(); }
  // `body` without the refused messages.
  std::string forward_body(std::string_view body) const;
  Reply refusals_reply() const;  // if nothing is forwarded
  // One more text in the result of the single call.
  void note(std::string text) { notes_.push_back(std::move(text)); }

  // --- its answer ---
  bool reads_answer() const { return is_post_ && (calls_tools() || lists_tools_ || !refusals_.empty()); }
  // It cannot be passed on unread.
  bool edits_answer() const {
    return is_post_ && ((lists_tools_ && hides_tools()) || !refusals_.empty() || !notes_.empty());
  }
  // An answer that is not streamed, and one event. Tools that it lists and that limits may have used up are in
  // listed(); take_…() tells the hooks, edited_…() then gives the bytes for the client.
  void take_body(std::string_view body);
  void take_event(std::string_view event);
  const std::vector<std::string>& listed() const { return listed_; }  // canonical, of the last take
  std::string edited_body(std::string body, const std::function<bool(std::string_view tool)>& hidden) const;
  std::string edited_event(std::string event, const std::function<bool(std::string_view tool)>& hidden) const;
  // Answers of refused messages, as events: they go first.
  std::string refusal_events() const;
  // Every request that was forwarded has its answer.
  bool answered() const { return is_post_ && pending_.empty() && !asker_.ids.empty(); }
  // The stream broke: errors for what was not answered, unless the client can take the stream up again.
  std::string broken_events(std::string_view message) const;

  Hooks hooks;

 private:
  McpCall() = default;
  void take(const McpAnswer& answer);
  std::vector<std::string> refusal_messages() const;
  std::string edited(std::string message, const std::function<bool(std::string_view)>& hidden) const;

  const Upstream* upstream_ = nullptr;
  McpPost post_;
  McpAsker asker_;
  bool is_post_ = false;
  bool long_lived_ = false;
  bool lists_tools_ = false;
  bool resumable_ = false;
  std::vector<std::string> notes_;
  std::vector<std::pair<std::size_t, std::string>> refusals_;
  std::vector<std::size_t> pending_;  // requests without an answer yet: indexes of messages
  std::vector<std::string> listed_;
};

}  // namespace weir
