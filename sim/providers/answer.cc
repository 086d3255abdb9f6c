#include <fmt/format.h>

#include <algorithm>

#include "providers/writer.h"
#include "words.h"

namespace weir::sim::provider {
namespace {

constexpr std::int64_t kMostPieces = 24;  // of a stream, so that long answers do not cost more than short ones

DurationNs time_of(std::int64_t tokens, std::int64_t per_second) {
  return tokens * kSecond / std::max<std::int64_t>(1, per_second);
}

std::optional<Usage> told_usage(const AnswerPlan& plan, const Usage& bill) {
  if (plan.no_usage) return std::nullopt;
  return plan.lie ? *plan.lie : bill;
}

void write_stream(Writer& writer, const AnswerPlan& plan, std::int64_t spoken, Random& random, Script& script) {
  script.chunked = true;
  script.type = writer.stream_type();
  const std::int64_t most = std::max<std::int64_t>(1, 2 * spoken / kMostPieces);
  DurationNs wait = plan.first_byte;
  if (std::string open = writer.open(); !open.empty()) {
    script.steps.push_back({.wait = wait, .bytes = std::move(open)});
    wait = 0;
  }
  for (std::int64_t left = spoken; left > 0;) {
    const std::int64_t tokens = std::min(left, random.between(1, most));
    script.steps.push_back({.wait = wait + time_of(tokens, plan.tokens_per_second),
                            .bytes = writer.text(words(tokens, random)),
                            .tokens = tokens});
    left -= tokens;
    wait = 0;
  }
  for (std::size_t i = 0; i < plan.calls.size(); ++i) {
    const std::int64_t tokens = call_tokens(plan.calls[i].name, plan.calls[i].arguments);
    script.steps.push_back({.wait = wait + time_of(tokens, plan.tokens_per_second),
                            .bytes = writer.call(plan.calls[i], i),
                            .tokens = tokens,
                            .call = true});
    wait = 0;
  }
  if (!writer.tells()) script.told.reset();
  if (std::string finish = writer.finish(); !finish.empty()) {
    script.steps.push_back({.wait = wait, .bytes = std::move(finish)});
    wait = 0;
  }
  for (int i = 0; i < (plan.double_usage ? 2 : 1); ++i) {
    const bool late = plan.usage_delay != 0 && i == 0;
    script.steps.push_back({.wait = wait + (late ? plan.usage_delay : 0),
                            .bytes = writer.tell(script.told),
                            .tells = script.told.has_value()});
    wait = 0;
  }
  script.steps.push_back({.bytes = writer.end()});
}

void write_whole(Writer& writer, const AnswerPlan& plan, std::int64_t spoken, Random& random, Script& script) {
  DurationNs wait = plan.first_byte;
  for (std::int64_t left = plan.output; left > 0;) {
    const std::int64_t tokens = std::min(left, std::max<std::int64_t>(1, (plan.output + 5) / 6));
    script.steps.push_back({.wait = wait + time_of(tokens, plan.tokens_per_second), .bytes = {}, .tokens = tokens});
    left -= tokens;
    wait = 0;
  }
  script.steps.push_back(
      {.wait = wait, .bytes = writer.whole(words(spoken, random), script.told), .tells = script.told.has_value()});
}

std::string error_body(const Question& question, int status) {
  const std::string_view words = status == 429 ? "Too many requests." : "Something went wrong.";
  switch (question.operation) {
    case Operation::kMessages:
      return fmt::format(R"({{"type":"error","error":{{"type":"{}","message":"{}"}}}})",
                         status == 429 ? "rate_limit_error" : "api_error", words);
    case Operation::kGenerateContent:
      return fmt::format(R"({{"error":{{"code":{},"message":"{}","status":"{}"}}}})", status, words,
                         status == 429 ? "RESOURCE_EXHAUSTED" : "INTERNAL");
    case Operation::kOllamaChat:
    case Operation::kOllamaGenerate:
    case Operation::kOllamaEmbed:
    case Operation::kHttp:
      return fmt::format(R"({{"error":"{}"}})", words);
    case Operation::kMcp:
      return fmt::format(R"({{"jsonrpc":"2.0","id":{},"error":{{"code":-32603,"message":"{}"}}}})",
                         question.rpc_id.empty() ? "null" : question.rpc_id, words);
    default:
      return fmt::format(R"({{"error":{{"message":"{}","type":"server_error","param":null,"code":null}}}})", words);
  }
}

}  // namespace

std::unique_ptr<Writer> make_writer(const Question& question, const AnswerPlan& plan) {
  switch (question.operation) {
    case Operation::kResponses:
      return make_responses_writer(question, plan);
    case Operation::kMessages:
      return make_anthropic_writer(question, plan);
    case Operation::kGenerateContent:
      return make_gemini_writer(question, plan);
    case Operation::kOllamaChat:
    case Operation::kOllamaGenerate:
    case Operation::kOllamaEmbed:
      return make_ollama_writer(question, plan);
    default:
      return make_openai_writer(question, plan);
  }
}

Script write_answer(const Question& question, const AnswerPlan& plan, Random& random) {
  Script script;
  script.bill = {
      .input_uncached = question.prompt_tokens - plan.cached, .cache_read = plan.cached, .output_visible = plan.output};
  script.told = told_usage(plan, script.bill);
  std::int64_t spoken = plan.output;
  for (const ToolCall& call : plan.calls) spoken -= call_tokens(call.name, call.arguments);
  const std::unique_ptr<Writer> writer = make_writer(question, plan);
  const bool embeds = question.operation == Operation::kEmbeddings || question.operation == Operation::kOllamaEmbed;
  if (question.stream && !embeds) {
    write_stream(*writer, plan, spoken, random, script);
  } else {
    write_whole(*writer, plan, spoken, random, script);
  }
  return script;
}

Script write_error(const Question& question, int status, std::int64_t retry_after_s) {
  Script script;
  script.status = status;
  if (retry_after_s > 0) script.headers.emplace_back("Retry-After", std::to_string(retry_after_s));
  script.steps.push_back({.wait = 20 * kMillisecond, .bytes = error_body(question, status)});
  return script;
}

}  // namespace weir::sim::provider
