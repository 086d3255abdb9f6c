// For tests: what agents say. A policy with tools, and requests and answers of chat completions with tool calls.
#pragma once

#include <string>
#include <vector>

#include "gateway/gateway_fixture.h"

namespace weir::stage {

inline constexpr std::string_view kAgentPolicy = R"(
providers:
  openai: { dialect: openai, url: "http://openai.test:8000/v1", key: sk-provider-secret, timeouts: { connect: 2s, first_byte: 5s, idle: 6s, total: 60s } }
models:
  gpt-4o: { provider: openai, price: { input: 2.50, cached_input: 1.25, output: 10.00 } }
upstreams:
  - { path: /api/**, kind: http, url: "http://api.test:3000", tool: "{method} {path}" }
tiers: { free: { tools: { deny: [wipe_disk] } } }
limits:
  - { name: runs, per: caller, meter: runs, allow: 3/1m }
  - { name: requests, per: caller, meter: requests, allow: 1000/1m }
  - { name: tokens, per: caller, meter: tokens, allow: 1M/1m }
  - { name: in-flight, per: caller, meter: concurrency, allow: 4 }
  - { name: mail, per: [caller, tool], meter: tool_calls, allow: 2/1h, on_exceed: strip_tool, match: { tool: "send_email*" } }
  - { name: calls, per: caller, meter: tool_calls, allow: 100/1m, match: { tool: counted } }
  - { name: posts, per: [caller, tool], meter: tool_calls, allow: 5/1m, match: { tool: "POST /api/limited" } }
retry: { attempts: 1 }
)";

inline std::string agent_policy_with(std::string_view line) {
  return std::string(kAgentPolicy) + std::string(line);
}

struct Call {
  std::string id, name, arguments = "{}";
};

inline std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out.append(c == '"' || c == '\\' ? "\\" : "").append(1, c);
  return out + "\"";
}

inline std::string calls_json(const std::vector<Call>& calls) {
  std::string out;
  for (const Call& call : calls) {
    out.append(out.empty() ? "" : ",")
        .append(R"({"id":)" + json_text(call.id) + R"(,"type":"function","function":{"name":)" + json_text(call.name) +
                R"(,"arguments":)" + json_text(call.arguments) + "}}");
  }
  return "[" + out + "]";
}

// A conversation, as the client sends it.
class Talk {
 public:
  explicit Talk(std::string prompt, std::vector<std::string> tools = {"lookup", "send_email"}, bool stream = false)
      : tools_(std::move(tools)), stream_(stream) {
    messages_ = R"({"role":"system","content":"You are a clerk."},{"role":"user","content":)" + json_text(prompt) + "}";
  }
  Talk& announced(const std::vector<Call>& calls) {
    messages_ += R"(,{"role":"assistant","content":null,"tool_calls":)" + calls_json(calls) + "}";
    return *this;
  }
  Talk& returned(const std::string& id, const std::string& content) {
    messages_ += R"(,{"role":"tool","tool_call_id":)" + json_text(id) + R"(,"content":)" + json_text(content) + "}";
    return *this;
  }
  Talk& said(const std::string& role, const std::string& content) {
    messages_ += R"(,{"role":)" + json_text(role) + R"(,"content":)" + json_text(content) + "}";
    return *this;
  }
  std::string body() const {
    std::string tools;
    for (const std::string& tool : tools_) {
      tools.append(tools.empty() ? "" : ",")
          .append(R"({"type":"function","function":{"name":)" + json_text(tool) +
                  R"(,"parameters":{"type":"object"}}})");
    }
    return std::string(R"({"model":"gpt-4o","max_tokens":100)") + (stream_ ? R"(,"stream":true)" : "") +
           (tools.empty() ? "" : R"(,"tools":[)" + tools + "]") + R"(,"messages":[)" + messages_ + "]}";
  }

 private:
  std::vector<std::string> tools_;
  bool stream_;
  std::string messages_;
};

inline std::string announcing(const std::vector<Call>& calls) {
  return json_answer(R"({"id":"c1","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"message":)"
                     R"({"role":"assistant","content":null,"tool_calls":)" +
                     calls_json(calls) +
                     R"(},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":11,"completion_tokens":3,)"
                     R"("total_tokens":14}})");
}

// Sends one request of the conversation and answers it.
inline Received exchange_once(World& world, const std::string& key, const Talk& talk, const std::string& answer,
                              std::string_view fields = {}) {
  Connection client(world);
  const std::size_t dialed = world.dialed.size();
  client.say(chat_request(key, talk.body(), fields));
  if (world.dialed.size() > dialed) world.upstream().bytes(answer);
  return client.answer();
}

}  // namespace weir::stage
