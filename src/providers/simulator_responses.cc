// The simulator's OpenAI Responses.
#include <fmt/format.h>

#include "providers/simulator_plan.h"
#include "providers/usage_json.h"

namespace weir {
namespace {

std::string part_json(std::string_view text) {
  return fmt::format(R"({{"type":"output_text","text":{},"annotations":[]}})", quoted_json(text));
}

const char* status_of(bool done) {
  return done ? "completed" : "in_progress";
}

// The only item of an answer in text.
std::string message_json(const SimulatedPlan& plan, bool done) {
  return fmt::format(R"({{"id":"msg_{}","type":"message","status":"{}","role":"assistant","content":[{}]}})", plan.id,
                     status_of(done), done ? part_json(plan.text(0)) : "");
}

std::string call_json(const SimulatedPlan& plan, std::size_t call, bool done) {
  return fmt::format(
      R"({{"id":"fc_{}_{}","type":"function_call","status":"{}","call_id":"call_{}","name":{},"arguments":{}}})",
      plan.id, call, status_of(done), plan.call_id(0, call), quoted_json(plan.calls[call].name),
      quoted_json(done ? std::string_view(plan.calls[call].arguments) : std::string_view()));
}

std::string output_json(const SimulatedPlan& plan) {
  if (plan.calls.empty()) return message_json(plan, true);
  std::string out;
  for (std::size_t i = 0; i < plan.calls.size(); ++i) out.append(i == 0 ? "" : ",").append(call_json(plan, i, true));
  return out;
}

bool is_incomplete(const SimulatedPlan& plan) {
  return plan.calls.empty() && plan.is_cut(0);
}

std::string response_json(const SimulatedPlan& plan, bool done) {
  const char* status = !done ? "in_progress" : is_incomplete(plan) ? "incomplete" : "completed";
  return fmt::format(
      R"({{"id":"resp_{}","object":"response","created_at":{},"status":"{}","error":null,"incomplete_details":{},)"
      R"("instructions":null,"metadata":{{}},"model":{},"output":[{}],"parallel_tool_calls":true,)"
      R"("previous_response_id":null,"temperature":1.0,"tool_choice":"auto","tools":[],"top_p":1.0,"usage":{}}})",
      plan.id, plan.now / kSecond, status, done && is_incomplete(plan) ? R"({"reason":"max_output_tokens"})" : "null",
      quoted_json(plan.model), done ? output_json(plan) : "", done ? responses_usage_json(plan.usage) : "null");
}

// `members` end the event: `"name":value,…`.
std::string numbered(std::string_view type, std::int64_t number, std::string_view members) {
  return sse_event(type, fmt::format(R"({{"type":"{}","sequence_number":{},{}}})", type, number, members));
}

// Events before those of the first token or call.
constexpr std::int64_t kEventsBeforeText = 4, kEventsBeforeCalls = 2;
constexpr std::int64_t kEventsOfCall = 4;

std::string text_place(const SimulatedPlan& plan) {
  return fmt::format(R"("item_id":"msg_{}","output_index":0,"content_index":0)", plan.id);
}

std::string item_event(std::string_view type, std::int64_t number, std::int64_t index, std::string_view item) {
  return numbered(type, number, fmt::format(R"("output_index":{},"item":{})", index, item));
}

std::string responses_whole(const SimulatedPlan& plan) {
  return response_json(plan, true);
}

std::string responses_first(const SimulatedPlan& plan) {
  const std::string response = fmt::format(R"("response":{})", response_json(plan, false));
  std::string out = numbered("response.created", 0, response) + numbered("response.in_progress", 1, response);
  if (!plan.calls.empty()) return out;
  return out + item_event("response.output_item.added", 2, 0, message_json(plan, false)) +
         numbered("response.content_part.added", 3, fmt::format(R"({},"part":{})", text_place(plan), part_json("")));
}

std::string call_events(const SimulatedPlan& plan, std::int64_t index) {
  const auto call = static_cast<std::size_t>(index);
  const std::int64_t number = kEventsBeforeCalls + kEventsOfCall * index;
  const std::string place = fmt::format(R"("item_id":"fc_{}_{}","output_index":{})", plan.id, index, index);
  const std::string arguments = quoted_json(plan.calls[call].arguments);
  return item_event("response.output_item.added", number, index, call_json(plan, call, false)) +
         numbered("response.function_call_arguments.delta", number + 1,
                  fmt::format(R"({},"delta":{})", place, arguments)) +
         numbered("response.function_call_arguments.done", number + 2,
                  fmt::format(R"({},"name":{},"arguments":{})", place, quoted_json(plan.calls[call].name), arguments)) +
         item_event("response.output_item.done", number + 3, index, call_json(plan, call, true));
}

std::string responses_token(const SimulatedPlan& plan, std::int64_t choice, std::int64_t index) {
  if (!plan.calls.empty()) return call_events(plan, index);
  return numbered(
      "response.output_text.delta", kEventsBeforeText + index,
      fmt::format(R"({},"delta":{},"logprobs":[])", text_place(plan), quoted_json(plan.word(choice, index))));
}

std::string responses_last(const SimulatedPlan& plan) {
  std::int64_t number =
      plan.calls.empty() ? kEventsBeforeText + plan.length(0) : kEventsBeforeCalls + kEventsOfCall * plan.steps(0);
  std::string out;
  if (plan.calls.empty()) {
    const std::string text = plan.text(0);
    out += numbered("response.output_text.done", number++,
                    fmt::format(R"({},"text":{},"logprobs":[])", text_place(plan), quoted_json(text)));
    out += numbered("response.content_part.done", number++,
                    fmt::format(R"({},"part":{})", text_place(plan), part_json(text)));
    out += item_event("response.output_item.done", number++, 0, message_json(plan, true));
  }
  return out + numbered(is_incomplete(plan) ? "response.incomplete" : "response.completed", number,
                        fmt::format(R"("response":{})", response_json(plan, true)));
}

}  // namespace

constinit const SimulatedWriter kResponsesWriter{responses_whole, responses_first, responses_token, responses_last};

}  // namespace weir
