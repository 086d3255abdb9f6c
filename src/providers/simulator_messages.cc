// The simulator's Anthropic messages.
#include <fmt/format.h>

#include "providers/simulator_plan.h"
#include "providers/usage_json.h"

namespace weir {
namespace {

std::string_view finish_of(const SimulatedPlan& plan) {
  if (!plan.calls.empty()) return "tool_use";
  return plan.is_cut(0) ? "max_tokens" : "end_turn";
}

std::string tool_use(const SimulatedPlan& plan, std::size_t call, std::string_view input) {
  return fmt::format(R"({{"type":"tool_use","id":"toolu_{}","name":{},"input":{}}})", plan.call_id(0, call),
                     quoted_json(plan.calls[call].name), input);
}

std::string messages_whole(const SimulatedPlan& plan) {
  std::string content;
  for (std::size_t i = 0; i < plan.calls.size(); ++i) {
    content.append(i == 0 ? "" : ",").append(tool_use(plan, i, plan.calls[i].arguments));
  }
  if (plan.calls.empty() && plan.length(0) > 0) {
    content = fmt::format(R"({{"type":"text","text":{}}})", quoted_json(plan.text(0)));
  }
  return fmt::format(
      R"({{"id":"msg_{}","type":"message","role":"assistant","model":{},"content":[{}],"stop_reason":"{}",)"
      R"("stop_sequence":null,"usage":{}}})",
      plan.id, quoted_json(plan.model), content, finish_of(plan), anthropic_usage_json(plan.usage));
}

std::string block_start(std::int64_t index, std::string_view block) {
  return sse_event("content_block_start",
                   fmt::format(R"({{"type":"content_block_start","index":{},"content_block":{}}})", index, block));
}

std::string block_delta(std::int64_t index, std::string_view delta) {
  return sse_event("content_block_delta",
                   fmt::format(R"({{"type":"content_block_delta","index":{},"delta":{}}})", index, delta));
}

std::string block_stop(std::int64_t index) {
  return sse_event("content_block_stop", fmt::format(R"({{"type":"content_block_stop","index":{}}})", index));
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
  if (plan.calls.empty() && plan.longest > 0) out += block_start(0, R"({"type":"text","text":""})");
  return out + sse_event("ping", R"({"type":"ping"})");
}

std::string messages_token(const SimulatedPlan& plan, std::int64_t choice, std::int64_t index) {
  if (plan.calls.empty()) {
    return block_delta(0, fmt::format(R"({{"type":"text_delta","text":{}}})", quoted_json(plan.word(choice, index))));
  }
  const auto call = static_cast<std::size_t>(index);
  const std::string arguments = quoted_json(plan.calls[call].arguments);
  return block_start(index, tool_use(plan, call, "{}")) +
         block_delta(index, fmt::format(R"({{"type":"input_json_delta","partial_json":{}}})", arguments)) +
         block_stop(index);
}

std::string messages_last(const SimulatedPlan& plan) {
  std::string out;
  if (plan.calls.empty() && plan.longest > 0) out = block_stop(0);
  out += sse_event(
      "message_delta",
      fmt::format(R"({{"type":"message_delta","delta":{{"stop_reason":"{}","stop_sequence":null}},"usage":{}}})",
                  finish_of(plan), anthropic_usage_json(plan.usage)));
  return out + sse_event("message_stop", R"({"type":"message_stop"})");
}

}  // namespace

constinit const SimulatedWriter kMessagesWriter{messages_whole, messages_first, messages_token, messages_last};

}  // namespace weir
