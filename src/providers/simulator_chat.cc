// The simulator's OpenAI chat completions and legacy completions.
#include <fmt/format.h>

#include "providers/simulator_plan.h"
#include "providers/usage_json.h"

namespace weir {
namespace {

// `frame` stands before the members.
std::string chat_tool_call(const SimulatedPlan& plan, std::int64_t choice, std::size_t call, std::string_view frame,
                           std::string_view arguments) {
  return fmt::format(R"({{{}"id":"call_{}","type":"function","function":{{"name":{},"arguments":{}}}}})", frame,
                     plan.call_id(choice, call), quoted_json(plan.calls[call].name), quoted_json(arguments));
}

std::string chat_tool_calls(const SimulatedPlan& plan, std::int64_t choice) {
  std::string calls;
  for (std::size_t i = 0; i < plan.calls.size(); ++i) {
    calls.append(i == 0 ? "" : ",").append(chat_tool_call(plan, choice, i, "", plan.calls[i].arguments));
  }
  return fmt::format(R"("content":null,"tool_calls":[{}])", calls);
}

std::string_view finish_of(const SimulatedPlan& plan, std::int64_t choice) {
  if (!plan.calls.empty()) return "tool_calls";
  return plan.is_cut(choice) ? "length" : "stop";
}

std::string chat_whole(const SimulatedPlan& plan) {
  std::string choices;
  for (std::int64_t i = 0; i < plan.choices(); ++i) {
    const std::string message =
        plan.calls.empty() ? fmt::format(R"("content":{})", quoted_json(plan.text(i))) : chat_tool_calls(plan, i);
    choices += fmt::format(
        R"({}{{"index":{},"message":{{"role":"assistant",{},"refusal":null}},"logprobs":null,"finish_reason":"{}"}})",
        i == 0 ? "" : ",", i, message, finish_of(plan, i));
  }
  return fmt::format(
      R"({{"id":"chatcmpl-{}","object":"chat.completion","created":{},"model":{},"choices":[{}],"usage":{}}})", plan.id,
      plan.now / kSecond, quoted_json(plan.model), choices, openai_usage_json(plan.usage));
}

// The last chunks of both.
std::string usage_and_done(const SimulatedPlan& plan, const char* id_prefix, const char* object) {
  std::string out;
  if (plan.include_usage) {
    out = fmt::format(R"(data: {{"id":"{}-{}","object":"{}","created":{},"model":{},"choices":[],"usage":{}}})"
                      "\n\n",
                      id_prefix, plan.id, object, plan.now / kSecond, quoted_json(plan.model),
                      openai_usage_json(plan.usage));
  }
  return out + "data: [DONE]\n\n";
}

// `delta` and `finish` are JSON.
std::string chat_event(const SimulatedPlan& plan, std::int64_t choice, std::string_view delta,
                       std::string_view finish) {
  return fmt::format(
      R"(data: {{"id":"chatcmpl-{}","object":"chat.completion.chunk","created":{},"model":{},"choices":[{{"index":{},)"
      R"("delta":{},"logprobs":null,"finish_reason":{}}}]{}}})"
      "\n\n",
      plan.id, plan.now / kSecond, quoted_json(plan.model), choice, delta, finish,
      plan.include_usage ? R"(,"usage":null)" : "");
}

std::string chat_first(const SimulatedPlan& plan) {
  std::string out;
  for (std::int64_t i = 0; i < plan.choices(); ++i) {
    const char* start = plan.calls.empty() ? R"("content":"")" : R"("content":null)";
    out += chat_event(plan, i, fmt::format(R"({{"role":"assistant",{},"refusal":null}})", start), "null");
  }
  return out;
}

std::string chat_token(const SimulatedPlan& plan, std::int64_t choice, std::int64_t index) {
  if (plan.calls.empty()) {
    return chat_event(plan, choice, fmt::format(R"({{"content":{}}})", quoted_json(plan.word(choice, index))), "null");
  }
  const auto call = static_cast<std::size_t>(index);
  const std::string begun = chat_tool_call(plan, choice, call, fmt::format(R"("index":{},)", index), "");
  return chat_event(plan, choice, fmt::format(R"({{"tool_calls":[{}]}})", begun), "null") +
         chat_event(plan, choice,
                    fmt::format(R"({{"tool_calls":[{{"index":{},"function":{{"arguments":{}}}}}]}})", index,
                                quoted_json(plan.calls[call].arguments)),
                    "null");
}

std::string chat_last(const SimulatedPlan& plan) {
  std::string out;
  for (std::int64_t i = 0; i < plan.choices(); ++i) {
    out += chat_event(plan, i, "{}", fmt::format("\"{}\"", finish_of(plan, i)));
  }
  return out + usage_and_done(plan, "chatcmpl", "chat.completion.chunk");
}

// `finish` is JSON.
std::string completion_choice(std::int64_t choice, std::string_view text, std::string_view finish) {
  return fmt::format(R"({{"index":{},"text":{},"logprobs":null,"finish_reason":{}}})", choice, quoted_json(text),
                     finish);
}

std::string quoted_finish(const SimulatedPlan& plan, std::int64_t choice) {
  return fmt::format("\"{}\"", finish_of(plan, choice));
}

std::string completions_whole(const SimulatedPlan& plan) {
  std::string choices;
  for (std::int64_t i = 0; i < plan.choices(); ++i) {
    if (i > 0) choices += ',';
    choices += completion_choice(i, plan.text(i), quoted_finish(plan, i));
  }
  return fmt::format(
      R"({{"id":"cmpl-{}","object":"text_completion","created":{},"model":{},"choices":[{}],"usage":{}}})", plan.id,
      plan.now / kSecond, quoted_json(plan.model), choices, openai_usage_json(plan.usage));
}

std::string completions_event(const SimulatedPlan& plan, std::string_view choice) {
  return fmt::format(R"(data: {{"id":"cmpl-{}","object":"text_completion","created":{},"model":{},"choices":[{}]{}}})"
                     "\n\n",
                     plan.id, plan.now / kSecond, quoted_json(plan.model), choice,
                     plan.include_usage ? R"(,"usage":null)" : "");
}

std::string completions_first(const SimulatedPlan& /*plan*/) {
  return {};
}

std::string completions_token(const SimulatedPlan& plan, std::int64_t choice, std::int64_t index) {
  return completions_event(plan, completion_choice(choice, plan.word(choice, index), "null"));
}

std::string completions_last(const SimulatedPlan& plan) {
  std::string out;
  for (std::int64_t i = 0; i < plan.choices(); ++i) {
    out += completions_event(plan, completion_choice(i, "", quoted_finish(plan, i)));
  }
  return out + usage_and_done(plan, "cmpl", "text_completion");
}

}  // namespace

constinit const SimulatedWriter kChatWriter{chat_whole, chat_first, chat_token, chat_last};
constinit const SimulatedWriter kCompletionsWriter{completions_whole, completions_first, completions_token,
                                                   completions_last};

}  // namespace weir
