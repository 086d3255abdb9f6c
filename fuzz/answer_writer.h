// For fuzz/answer_fuzz.cc: one answer of a model, as every dialect writes it, whole and as a stream.
//
//   Answer answer = make_answer(operation, input);
//   std::string body = AnswerWriter(operation, input).whole(answer);
//   std::string stream = AnswerWriter(operation, input).stream(answer, Framing::kSse);
//
// Values, one thread. Texts of an answer: at most 3 pieces; at most 4 calls.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "json_grammar.h"
#include "providers/dialect.h"

namespace weir::fuzz {

struct Answer {
  struct Call {
    std::string id, name, arguments;
  };
  std::string id = "answer_1", model = "model-1";
  std::vector<std::string> texts;
  std::vector<Call> calls;
  std::int64_t input = 0, cached = 0, output = 0, reasoning = 0;  // cached of the input, reasoning of the output
};

inline bool may_call(Operation operation) {
  return operation != Operation::kCompletions && operation != Operation::kOllamaGenerate;
}

inline Answer make_answer(Operation operation, Input& input) {
  Answer answer;
  answer.input = input.below(4000);
  answer.output = 1 + input.below(4000);  // a Gemini answer with text and none would have no usage
  for (std::uint32_t count = 1 + input.below(3); count > 0; --count) answer.texts.emplace_back(pick_word(input));
  const Dialect dialect = dialect_of(operation);
  if (dialect != Dialect::kOllama && operation != Operation::kCompletions) {
    answer.cached = answer.input > 0 ? input.below(static_cast<std::uint32_t>(answer.input)) : 0;
  }
  if (operation == Operation::kChatCompletions || operation == Operation::kResponses || dialect == Dialect::kGemini) {
    answer.reasoning = answer.output > 0 ? input.below(static_cast<std::uint32_t>(answer.output)) : 0;
  }
  for (std::uint32_t count = may_call(operation) ? input.below(5) : 0; count > 0; --count) {
    JsonWriterOfFuzz json(input);
    const std::string number = std::to_string(answer.calls.size());
    answer.calls.push_back({.id = "call_" + number,
                            .name = "tool_" + number,
                            .arguments = json.object({{"q", json.text(pick_word(input))}, {"n", number}})});
  }
  return answer;
}

class AnswerWriter {
 public:
  AnswerWriter(Operation operation, Input& input) : operation_(operation), input_(input), json_(input) {}

  std::string whole(const Answer& answer) {
    switch (operation_) {
      case Operation::kResponses:
        return response(answer, "completed", true);
      case Operation::kMessages:
        return message(answer);
      case Operation::kGenerate:
      case Operation::kStreamGenerate:
        return candidates(answer.texts, answer.calls, answer, true);
      case Operation::kOllamaChat:
      case Operation::kOllamaGenerate:
        return ollama(joined_texts(answer), answer.calls, answer, true);
      default:
        return json_.object({{"id", str(answer.id)},
                             {"model", str(answer.model)},
                             {"choices", json_.list({choice(answer)})},
                             {"usage", usage(answer)}});
    }
  }

  std::string stream(const Answer& answer, Framing framing) {
    framing_ = framing;
    out_.clear();
    first_ = true;
    switch (operation_) {
      case Operation::kResponses:
        responses_events(answer);
        break;
      case Operation::kMessages:
        messages_events(answer);
        break;
      case Operation::kStreamGenerate:
        gemini_events(answer);
        break;
      case Operation::kOllamaChat:
      case Operation::kOllamaGenerate:
        for (const std::string& text : answer.texts) event(ollama(text, {}, answer, false));
        if (!answer.calls.empty()) event(ollama("", answer.calls, answer, false));
        event(ollama("", {}, answer, true));
        break;
      default:
        openai_events(answer);
    }
    if (framing_ == Framing::kJsonArray) out_ += first_ ? "[]" : "]";
    return out_;
  }

  static std::string joined_texts(const Answer& answer) {
    std::string all;
    for (const std::string& text : answer.texts) all += text;
    return all;
  }

 private:
  std::string str(std::string_view text) { return json_.text(text); }
  static std::string num(std::int64_t number) { return std::to_string(number); }

