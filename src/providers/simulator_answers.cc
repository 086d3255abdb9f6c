// How the simulator's answers are written: OpenAI chat completions and Anthropic messages, whole and as events.
#include <fmt/format.h>

#include <array>

#include "base/json_writer.h"
#include "providers/simulator.h"
#include "providers/simulator_random.h"

namespace weir {
namespace {

// Four letters and more: with the space before it, a word is never more tokens than the output estimate allows for it.
constexpr std::array<std::string_view, 32> kWords{
    "water",  "river", "stone",  "quiet",   "morning", "bridge", "light",   "under",  "meadow", "slowly", "carries",
    "toward", "small", "valley", "between", "hill",    "autumn", "follows", "broad",  "shore",  "never",  "again",
    "gentle", "rises", "mill",   "summer",  "against", "wooden", "banks",   "deeply", "turns",  "north"};

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string sse(std::string_view name, std::string_view json) {
  return fmt::format("event: {}\ndata: {}\n\n", name, json);
}

std::string openai_usage(const Usage& usage) {
  return fmt::format(
      R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},"prompt_tokens_details":{{"cached_tokens":0,)"
      R"("audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0}}}})",
      usage.input(), usage.output(), usage.total());
}

std::string anthropic_usage(const Usage& usage, std::int64_t output) {
  return fmt::format(
      R"({{"input_tokens":{},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":{}}})",
      usage.input(), output);
}

// A message's (or, with `frame`, a delta's) only tool call; `arguments` as it stands between the quotes.
std::string chat_tool_call(std::string_view frame, std::string_view id, std::string_view name,
                           std::string_view arguments) {
  return fmt::format(R"("content":null,"tool_calls":[{{{}"id":"call_{}","type":"function",)"
                     R"("function":{{"name":{},"arguments":"{}"}}}}])",
                     frame, id, quoted(name), arguments);
}

}  // namespace

std::string SimulatedAnswer::word(std::int64_t choice, std::int64_t index) const {
  const std::uint64_t at = static_cast<std::uint64_t>(choice) << 32 ^ static_cast<std::uint64_t>(index);
  const std::string_view picked = kWords[mix64(words_seed_ ^ mix64(at)) % kWords.size()];
  return (index == 0 ? "" : " ") + std::string(picked);
}

std::string SimulatedAnswer::text(std::int64_t choice) const {
  std::string out;
  for (std::int64_t i = 0; i < lengths_[static_cast<std::size_t>(choice)]; ++i) out += word(choice, i);
  return out;
}

std::string SimulatedAnswer::call_id(std::int64_t choice) const {
  return fmt::format("{:016x}", mix64(words_seed_ ^ static_cast<std::uint64_t>(choice)));
}

std::string_view SimulatedAnswer::finish_of(std::int64_t choice) const {
  const bool openai = operation_ == Operation::kChatCompletions;
  if (!tool_.empty()) return openai ? "tool_calls" : "tool_use";
  if (cut_[static_cast<std::size_t>(choice)]) return openai ? "length" : "max_tokens";
  return openai ? "stop" : "end_turn";
}

std::string SimulatedAnswer::chat_answer() const {
  std::string choices;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(lengths_.size()); ++i) {
    const std::string message =
        tool_.empty() ? fmt::format(R"("content":{})", quoted(text(i))) : chat_tool_call("", call_id(i), tool_, "{}");
    choices += fmt::format(
        R"({}{{"index":{},"message":{{"role":"assistant",{},"refusal":null}},"logprobs":null,"finish_reason":"{}"}})",
        i == 0 ? "" : ",", i, message, finish_of(i));
  }
  return fmt::format(
      R"({{"id":"chatcmpl-{}","object":"chat.completion","created":{},"model":{},"choices":[{}],"usage":{}}})", id_,
      created_s_, quoted(model_), choices, openai_usage(usage_));
}

