#include "providers/usage_json.h"

#include <fmt/format.h>

namespace weir {

std::string openai_usage_json(const Usage& usage) {
  return fmt::format(
      R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},"prompt_tokens_details":{{"cached_tokens":{},)"
      R"("audio_tokens":{}}},"completion_tokens_details":{{"reasoning_tokens":{},"audio_tokens":{}}}}})",
      usage.input(), usage.output(), usage.total(), usage.cache_read, usage.audio_in, usage.reasoning, usage.audio_out);
}

std::string responses_usage_json(const Usage& usage) {
  return fmt::format(
      R"({{"input_tokens":{},"input_tokens_details":{{"cached_tokens":{},"cache_write_tokens":{}}},"output_tokens":{},)"
      R"("output_tokens_details":{{"reasoning_tokens":{}}},"total_tokens":{}}})",
      usage.input(), usage.cache_read, usage.cache_write + usage.cache_write_1h, usage.output(), usage.reasoning,
      usage.total());
}

std::string anthropic_usage_json(const Usage& usage) {
  std::string out = fmt::format(
      R"({{"input_tokens":{},"cache_creation_input_tokens":{},"cache_read_input_tokens":{},"output_tokens":{})",
      usage.input_uncached, usage.cache_write + usage.cache_write_1h, usage.cache_read, usage.output());
  if (usage.cache_write_1h > 0) {
    out += fmt::format(R"(,"cache_creation":{{"ephemeral_5m_input_tokens":{},"ephemeral_1h_input_tokens":{}}})",
                       usage.cache_write, usage.cache_write_1h);
  }
  if (usage.reasoning > 0) {
    out += fmt::format(R"(,"output_tokens_details":{{"thinking_tokens":{}}})", usage.reasoning);
  }
  return out + "}";
}

std::string gemini_usage_json(const Usage& usage) {
  std::string out = fmt::format(R"({{"promptTokenCount":{},"candidatesTokenCount":{},"totalTokenCount":{})",
                                usage.input(), usage.output_visible, usage.total());
  if (usage.cache_read > 0) out += fmt::format(R"(,"cachedContentTokenCount":{})", usage.cache_read);
  if (usage.reasoning > 0) out += fmt::format(R"(,"thoughtsTokenCount":{})", usage.reasoning);
  return out + "}";
}

std::string ollama_usage_members(const Usage& usage) {
  return fmt::format(R"("prompt_eval_count":{},"eval_count":{})", usage.input(), usage.output());
}

}  // namespace weir
