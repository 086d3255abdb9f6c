// The simulator's Gemini answers: whole, as events, and as the elements of one array.
#include <fmt/format.h>

#include <algorithm>

#include "providers/simulator_plan.h"
#include "providers/usage_json.h"

namespace weir {
namespace {

std::string candidate_json(std::int64_t choice, std::string_view parts, std::string_view finish) {
  return fmt::format(R"({{"content":{{"parts":[{}],"role":"model"}},{}"index":{}}})", parts,
                     finish.empty() ? "" : fmt::format(R"("finishReason":"{}",)", finish), choice);
}

std::string text_part(std::string_view text) {
  return fmt::format(R"({{"text":{}}})", quoted_json(text));
}

std::string call_part(const SimulatedCall& call) {
  return fmt::format(R"({{"functionCall":{{"name":{},"args":{}}}}})", quoted_json(call.name), call.arguments);
}

std::string parts_of(const SimulatedPlan& plan, std::int64_t choice) {
  if (plan.calls.empty()) return text_part(plan.text(choice));
  std::string out;
  for (const SimulatedCall& call : plan.calls) out.append(out.empty() ? "" : ",").append(call_part(call));
  return out;
}

std::string_view finish_of(const SimulatedPlan& plan, std::int64_t choice) {
  return plan.calls.empty() && plan.is_cut(choice) ? "MAX_TOKENS" : "STOP";
}

std::string answer_json(const SimulatedPlan& plan, std::string_view candidates, std::int64_t output) {
  Usage usage = plan.usage;
  usage.output_visible = output;
  return fmt::format(R"({{"candidates":[{}],"usageMetadata":{},"modelVersion":{},"responseId":"{}"}})", candidates,
                     gemini_usage_json(usage), quoted_json(plan.model), plan.id);
}

enum class Place : std::uint8_t { kFirst, kMiddle, kLast };

std::string framed(const SimulatedPlan& plan, Place place, const std::string& json) {
  if (!plan.json_array) return fmt::format("data: {}\r\n\r\n", json);
  return (place == Place::kFirst ? "[" : ",\r\n") + json + (place == Place::kLast ? "]" : "");
}

std::string gemini_whole(const SimulatedPlan& plan) {
  std::string candidates;
  for (std::int64_t i = 0; i < plan.choices(); ++i) {
    if (i > 0) candidates += ',';
    candidates += candidate_json(i, parts_of(plan, i), finish_of(plan, i));
  }
  return answer_json(plan, candidates, plan.usage.output());
}

std::string gemini_first(const SimulatedPlan& plan) {
  return framed(plan, Place::kFirst, answer_json(plan, candidate_json(0, text_part(""), ""), 0));
}

std::string gemini_token(const SimulatedPlan& plan, std::int64_t choice, std::int64_t index) {
  std::int64_t so_far = 0;
  for (std::int64_t i = 0; i < plan.choices(); ++i) {
    so_far += std::min(plan.length(i), i <= choice ? index + 1 : index);
  }
  const std::string part =
      plan.calls.empty() ? text_part(plan.word(choice, index)) : call_part(plan.calls[static_cast<std::size_t>(index)]);
  return framed(plan, Place::kMiddle, answer_json(plan, candidate_json(choice, part, ""), so_far));
}

std::string gemini_last(const SimulatedPlan& plan) {
  std::string candidates;
  for (std::int64_t i = 0; i < plan.choices(); ++i) {
    if (i > 0) candidates += ',';
    candidates += candidate_json(i, text_part(""), finish_of(plan, i));
  }
  return framed(plan, Place::kLast, answer_json(plan, candidates, plan.usage.output()));
}

}  // namespace

constinit const SimulatedWriter kGeminiWriter{gemini_whole, gemini_first, gemini_token, gemini_last};

}  // namespace weir