  // --- framing
  // --------------------------------------------------------------------------------------------------------
  void event(const std::string& data, std::string_view name = {}) {
    if (framing_ == Framing::kNdjson) {
      for (const char c : data) out_ += c == '\n' || c == '\r' ? ' ' : c;
      out_ += '\n';
      return;
    }
    if (framing_ == Framing::kJsonArray) {
      out_.append(first_ ? "[" : ",").append(data);
      first_ = false;
      return;
    }
    static constexpr std::string_view kEnds[] = {"\n", "\n", "\r\n", "\r"};
    const std::string_view end = kEnds[input_.below(std::size(kEnds))];
    if (!name.empty()) out_.append("event: ").append(name).append(end);
    if (input_.below(6) == 5) out_.append(": a comment").append(end);
    out_ += "data:";
    if (input_.below(4) > 0) out_ += ' ';
    for (std::size_t at = 0; at < data.size(); ++at) {  // a payload may span lines
      if (data[at] != '\r' && data[at] != '\n') {
        out_ += data[at];
        continue;
      }
      if (data.substr(at, 2) == "\r\n") ++at;
      out_.append(end).append("data: ");
    }
    out_.append(end).append(end);
  }

  // --- OpenAI
  // ---------------------------------------------------------------------------------------------------------
  std::string usage(const Answer& answer) {
    JsonMembers members{{"prompt_tokens", num(answer.input)}, {"completion_tokens", num(answer.output)}};
    if (answer.cached > 0) {
      members.emplace_back("prompt_tokens_details", json_.object({{"cached_tokens", num(answer.cached)}}));
    }
    if (answer.reasoning > 0) {
      members.emplace_back("completion_tokens_details", json_.object({{"reasoning_tokens", num(answer.reasoning)}}));
    }
    return json_.object(members);
  }
  std::string function(const Answer::Call& call, std::string_view arguments) {
    return json_.object({{"name", str(call.name)}, {"arguments", str(arguments)}});
  }
  std::string choice(const Answer& answer) {
    if (operation_ == Operation::kCompletions) {
      return json_.object({{"index", "0"}, {"text", str(joined_texts(answer))}, {"finish_reason", str("stop")}});
    }
    JsonMembers message{{"role", str("assistant")}, {"content", str(joined_texts(answer))}};
    std::vector<std::string> calls;
    for (const Answer::Call& call : answer.calls) {
      calls.push_back(json_.object(
          {{"id", str(call.id)}, {"type", str("function")}, {"function", function(call, call.arguments)}}));
    }
    if (!calls.empty()) message.emplace_back("tool_calls", json_.list(calls));
    return json_.object({{"index", "0"},
                         {"message", json_.object(message)},
                         {"finish_reason", str(calls.empty() ? "stop" : "tool_calls")}});
  }
  void chunk(const Answer& answer, const std::vector<std::string>& choices, bool with_usage = false) {
    JsonMembers members{{"id", str(answer.id)}, {"model", str(answer.model)}, {"choices", json_.list(choices)}};
    if (with_usage) members.emplace_back("usage", usage(answer));
    event(json_.object(members));
  }
  std::string delta(const JsonMembers& members, std::string_view finish = {}) {
    return json_.object(
        {{"index", "0"}, {"delta", json_.object(members)}, {"finish_reason", finish.empty() ? "null" : str(finish)}});
  }
  void openai_events(const Answer& answer) {
    const bool chat = operation_ == Operation::kChatCompletions;
    for (const std::string& text : answer.texts) {
      chunk(answer, {chat ? delta({{"content", str(text)}}) : json_.object({{"index", "0"}, {"text", str(text)}})});
    }
    for (std::size_t i = 0; i < answer.calls.size(); ++i) {
      const Answer::Call& call = answer.calls[i];
      const std::size_t cut = input_.below(static_cast<std::uint32_t>(call.arguments.size()));
      const auto fragment = [&](const JsonMembers& members) {
        return delta({{"tool_calls", json_.list({json_.object(members)})}});
      };
      chunk(answer, {fragment({{"index", num(static_cast<std::int64_t>(i))},
                               {"id", str(call.id)},
                               {"type", str("function")},
                               {"function", function(call, ascii_cut(call.arguments, cut, true))}})});
      chunk(answer,
            {fragment({{"index", num(static_cast<std::int64_t>(i))},
                       {"function", json_.object({{"arguments", str(ascii_cut(call.arguments, cut, false))}})}})});
    }
    if (chat) chunk(answer, {delta({}, answer.calls.empty() ? "stop" : "tool_calls")});
    chunk(answer, {}, true);
    event("[DONE]");
  }
  // The first or the second part of a text that is cut between characters.
  static std::string ascii_cut(const std::string& text, std::size_t at, bool first) {
    while (at > 0 && (text[at] & 0xC0) == 0x80) --at;
    return first ? text.substr(0, at) : text.substr(at);
  }

