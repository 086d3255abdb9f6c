#include "clients/asking.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "words.h"

namespace weir::sim::client {
namespace {

struct Name {
  std::string_view word;
  Operation operation;
};
constexpr std::array<Name, 12> kNames = {{{"openai", Operation::kChat},
                                          {"chat", Operation::kChat},
                                          {"responses", Operation::kResponses},
                                          {"completions", Operation::kCompletions},
                                          {"embeddings", Operation::kEmbeddings},
                                          {"anthropic", Operation::kMessages},
                                          {"messages", Operation::kMessages},
                                          {"gemini", Operation::kGenerateContent},
                                          {"ollama", Operation::kOllamaChat},
                                          {"generate", Operation::kOllamaGenerate},
                                          {"ollama_embed", Operation::kOllamaEmbed},
                                          {"mcp", Operation::kMcp}}};

void join(std::string& out, std::string_view item) {
  if (!out.empty()) out += ',';
  out += item;
}

std::string text_of(const Talk& talk, std::size_t i, std::string_view mark) {
  return json_string(talk.turns[i].text + (i + 1 == talk.turns.size() ? std::string(mark) : std::string()));
}

std::string chat_messages(const Talk& talk, std::string_view mark, bool ollama) {
  std::string out;
  if (!talk.system.empty()) out = fmt::format(R"({{"role":"system","content":{}}})", json_string(talk.system));
  for (std::size_t i = 0; i < talk.turns.size(); ++i) {
    const Turn& turn = talk.turns[i];
    const std::string text = text_of(talk, i, mark);
    if (turn.who == Turn::Who::kTool) {
      join(out, ollama ? fmt::format(R"({{"role":"tool","tool_name":{},"tool_call_id":{},"content":{}}})",
                                     json_string(turn.tool), json_string(turn.call_id), text)
                       : fmt::format(R"({{"role":"tool","tool_call_id":{},"content":{}}})", json_string(turn.call_id),
                                     text));
      continue;
    }
    std::string calls;
    for (const ToolCall& call : turn.calls) {
      const std::string& arguments = call.arguments.empty() ? "{}" : call.arguments;
      join(calls,
           fmt::format(R"({{"id":{},"type":"function","function":{{"name":{},"arguments":{}}}}})", json_string(call.id),
                       json_string(call.name), ollama ? arguments : json_string(arguments)));
    }
    if (!calls.empty()) calls = ",\"tool_calls\":[" + calls + "]";
    join(out, fmt::format(R"({{"role":"{}","content":{}{}}})", turn.who == Turn::Who::kUser ? "user" : "assistant",
                          text, calls));
  }
  return out;
}

std::string response_items(const Talk& talk, std::string_view mark) {
  std::size_t first = 0;
  for (std::size_t i = 0; !talk.previous.empty() && i < talk.turns.size(); ++i) {
    if (talk.turns[i].who == Turn::Who::kModel) first = i + 1;
  }
  std::string out;
  for (std::size_t i = first; i < talk.turns.size(); ++i) {
    const Turn& turn = talk.turns[i];
    const std::string text = text_of(talk, i, mark);
    if (turn.who == Turn::Who::kTool) {
      join(out, fmt::format(R"({{"type":"function_call_output","call_id":{},"output":{}}})", json_string(turn.call_id),
                            text));
      continue;
    }
    join(out,
         fmt::format(R"({{"role":"{}","content":{}}})", turn.who == Turn::Who::kUser ? "user" : "assistant", text));
    for (const ToolCall& call : turn.calls) {
      join(out, fmt::format(R"({{"type":"function_call","call_id":{},"name":{},"arguments":{}}})", json_string(call.id),
                            json_string(call.name), json_string(call.arguments)));
    }
  }
  return out;
}

std::string message_list(const Talk& talk, std::string_view mark) {
  std::string out;
  for (std::size_t i = 0; i < talk.turns.size(); ++i) {
    const Turn& turn = talk.turns[i];
    const std::string text = text_of(talk, i, mark);
    std::string blocks;
    if (turn.who == Turn::Who::kTool) {
      // Results of one turn stand in one message.
      blocks = fmt::format(R"({{"type":"tool_result","tool_use_id":{},"content":{},"is_error":{}}})",
                           json_string(turn.call_id), text, turn.failed);
      if (i > 0 && talk.turns[i - 1].who == Turn::Who::kTool) {
        out.resize(out.size() - 2);
        out += "," + blocks + "]}";
        continue;
      }
    } else {
      if (text != "\"\"") blocks = fmt::format(R"({{"type":"text","text":{}}})", text);
      for (const ToolCall& call : turn.calls) {
        join(blocks, fmt::format(R"({{"type":"tool_use","id":{},"name":{},"input":{}}})", json_string(call.id),
                                 json_string(call.name), call.arguments.empty() ? "{}" : call.arguments));
      }
    }
    join(out, fmt::format(R"({{"role":"{}","content":[{}]}})", turn.who == Turn::Who::kModel ? "assistant" : "user",
                          blocks));
  }
  return out;
}

std::string contents(const Talk& talk, std::string_view mark) {
  std::string out;
  for (std::size_t i = 0; i < talk.turns.size(); ++i) {
    const Turn& turn = talk.turns[i];
    const std::string text = text_of(talk, i, mark);
    std::string parts;
    if (turn.who == Turn::Who::kTool) {
      parts = fmt::format(R"({{"functionResponse":{{"id":{},"name":{},"response":{{"output":{}}}}}}})",
                          json_string(turn.call_id), json_string(turn.tool), text);
    } else {
      parts = fmt::format(R"({{"text":{}}})", text);
      for (const ToolCall& call : turn.calls) {
        parts += fmt::format(R"(,{{"functionCall":{{"id":{},"name":{},"args":{}}}}})", json_string(call.id),
                             json_string(call.name), call.arguments.empty() ? "{}" : call.arguments);
      }
    }
    join(out, fmt::format(R"({{"role":"{}","parts":[{}]}})", turn.who == Turn::Who::kModel ? "model" : "user", parts));
  }
  return out;
}

std::string tool_list(const Wish& wish, const Talk& talk) {
  if (talk.tools.empty()) return {};
  std::string out;
  for (const std::string& tool : talk.tools) {
    const std::string name = json_string(tool);
    switch (wish.operation) {
      case Operation::kMessages:
        join(out, fmt::format(R"({{"name":{},"description":"A tool","input_schema":{{"type":"object"}}}})", name));
        break;
      case Operation::kResponses:
        join(out, fmt::format(R"({{"type":"function","name":{},"parameters":{{"type":"object"}}}})", name));
        break;
      case Operation::kGenerateContent:
        join(out, fmt::format(R"({{"name":{},"description":"A tool"}})", name));
        break;
      default:
        join(out,
             fmt::format(R"({{"type":"function","function":{{"name":{},"parameters":{{"type":"object"}}}}}})", name));
    }
  }
  if (wish.operation == Operation::kGenerateContent) out = R"({"functionDeclarations":[)" + out + "]}";
  return ",\"tools\":[" + out + "]";
}

std::string cap_member(std::string_view name, std::int64_t cap) {
  return cap > 0 ? fmt::format(R"(,"{}":{})", name, cap) : std::string();
}

std::string openai_body(const Wish& wish, const Talk& talk, std::string_view mark) {
  const bool usage = wish.stream && wish.include_usage;
  const std::string tail = fmt::format(R"({}{}}})", wish.stream ? R"(,"stream":true)" : "",
                                       usage ? R"(,"stream_options":{"include_usage":true})" : "");
  const std::string model = json_string(wish.model);
  const std::string last = talk.turns.empty() ? json_string(mark) : text_of(talk, talk.turns.size() - 1, mark);
  switch (wish.operation) {
    case Operation::kEmbeddings:
      return fmt::format(R"({{"model":{},"input":{}}})", model, last);
    case Operation::kCompletions:
      return fmt::format(R"({{"model":{},"prompt":{}{}{})", model, last, cap_member("max_tokens", wish.cap), tail);
    case Operation::kResponses:
      return fmt::format(
          R"({{"model":{},"input":[{}]{}{}{}{}{}}})", model, response_items(talk, mark),
          talk.system.empty() ? std::string() : ",\"instructions\":" + json_string(talk.system),
          talk.previous.empty() ? std::string() : ",\"previous_response_id\":" + json_string(talk.previous),
          tool_list(wish, talk), cap_member("max_output_tokens", wish.cap), wish.stream ? R"(,"stream":true)" : "");
    default:
      return fmt::format(R"({{"model":{},"messages":[{}]{}{}{})", model, chat_messages(talk, mark, false),
                         tool_list(wish, talk), cap_member("max_completion_tokens", wish.cap), tail);
  }
}

std::string ollama_body(const Wish& wish, const Talk& talk, std::string_view mark) {
  const std::string model = json_string(wish.model);
  const std::string last = talk.turns.empty() ? json_string(mark) : text_of(talk, talk.turns.size() - 1, mark);
  if (wish.operation == Operation::kOllamaEmbed) return fmt::format(R"({{"model":{},"input":{}}})", model, last);
  const std::string options =
      wish.cap > 0 ? fmt::format(R"(,"options":{{"num_predict":{}}})", wish.cap) : std::string();
  if (wish.operation == Operation::kOllamaGenerate) {
    return fmt::format(R"({{"model":{},"prompt":{},"stream":{}{}}})", model, last, wish.stream, options);
  }
  return fmt::format(R"({{"model":{},"messages":[{}]{},"stream":{}{}}})", model, chat_messages(talk, mark, true),
                     tool_list(wish, talk), wish.stream, options);
}

}  // namespace

Result<Operation> operation_from(std::string_view word) {
  for (const Name& name : kNames) {
    if (name.word == word) return name.operation;
  }
  return fail(fmt::format("no dialect `{}`", word));
}

std::string_view route_name(Operation operation) {
  switch (operation) {
    case Operation::kMessages:
      return "messages";
    case Operation::kGenerateContent:
      return "gemini";
    case Operation::kOllamaChat:
    case Operation::kOllamaGenerate:
    case Operation::kOllamaEmbed:
      return "ollama";
    case Operation::kResponses:
      return "responses";
    case Operation::kCompletions:
      return "completions";
    case Operation::kEmbeddings:
      return "embeddings";
    case Operation::kMcp:
      return "mcp";
    case Operation::kHttp:
      return "http";
    default:
      return "chat";
  }
}

std::string target_of(const Wish& wish) {
  switch (wish.operation) {
    case Operation::kResponses:
      return "/v1/responses";
    case Operation::kCompletions:
      return "/v1/completions";
    case Operation::kEmbeddings:
      return "/v1/embeddings";
    case Operation::kMessages:
      return "/v1/messages";
    case Operation::kGenerateContent:
      return fmt::format("/v1beta/models/{}:{}", wish.model,
                         !wish.stream      ? "generateContent"
                         : wish.json_array ? "streamGenerateContent"
                                           : "streamGenerateContent?alt=sse");
    case Operation::kOllamaChat:
      return "/api/chat";
    case Operation::kOllamaGenerate:
      return "/api/generate";
    case Operation::kOllamaEmbed:
      return "/api/embed";
    default:
      return "/v1/chat/completions";
  }
}

std::string body_of(const Wish& wish, const Talk& talk, std::string_view mark) {
  switch (wish.operation) {
    case Operation::kMessages:
      return fmt::format(R"({{"model":{},"max_tokens":{}{},"messages":[{}]{}{}}})", json_string(wish.model),
                         wish.cap > 0 ? wish.cap : 1024,
                         talk.system.empty() ? std::string() : ",\"system\":" + json_string(talk.system),
                         message_list(talk, mark), tool_list(wish, talk), wish.stream ? R"(,"stream":true)" : "");
    case Operation::kGenerateContent: {
      const std::string system =
          talk.system.empty()
              ? std::string()
              : fmt::format(R"(,"systemInstruction":{{"parts":[{{"text":{}}}]}})", json_string(talk.system));
      const std::string cap =
          wish.cap > 0 ? fmt::format(R"(,"generationConfig":{{"maxOutputTokens":{}}})", wish.cap) : std::string();
      return fmt::format(R"({{"contents":[{}]{}{}{}}})", contents(talk, mark), system, tool_list(wish, talk), cap);
    }
    case Operation::kOllamaChat:
    case Operation::kOllamaGenerate:
    case Operation::kOllamaEmbed:
      return ollama_body(wish, talk, mark);
    default:
      return openai_body(wish, talk, mark);
  }
}

}  // namespace weir::sim::client
