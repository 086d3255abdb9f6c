// The simulator's Anthropic messages.
#include <fmt/format.h>

#include "providers/simulator_plan.h"
#include "providers/usage_json.h"

namespace weir {
namespace {

std::string_view finish_of(const SimulatedPlan& plan) {
  if (!plan.tool.empty()) return "tool_use";
  return plan.is_cut(0) ? "max_tokens" : "end_turn";
}

std::string tool_use(const SimulatedPlan& plan) {
  return fmt::format(R"({{"type":"tool_use","id":"toolu_{}","name":{},"input":{{}}}})", plan.call_id(0),
                     quoted_json(plan.tool));
}

std::string messages_whole(const SimulatedPlan& plan) {
  std::string content;
  if (!plan.tool.empty()) {
    content = tool_use(plan);
  } else if (plan.length(0) > 0) {
    content = fmt::format(R"({{"type":"text","text":{}}})", quoted_json(plan.text(0)));
  }
  return fmt::format(
      R"({{"id":"msg_{}","type":"message","role":"assistant","model":{},"content":[{}],"stop_reason":"{}",)"
      R"("stop_sequence":null,"usage":{}}})",
      plan.id, quoted_json(plan.model), content, finish_of(plan), anthropic_usage_json(plan.usage));
}

std::string messages_first(const SimulatedPlan& plan) {
  Usage provisional = plan.usage;
  provisional.output_visible = plan.usage.output() > 0 ? 1 : 0;
  std::string out = sse_event(
      "message_start",
      fmt::format(
          R"({{"type":"message_start","message":{{"id":"msg_{}","type":"message","role":"assistant","model":{},)"
          R"("content":[],"stop_reason":null,"stop_sequence":null,"usage":{}}}}})",
          plan.id, quoted_json(plan.model), anthropic_usage_json(provisional)));
  if (plan.longest > 0) {
    const std::string block = plan.tool.empty() ? std::string(R"({"type":"text","text":""})") : tool_use(plan);
    out += sse_event("content_block_start",
                     fmt::format(R"({{"type":"content_block_start","index":0,"content_block":{}}})", block));
  }
  return out + sse_event("ping", R"({"type":"ping"})");
}

std::string messages_token(const SimulatedPlan& plan, std::int64_t choice, std::int64_t index) {
  const std::string delta =
      plan.tool.empty() ? fmt::format(R"({{"type":"text_delta","text":{}}})", quoted_json(plan.word(choice, index)))
                        : std::string(R"({"type":"input_json_delta","partial_json":"{}"})");
  return sse_event("content_block_delta",
                   fmt::format(R"({{"type":"content_block_delta","index":0,"delta":{}}})", delta));
}

std::string messages_last(const SimulatedPlan& plan) {
  std::string out;
  if (plan.longest > 0) out = sse_event("content_block_stop", R"({"type":"content_block_stop","index":0})");
  out += sse_event(
      "message_delta",
      fmt::format(R"({{"type":"message_delta","delta":{{"stop_reason":"{}","stop_sequence":null}},"usage":{}}})",
                  finish_of(plan), anthropic_usage_json(plan.usage)));
  return out + sse_event("message_stop", R"({"type":"message_stop"})");
}

}  // namespace

constinit const SimulatedWriter kMessagesWriter{messages_whole, messages_first, messages_token, messages_last};

}  // namespace weir