  // --- Responses
  // ------------------------------------------------------------------------------------------------------
  std::string response(const Answer& answer, std::string_view status, bool with_output) {
    std::vector<std::string> output;
    if (with_output) {
      std::vector<std::string> parts;
      for (const std::string& text : answer.texts) {
        parts.push_back(json_.object({{"type", str("output_text")}, {"text", str(text)}}));
      }
      output.push_back(json_.object({{"type", str("message")}, {"id", str("msg_1")}, {"content", json_.list(parts)}}));
      for (const Answer::Call& call : answer.calls) output.push_back(item(call, call.arguments));
    }
    JsonMembers usage{{"input_tokens", num(answer.input)}, {"output_tokens", num(answer.output)}};
    usage.emplace_back("input_tokens_details", json_.object({{"cached_tokens", num(answer.cached)}}));
    usage.emplace_back("output_tokens_details", json_.object({{"reasoning_tokens", num(answer.reasoning)}}));
    return json_.object({{"id", str(answer.id)},
                         {"object", str("response")},
                         {"status", str(status)},
                         {"model", str(answer.model)},
                         {"output", json_.list(output)},
                         {"usage", with_output ? json_.object(usage) : "null"}});
  }
  std::string item(const Answer::Call& call, std::string_view arguments) {
    return json_.object({{"type", str("function_call")},
                         {"id", str("fc_" + call.id)},
                         {"call_id", str(call.id)},
                         {"name", str(call.name)},
                         {"arguments", str(arguments)}});
  }
  void response_event(std::string_view type, JsonMembers members) {
    members.insert(members.begin(), {"type", str(type)});
    members.emplace_back("sequence_number", num(sequence_++));
    event(json_.object(members), type);
  }
  void responses_events(const Answer& answer) {
    sequence_ = 0;
    response_event("response.created", {{"response", response(answer, "in_progress", false)}});
    std::int64_t at = 0;
    for (const std::string& text : answer.texts) {
      response_event("response.output_text.delta",
                     {{"item_id", str("msg_1")}, {"output_index", num(at)}, {"delta", str(text)}});
    }
    for (const Answer::Call& call : answer.calls) {
      ++at;
      const std::string id = str("fc_" + call.id);
      response_event("response.output_item.added", {{"output_index", num(at)}, {"item", item(call, "")}});
      response_event("response.function_call_arguments.delta",
                     {{"item_id", id}, {"output_index", num(at)}, {"delta", str(call.arguments)}});
      response_event("response.function_call_arguments.done",
                     {{"item_id", id}, {"output_index", num(at)}, {"arguments", str(call.arguments)}});
      response_event("response.output_item.done", {{"output_index", num(at)}, {"item", item(call, call.arguments)}});
    }
    response_event("response.completed", {{"response", response(answer, "completed", true)}});
  }

