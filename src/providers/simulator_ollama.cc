// The simulator's Ollama answers: one object, or one per line.
#include <fmt/format.h>

#include "providers/simulator_plan.h"
#include "providers/usage_json.h"

namespace weir {
namespace {

std::string call_json(const SimulatedCall& call) {
  return fmt::format(R"({{"function":{{"name":{},"arguments":{}}}}})", quoted_json(call.name), call.arguments);
}

// `calls` are what the message announces; `last` stands before the closing brace.
std::string object_json(const SimulatedPlan& plan, std::string_view text, std::string_view calls,
                        std::string_view last) {
  const std::string announced = calls.empty() ? std::string() : fmt::format(R"(,"tool_calls":[{}])", calls);
  const std::string said =
      plan.operation == Operation::kOllamaGenerate
          ? fmt::format(R"("response":{})", quoted_json(text))
          : fmt::format(R"("message":{{"role":"assistant","content":{}{}}})", quoted_json(text), announced);
  return fmt::format(R"({{"model":{},"created_at":"{}",{},{}}})", quoted_json(plan.model), format_rfc3339(plan.now, 9),
                     said, last);
}

std::string final_json(const SimulatedPlan& plan, std::string_view text, std::string_view calls) {
  const DurationNs per_token = 10 * kMillisecond;
  return object_json(
      plan, text, calls,
      fmt::format(R"("done":true,"done_reason":"{}","total_duration":{},"load_duration":0,"prompt_eval_duration":{},)"
                  R"("eval_duration":{},{})",
                  plan.calls.empty() && plan.is_cut(0) ? "length" : "stop", plan.usage.total() * per_token,
                  plan.usage.input() * per_token, plan.usage.output() * per_token, ollama_usage_members(plan.usage)));
}

std::string ollama_whole(const SimulatedPlan& plan) {
  std::string calls;
  for (const SimulatedCall& call : plan.calls) calls.append(calls.empty() ? "" : ",").append(call_json(call));
  return final_json(plan, plan.calls.empty() ? plan.text(0) : std::string(), calls);
}

std::string ollama_first(const SimulatedPlan& /*plan*/) {
  return {};
}

std::string ollama_token(const SimulatedPlan& plan, std::int64_t choice, std::int64_t index) {
  const bool text = plan.calls.empty();
  return object_json(plan, text ? plan.word(choice, index) : std::string(),
                     text ? std::string() : call_json(plan.calls[static_cast<std::size_t>(index)]), R"("done":false)") +
         "\n";
}

std::string ollama_last(const SimulatedPlan& plan) {
  return final_json(plan, "", "") + "\n";
}

}  // namespace

constinit const SimulatedWriter kOllamaWriter{ollama_whole, ollama_first, ollama_token, ollama_last};

}  // namespace weir
