// The simulator's OpenAI Responses.
#include <fmt/format.h>

#include "providers/simulator_plan.h"
#include "providers/usage_json.h"

namespace weir {
namespace {

std::string part_json(std::string_view text) {
  return fmt::format(R"({{"type":"output_text","text":{},"annotations":[]}})", quoted_json(text));
}

// The only item: a message or a function call; `status` is "in_progress" before its content and "completed" after.
std::string item_json(const SimulatedPlan& plan, bool done) {
  const char* status = done ? "completed" : "in_progress";
  if (!plan.tool.empty()) {
    return fmt::format(
        R"({{"id":"fc_{}","type":"function_call","status":"{}","call_id":"call_{}","name":{},"arguments":"{}"}})",
        plan.id, status, plan.call_id(0), quoted_json(plan.tool), done ? "{}" : "");
  }
  return fmt::format(R"({{"id":"msg_{}","type":"message","status":"{}","role":"assistant","content":[{}]}})", plan.id,
                     status, done ? part_json(plan.text(0)) : "");
}

bool is_incomplete(const SimulatedPlan& plan) {
  return plan.tool.empty() && plan.is_cut(0);
}

std::string response_json(const SimulatedPlan& plan, bool done) {
  const char* status = !done ? "in_progress" : is_incomplete(plan) ? "incomplete" : "completed";
  return fmt::format(
      R"({{"id":"resp_{}","object":"response","created_at":{},"status":"{}","error":null,"incomplete_details":{},)"
      R"("instructions":null,"metadata":{{}},"model":{},"output":[{}],"parallel_tool_calls":true,)"
      R"("previous_response_id":null,"temperature":1.0,"tool_choice":"auto","tools":[],"top_p":1.0,"usage":{}}})",
      plan.id, plan.now / kSecond, status, done && is_incomplete(plan) ? R"({"reason":"max_output_tokens"})" : "null",
      quoted_json(plan.model), done ? item_json(plan, true) : "", done ? responses_usage_json(plan.usage) : "null");
}

// `members` end the event: `"name":value,…`.
std::string numbered(std::string_view type, std::int64_t number, std::string_view members) {
  return sse_event(type, fmt::format(R"({{"type":"{}","sequence_number":{},{}}})", type, number, members));
}

std::string place(const SimulatedPlan& plan) {
  return plan.tool.empty() ? fmt::format(R"("item_id":"msg_{}","output_index":0,"content_index":0)", plan.id)
                           : fmt::format(R"("item_id":"fc_{}","output_index":0)", plan.id);
}

// How many events come before the first delta.
std::int64_t events_before(const SimulatedPlan& plan) {
  return plan.tool.empty() ? 4 : 3;
}

std::string responses_whole(const SimulatedPlan& plan) {
  return response_json(plan, true);
}

std::string responses_first(const SimulatedPlan& plan) {
  const std::string response = fmt::format(R"("response":{})", response_json(plan, false));
  std::string out = numbered("response.created", 0, response) + numbered("response.in_progress", 1, response);
  out +=
      numbered("response.output_item.added", 2, fmt::format(R"("output_index":0,"item":{})", item_json(plan, false)));
  if (plan.tool.empty()) {
    out += numbered("response.content_part.added", 3, fmt::format(R"({},"part":{})", place(plan), part_json("")));
  }
  return out;
}

std::string responses_token(const SimulatedPlan& plan, std::int64_t choice, std::int64_t index) {
  const std::int64_t number = events_before(plan) + index;
  if (!plan.tool.empty()) {
    return numbered("response.function_call_arguments.delta", number, fmt::format(R"({},"delta":"{{}}")", place(plan)));
  }
  return numbered("response.output_text.delta", number,
                  fmt::format(R"({},"delta":{},"logprobs":[])", place(plan), quoted_json(plan.word(choice, index))));
}

std::string responses_last(const SimulatedPlan& plan) {
  std::int64_t number = events_before(plan) + (plan.tool.empty() ? plan.length(0) : 1);
  std::string out;
  if (plan.tool.empty()) {
    const std::string text = plan.text(0);
    out += numbered("response.output_text.done", number++,
                    fmt::format(R"({},"text":{},"logprobs":[])", place(plan), quoted_json(text)));
    out +=
        numbered("response.content_part.done", number++, fmt::format(R"({},"part":{})", place(plan), part_json(text)));
  } else {
    out += numbered("response.function_call_arguments.done", number++,
                    fmt::format(R"({},"name":{},"arguments":"{{}}")", place(plan), quoted_json(plan.tool)));
  }
  out += numbered("response.output_item.done", number++,
                  fmt::format(R"("output_index":0,"item":{})", item_json(plan, true)));
  return out + numbered(is_incomplete(plan) ? "response.incomplete" : "response.completed", number,
                        fmt::format(R"("response":{})", response_json(plan, true)));
}

}  // namespace

constinit const SimulatedWriter kResponsesWriter{responses_whole, responses_first, responses_token, responses_last};

}  // namespace weir