  // --- Anthropic
  // ------------------------------------------------------------------------------------------------------
  std::string counts(const Answer& answer, bool all) {
    JsonMembers members{{"output_tokens", num(all ? answer.output : 1)}};
    members.emplace_back("input_tokens", num(answer.input - answer.cached));
    members.emplace_back("cache_read_input_tokens", num(answer.cached));
    return json_.object(members);
  }
  std::string block(const Answer::Call& call, std::string_view arguments) {
    return json_.object(
        {{"type", str("tool_use")}, {"id", str(call.id)}, {"name", str(call.name)}, {"input", std::string(arguments)}});
  }
  std::string text_block(std::string_view text) { return json_.object({{"type", str("text")}, {"text", str(text)}}); }
  std::string message(const Answer& answer) {
    std::vector<std::string> content;
    for (const std::string& text : answer.texts) content.push_back(text_block(text));
    for (const Answer::Call& call : answer.calls) content.push_back(block(call, call.arguments));
    return json_.object({{"id", str(answer.id)},
                         {"type", str("message")},
                         {"role", str("assistant")},
                         {"model", str(answer.model)},
                         {"content", json_.list(content)},
                         {"stop_reason", str(answer.calls.empty() ? "end_turn" : "tool_use")},
                         {"usage", counts(answer, true)}});
  }
  void message_event(std::string_view type, JsonMembers members) {
    members.insert(members.begin(), {"type", str(type)});
    event(json_.object(members), type);
  }
  void block_events(std::int64_t index, const std::string& start, std::string_view type, std::string_view member,
                    std::string_view fragment) {
    message_event("content_block_start", {{"index", num(index)}, {"content_block", start}});
    message_event(
        "content_block_delta",
        {{"index", num(index)}, {"delta", json_.object({{"type", str(type)}, {std::string(member), str(fragment)}})}});
    message_event("content_block_stop", {{"index", num(index)}});
  }
  void messages_events(const Answer& answer) {
    message_event("message_start", {{"message", json_.object({{"id", str(answer.id)},
                                                              {"type", str("message")},
                                                              {"model", str(answer.model)},
                                                              {"content", "[]"},
                                                              {"usage", counts(answer, false)}})}});
    std::int64_t index = 0;
    for (const std::string& text : answer.texts) block_events(index++, text_block(""), "text_delta", "text", text);
    for (const Answer::Call& call : answer.calls) {
      block_events(index++, block(call, "{}"), "input_json_delta", "partial_json", call.arguments);
    }
    message_event("message_delta",
                  {{"delta", json_.object({{"stop_reason", str(answer.calls.empty() ? "end_turn" : "tool_use")}})},
                   {"usage", json_.object({{"output_tokens", num(answer.output)}})}});
    message_event("message_stop", {});
  }

  // --- Gemini
  // ---------------------------------------------------------------------------------------------------------
  std::string candidates(const std::vector<std::string>& texts, const std::vector<Answer::Call>& calls,
                         const Answer& answer, bool last) {
    std::vector<std::string> parts;
    for (const std::string& text : texts) parts.push_back(json_.object({{"text", str(text)}}));
    for (const Answer::Call& call : calls) {
      parts.push_back(
          json_.object({{"functionCall", json_.object({{"name", str(call.name)}, {"args", call.arguments}})}}));
    }
    JsonMembers candidate{{"index", "0"},
                          {"content", json_.object({{"role", str("model")}, {"parts", json_.list(parts)}})}};
    if (last) candidate.emplace_back("finishReason", str("STOP"));
    JsonMembers members{{"candidates", json_.list({json_.object(candidate)})},
                        {"modelVersion", str(answer.model)},
                        {"responseId", str(answer.id)}};
    if (last) {
      members.emplace_back("usageMetadata",
                           json_.object({{"promptTokenCount", num(answer.input)},
                                         {"cachedContentTokenCount", num(answer.cached)},
                                         {"candidatesTokenCount", num(answer.output - answer.reasoning)},
                                         {"thoughtsTokenCount", num(answer.reasoning)}}));
    }
    return json_.object(members);
  }
  void gemini_events(const Answer& answer) {
    for (const std::string& text : answer.texts) event(candidates({text}, {}, answer, false));
    for (const Answer::Call& call : answer.calls) event(candidates({}, {call}, answer, false));
    event(candidates({}, {}, answer, true));
  }

  // --- Ollama
  // ---------------------------------------------------------------------------------------------------------
  std::string ollama(std::string_view text, const std::vector<Answer::Call>& calls, const Answer& answer, bool last) {
    JsonMembers members{{"model", str(answer.model)}};
    if (operation_ == Operation::kOllamaGenerate) {
      members.emplace_back("response", str(text));
    } else {
      JsonMembers message{{"role", str("assistant")}, {"content", str(text)}};
      std::vector<std::string> list;
      for (const Answer::Call& call : calls) {
        list.push_back(
            json_.object({{"function", json_.object({{"name", str(call.name)}, {"arguments", call.arguments}})}}));
      }
      if (!list.empty()) message.emplace_back("tool_calls", json_.list(list));
      members.emplace_back("message", json_.object(message));
    }
    members.emplace_back("done", last ? "true" : "false");
    if (last) {
      members.emplace_back("done_reason", str("stop"));
      members.emplace_back("prompt_eval_count", num(answer.input));
      members.emplace_back("eval_count", num(answer.output));
    }
    return json_.object(members);
  }

  const Operation operation_;
  Input& input_;
  JsonWriterOfFuzz json_;
  Framing framing_ = Framing::kSse;
  std::string out_;
  bool first_ = true;
  std::int64_t sequence_ = 0;
};

}  // namespace weir::fuzz
