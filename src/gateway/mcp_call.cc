#include "gateway/mcp_call.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace weir {

std::expected<McpCall, McpFault> McpCall::read(const Upstream& upstream, const RequestHead& head, std::string_view body,
                                               std::size_t max_depth) {
  McpCall out;
  out.upstream_ = &upstream;
  out.is_post_ = head.method == "POST";
  out.long_lived_ = head.method == "GET";
  if (!out.is_post_) return out;
  auto post = read_mcp_post(body, mcp_headers(head.headers), max_depth);
  if (!post) return std::unexpected(std::move(post.error()));
  out.post_ = std::move(*post);
  out.asker_ = {.modern = out.post_.modern,
                .events_only = accepts_events_only(head.headers.get("accept")),
                .batch = out.post_.batch,
                .ids = {}};
  for (std::size_t i = 0; i < out.post_.messages.size(); ++i) {
    const McpMessage& message = out.post_.messages[i];
    if (!message.is_request()) continue;
    out.asker_.ids.push_back(message.id);
    out.pending_.push_back(i);
    out.lists_tools_ |= message.method == "tools/list";
    out.long_lived_ |= message.method == "subscriptions/listen";
  }
  return out;
}

const ToolCall* McpCall::single_call() const {
  return !post_.batch && post_.messages.size() == 1 && post_.messages[0].is_call() ? &post_.messages[0].call : nullptr;
}

bool McpCall::calls_tools() const {
  return std::any_of(post_.messages.begin(), post_.messages.end(), [](const McpMessage& m) { return m.is_call(); });
}

std::uint64_t McpCall::fingerprint() const {
  std::uint64_t hash = 0;
  for (const McpMessage& message : post_.messages) hash = hash_pair(hash64(message.method, hash), message.params);
  return hash;
}

std::int64_t McpCall::requests() const {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(asker_.ids.size()));
}

// `url` names the endpoint itself; below a path with a wildcard, what the wildcard stands for follows.
std::string McpCall::upstream_path(std::string_view client_path) const {
  std::string path = upstream_->url.path;
  constexpr std::string_view kBelow = "/**";
  if (upstream_->path.ends_with(kBelow)) path += client_path.substr(upstream_->path.size() - kBelow.size());
  return path.empty() ? "/" : path;
}

ProviderTimeouts McpCall::timeouts() const {
  ProviderTimeouts out = upstream_->timeouts;
  if (!long_lived_) return out;
  out.total = kMaxStreamLife;
  out.idle = std::max(out.idle, kStreamIdle);
  return out;
}

void McpCall::refuse(std::size_t i, std::string answer) {
  std::erase(pending_, i);
  refusals_.emplace_back(i, std::move(answer));
}

bool McpCall::refused(std::size_t i) const {
  return std::any_of(refusals_.begin(), refusals_.end(), [i](const auto& r) { return r.first == i; });
}

std::string McpCall::forward_body(std::string_view body) const {
  std::string out = "[";
  for (std::size_t i = 0; i < post_.messages.size(); ++i) {
    if (!refused(i)) out.append(out.size() > 1 ? "," : "").append(post_.messages[i].range.in(body));
  }
  return out += "]";
}

Reply McpCall::refusals_reply() const {
  if (!post_.batch) return rpc_reply(200, refusals_.front().second, asker_.events_only);
  if (!asker_.events_only) return rpc_reply(200, with_answers({}, refusal_messages()), false);
  return {.status = 200, .content_type = "text/event-stream", .headers = {}, .body = refusal_events()};
}

std::vector<std::string> McpCall::refusal_messages() const {
  std::vector<std::string> out;
  for (const auto& [i, answer] : refusals_) out.push_back(answer);
  return out;
}

std::string McpCall::refusal_events() const {
  std::string out;
  for (const auto& [i, answer] : refusals_) out += as_event(answer);
  return out;
}

void McpCall::take_body(std::string_view body) {
  listed_.clear();
  for (const McpAnswer& answer : read_mcp_answers(body)) take(answer);
}

void McpCall::take_event(std::string_view event) {
  listed_.clear();
  const SseMessage message = read_event(event);
  resumable_ |= message.has_id;
  if (!message.data.empty()) {
    for (const McpAnswer& answer : read_mcp_answers(message.data)) take(answer);
  }
}

void McpCall::take(const McpAnswer& answer) {
  if (!answer.answers) return;
  const auto found =
      std::find_if(pending_.begin(), pending_.end(), [&](std::size_t i) { return post_.messages[i].id == answer.id; });
  if (found == pending_.end()) return;
  const McpMessage& asked = post_.messages[*found];
  pending_.erase(found);
  if (asked.is_call() && !answer.unfinished && hooks.on_result) {
    hooks.on_result(asked.call,
                    {.call_id = {}, .name = asked.call.name, .error = answer.failed, .content = answer.content});
  }
  if (asked.method != "tools/list" || !answer.lists_tools) return;
  for (const std::string& name : answer.tools) {
    std::string tool = canonical_tool_name(name);
    if (!tool.empty()) listed_.push_back(std::move(tool));
  }
  if (hooks.on_tools) hooks.on_tools(listed_);
}

std::string McpCall::edited(std::string message, const std::function<bool(std::string_view)>& hidden) const {
  if (!listed_.empty() && hides_tools()) {
    message = without_tools(message, [&](std::string_view name) {
      const std::string tool = canonical_tool_name(name);
      return tool.empty() || hidden(tool);
    });
  }
  if (single_call() != nullptr && pending_.empty()) {
    for (const std::string& note : notes_) message = with_note(message, note);
  }
  return message;
}

std::string McpCall::edited_body(std::string body, const std::function<bool(std::string_view)>& hidden) const {
  body = edited(std::move(body), hidden);
  return refusals_.empty() ? body : with_answers(body, refusal_messages());
}

std::string McpCall::edited_event(std::string event, const std::function<bool(std::string_view)>& hidden) const {
  const bool noted = !notes_.empty() && single_call() != nullptr && pending_.empty();
  if (listed_.empty() && !noted) return event;
  const std::string data = read_event(event).data;
  std::string other = edited(data, hidden);
  return other == data ? event : with_data(event, other);
}

std::string McpCall::broken_events(std::string_view message) const {
  std::string out;
  if (resumable_) return out;
  for (const std::size_t i : pending_) {
    out += as_event(rpc_error_message(post_.messages[i].id, kRpcInternalError, message, nullptr));
  }
  return out;
}

}  // namespace weir