std::string SimulatedAnswer::message_answer() const {
  std::string content;
  if (!tool_.empty()) {
    content = fmt::format(R"({{"type":"tool_use","id":"toolu_{}","name":{},"input":{{}}}})", call_id(0), quoted(tool_));
  } else if (lengths_[0] > 0) {
    content = fmt::format(R"({{"type":"text","text":{}}})", quoted(text(0)));
  }
  return fmt::format(
      R"({{"id":"msg_{}","type":"message","role":"assistant","model":{},"content":[{}],"stop_reason":"{}",)"
      R"("stop_sequence":null,"usage":{}}})",
      id_, quoted(model_), content, finish_of(0), anthropic_usage(usage_, usage_.output()));
}

// `delta` and `finish` are JSON.
std::string SimulatedAnswer::chat_event(std::int64_t choice, std::string_view delta, std::string_view finish) const {
  return fmt::format(
      R"(data: {{"id":"chatcmpl-{}","object":"chat.completion.chunk","created":{},"model":{},"choices":[{{"index":{},)"
      R"("delta":{},"logprobs":null,"finish_reason":{}}}]{}}})"
      "\n\n",
      id_, created_s_, quoted(model_), choice, delta, finish, include_usage_ ? R"(,"usage":null)" : "");
}

std::string SimulatedAnswer::first_events() const {
  std::string out;
  if (operation_ == Operation::kChatCompletions) {
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(lengths_.size()); ++i) {
      const std::string start =
          tool_.empty() ? std::string(R"("content":"")") : chat_tool_call(R"("index":0,)", call_id(i), tool_, "");
      out += chat_event(i, fmt::format(R"({{"role":"assistant",{},"refusal":null}})", start), "null");
    }
    return out;
  }
  out += sse("message_start",
             fmt::format(
                 R"({{"type":"message_start","message":{{"id":"msg_{}","type":"message","role":"assistant","model":{},)"
                 R"("content":[],"stop_reason":null,"stop_sequence":null,"usage":{}}}}})",
                 id_, quoted(model_), anthropic_usage(usage_, usage_.output() > 0 ? 1 : 0)));
  if (longest_ > 0) {
    const std::string block =
        tool_.empty()
            ? std::string(R"({"type":"text","text":""})")
            : fmt::format(R"({{"type":"tool_use","id":"toolu_{}","name":{},"input":{{}}}})", call_id(0), quoted(tool_));
    out += sse("content_block_start",
               fmt::format(R"({{"type":"content_block_start","index":0,"content_block":{}}})", block));
  }
  return out + sse("ping", R"({"type":"ping"})");
}

std::string SimulatedAnswer::token_event(std::int64_t choice, std::int64_t index) const {
  if (index >= lengths_[static_cast<std::size_t>(choice)]) return {};
  if (operation_ == Operation::kChatCompletions) {
    return chat_event(choice,
                      tool_.empty() ? fmt::format(R"({{"content":{}}})", quoted(word(choice, index)))
                                    : std::string(R"({"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]})"),
                      "null");
  }
  const std::string delta = tool_.empty()
                                ? fmt::format(R"({{"type":"text_delta","text":{}}})", quoted(word(choice, index)))
                                : std::string(R"({"type":"input_json_delta","partial_json":"{}"})");
  return sse("content_block_delta", fmt::format(R"({{"type":"content_block_delta","index":0,"delta":{}}})", delta));
}

std::string SimulatedAnswer::last_events() const {
  std::string out;
  if (operation_ == Operation::kChatCompletions) {
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(lengths_.size()); ++i) {
      out += chat_event(i, "{}", fmt::format("\"{}\"", finish_of(i)));
    }
    if (include_usage_) {
      out += fmt::format(
          R"(data: {{"id":"chatcmpl-{}","object":"chat.completion.chunk","created":{},"model":{},"choices":[],)"
          R"("usage":{}}})"
          "\n\n",
          id_, created_s_, quoted(model_), openai_usage(usage_));
    }
    return out + "data: [DONE]\n\n";
  }
  if (longest_ > 0) out += sse("content_block_stop", R"({"type":"content_block_stop","index":0})");
  out += sse("message_delta",
             fmt::format(R"({{"type":"message_delta","delta":{{"stop_reason":"{}","stop_sequence":null}},"usage":{}}})",
                         finish_of(0), anthropic_usage(usage_, usage_.output())));
  return out + sse("message_stop", R"({"type":"message_stop"})");
}

}  // namespace weir
