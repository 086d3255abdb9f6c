// Test support: the messages of a recorded run, in the shape of OpenAI chat, as requests and answers of every dialect.
//
//   const std::vector<ChatMessage> run = messages_of(line);
//   std::string body = request_in(Operation::kMessages, std::span(run).first(3));   // what the client sends
//   std::string answer = answer_in(Operation::kMessages, run[3]);                   // what the provider answers
//   std::string stream = stream_in(Operation::kMessages, run[3]);                   // the same, streamed
//
// Reads only texts, calls, results and `is_error` of a message. Values; thread-safe.
#pragma once

#include <simdjson.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "providers/dialect.h"

namespace weir {

struct ChatCall {
  std::string id, name, arguments;  // arguments: a text of JSON
};

struct ChatMessage {
  std::string role, content, call_id, name;
  std::vector<ChatCall> calls;
  bool error = false;
};

// One of each dialect that has tools; Gemini's streams are kStreamGenerate.
inline constexpr Operation kTranscriptOperations[] = {Operation::kChatCompletions, Operation::kResponses,
                                                      Operation::kMessages, Operation::kGenerate,
                                                      Operation::kOllamaChat};

namespace transcript {

inline std::string text_at(simdjson::dom::element from, std::string_view key) {
  std::string_view text;
  return from[key].get_string().get(text) == simdjson::SUCCESS ? std::string(text) : std::string{};
}

// Arguments as a value, for dialects that have no text of them.
inline std::string as_object(const std::string& arguments) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  return parser.parse(arguments).get_object().get(object) == simdjson::SUCCESS ? arguments : "{}";
}

inline void chat_calls(JsonWriter& w, const ChatMessage& message, bool ollama) {
  if (message.calls.empty()) return;
  w.key("tool_calls").begin_array();
  for (const ChatCall& call : message.calls) {
    w.begin_object();
    if (!ollama) w.key("id").string(call.id).key("type").string("function");
    w.key("function").begin_object().key("name").string(call.name).key("arguments");
    ollama ? w.raw(as_object(call.arguments)) : w.string(call.arguments);
    w.end_object().end_object();
  }
  w.end_array();
}

inline void chat_message(JsonWriter& w, const ChatMessage& message, bool ollama) {
  w.begin_object().key("role").string(message.role).key("content").string(message.content);
  if (message.role == "tool") {
    w.key(ollama ? "tool_name" : "tool_call_id").string(ollama ? message.name : message.call_id);
    if (message.error) w.key("is_error").boolean(true);
  }
  chat_calls(w, message, ollama);
  w.end_object();
}

inline void response_items(JsonWriter& w, const ChatMessage& message) {
  if (message.role == "tool") {
    w.begin_object().key("type").string("function_call_output").key("call_id").string(message.call_id);
    w.key("output").string(message.content);
    if (message.error) w.key("is_error").boolean(true);
    w.end_object();
    return;
  }
  w.begin_object().key("type").string("message").key("role").string(message.role);
  w.key("content").string(message.content).end_object();
  for (const ChatCall& call : message.calls) {
    w.begin_object().key("type").string("function_call").key("call_id").string(call.id).key("name").string(call.name);
    w.key("arguments").string(call.arguments).end_object();
  }
}

inline void anthropic_blocks(JsonWriter& w, const ChatMessage& message) {
  w.key("content").begin_array();
  if (!message.content.empty())
    w.begin_object().key("type").string("text").key("text").string(message.content).end_object();
  for (const ChatCall& call : message.calls) {
    w.begin_object().key("type").string("tool_use").key("id").string(call.id).key("name").string(call.name);
    w.key("input").raw(as_object(call.arguments)).end_object();
  }
  w.end_array();
}

inline void gemini_parts(JsonWriter& w, const ChatMessage& message) {
  w.key("parts").begin_array();
  if (!message.content.empty()) w.begin_object().key("text").string(message.content).end_object();
  for (const ChatCall& call : message.calls) {
    w.begin_object().key("functionCall").begin_object().key("name").string(call.name);
    w.key("args").raw(as_object(call.arguments)).end_object().end_object();
  }
  w.end_array();
}

// Results that follow one another are one message of the user's in Anthropic and Gemini. Returns how many were taken.
inline std::size_t tool_message(JsonWriter& w, std::span<const ChatMessage> rest, bool gemini) {
  w.begin_object().key("role").string("user").key(gemini ? "parts" : "content").begin_array();
  std::size_t taken = 0;
  for (; taken < rest.size() && rest[taken].role == "tool"; ++taken) {
    const ChatMessage& result = rest[taken];
    w.begin_object();
    if (gemini) {
      w.key("functionResponse").begin_object().key("name").string(result.name).key("response").begin_object();
      w.key(result.error ? "error" : "output").string(result.content).end_object().end_object();
    } else {
      w.key("type")
          .string("tool_result")
          .key("tool_use_id")
          .string(result.call_id)
          .key("content")
          .string(result.content);
      if (result.error) w.key("is_error").boolean(true);
    }
    w.end_object();
  }
  w.end_array().end_object();
  return taken;
}

inline void conversation(JsonWriter& w, Operation operation, std::span<const ChatMessage> history) {
  const Dialect dialect = dialect_of(operation);
  const bool grouped = dialect == Dialect::kAnthropic || dialect == Dialect::kGemini;
  const bool gemini = dialect == Dialect::kGemini;
  w.begin_array();
  for (std::size_t i = 0; i < history.size();) {
    const ChatMessage& message = history[i];
    if (grouped && message.role == "tool") {
      i += tool_message(w, history.subspan(i), gemini);
      continue;
    }
    ++i;
    if (!grouped) {
      operation == Operation::kResponses ? response_items(w, message)
                                         : chat_message(w, message, dialect == Dialect::kOllama);
    } else if (message.role != "system") {
      w.begin_object().key("role").string(gemini && message.role == "assistant" ? "model" : message.role);
      gemini ? gemini_parts(w, message) : anthropic_blocks(w, message);
      w.end_object();
    }
  }
  w.end_array();
}

template <typename Write>
std::string written(Write write) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  write(w);
  w.end_object();
  return out;
}

inline std::string sse(const std::string& data, const std::string& event = {}) {
  return (event.empty() ? std::string{} : "event: " + event + "\n") + "data: " + data + "\n\n";
}

inline std::string chat_stream(const ChatMessage& message) {
  std::string out;
  const auto chunk = [&](auto delta) {
    out += sse(written([&](JsonWriter& w) {
      w.key("id").string("chatcmpl-1").key("choices").begin_array().begin_object().key("index").number(0);
      w.key("delta").begin_object();
      delta(w);
      w.end_object().end_object().end_array();
    }));
  };
  chunk([&](JsonWriter& w) { w.key("role").string("assistant").key("content").string(message.content); });
  for (std::size_t i = 0; i < message.calls.size(); ++i) {
    const ChatCall& call = message.calls[i];
    const auto fragment = [&](std::string_view arguments, bool first) {
      chunk([&](JsonWriter& w) {
        w.key("tool_calls").begin_array().begin_object().key("index").number(static_cast<std::int64_t>(i));
        if (first) w.key("id").string(call.id).key("type").string("function");
        w.key("function").begin_object();
        if (first) w.key("name").string(call.name);
        w.key("arguments").string(arguments).end_object().end_object().end_array();
      });
    };
    fragment("", true);
    fragment(call.arguments, false);
  }
  const std::string reason = message.calls.empty() ? "stop" : "tool_calls";
  out += sse(R"({"id":"chatcmpl-1","choices":[{"index":0,"delta":{},"finish_reason":")" + reason + R"("}]})");
  return out + "data: [DONE]\n\n";
}

inline std::string messages_stream(const ChatMessage& message) {
  std::string out = sse(R"({"type":"message_start","message":{"id":"msg_1","role":"assistant","content":[],)"
                        R"("usage":{"input_tokens":1,"output_tokens":1}}})",
                        "message_start");
  std::int64_t index = 0;
  const auto block = [&](auto start, const std::string& delta) {
    const auto event = [&](std::string_view type, auto more) {
      out += sse(written([&](JsonWriter& w) {
                   w.key("type").string(type).key("index").number(index);
                   more(w);
                 }),
                 std::string(type));
    };
    event("content_block_start", [&](JsonWriter& w) { start(w.key("content_block").begin_object()), w.end_object(); });
    event("content_block_delta", [&](JsonWriter& w) { w.key("delta").raw(delta); });
    event("content_block_stop", [](JsonWriter&) {});
    ++index;
  };
  if (!message.content.empty()) {
    block([](JsonWriter& w) { w.key("type").string("text").key("text").string(""); },
          written([&](JsonWriter& w) { w.key("type").string("text_delta").key("text").string(message.content); }));
  }
  for (const ChatCall& call : message.calls) {
    block(
        [&](JsonWriter& w) {
          w.key("type")
              .string("tool_use")
              .key("id")
              .string(call.id)
              .key("name")
              .string(call.name)
              .key("input")
              .raw("{}");
        },
        written([&](JsonWriter& w) {
          w.key("type").string("input_json_delta").key("partial_json").string(as_object(call.arguments));
        }));
  }
  const std::string reason = message.calls.empty() ? "end_turn" : "tool_use";
  out += sse(R"({"type":"message_delta","delta":{"stop_reason":")" + reason + R"("},"usage":{"output_tokens":5}})",
             "message_delta");
  return out + sse(R"({"type":"message_stop"})", "message_stop");
}

inline std::string responses_stream(const ChatMessage& message) {
  std::string out;
  const auto event = [&](std::string_view type, auto more) {
    out += sse(written([&](JsonWriter& w) { more(w.key("type").string(type)); }), std::string(type));
  };
  event("response.created", [](JsonWriter& w) { w.key("response").raw(R"({"id":"resp_1","output":[]})"); });
  std::int64_t index = 0;
  for (const ChatCall& call : message.calls) {
    const auto item = [&](JsonWriter& w, std::string_view arguments) {
      w.key("output_index").number(index).key("item").begin_object().key("type").string("function_call");
      w.key("id").string("fc_" + std::to_string(index)).key("call_id").string(call.id).key("name").string(call.name);
      w.key("arguments").string(arguments).end_object();
    };
    event("response.output_item.added", [&](JsonWriter& w) { item(w, ""); });
    event("response.function_call_arguments.delta", [&](JsonWriter& w) {
      w.key("output_index").number(index).key("item_id").string("fc_" + std::to_string(index));
      w.key("delta").string(call.arguments);
    });
    event("response.output_item.done", [&](JsonWriter& w) { item(w, call.arguments); });
    ++index;
  }
  event("response.completed", [&](JsonWriter& w) {
    w.key("response").begin_object().key("id").string("resp_1").key("status").string("completed").key("output");
    w.begin_array();
    response_items(w, message);
    w.end_array().end_object();
  });
  return out;
}

}  // namespace transcript

inline std::vector<ChatMessage> messages_of(simdjson::dom::element run) {
  std::vector<ChatMessage> messages;
  simdjson::dom::array list;
  if (run["messages"].get_array().get(list) != simdjson::SUCCESS) return messages;
  for (const simdjson::dom::element each : list) {
    ChatMessage message{.role = transcript::text_at(each, "role"),
                        .content = transcript::text_at(each, "content"),
                        .call_id = transcript::text_at(each, "tool_call_id"),
                        .name = transcript::text_at(each, "name"),
                        .calls = {},
                        .error = false};
    (void)!each["is_error"].get_bool().get(message.error);
    simdjson::dom::array calls;
    if (each["tool_calls"].get_array().get(calls) == simdjson::SUCCESS) {
      for (const simdjson::dom::element call : calls) {
        message.calls.push_back({transcript::text_at(call, "id"),
                                 std::string(call["function"]["name"].get_string().value_unsafe()),
                                 std::string(call["function"]["arguments"].get_string().value_unsafe())});
      }
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

inline std::string request_in(Operation operation, std::span<const ChatMessage> history) {
  const bool gemini = dialect_of(operation) == Dialect::kGemini;
  return transcript::written([&](JsonWriter& w) {
    if (!gemini) w.key("model").string("m");
    if (operation == Operation::kMessages) w.key("max_tokens").number(1'000);
    const bool apart = gemini || operation == Operation::kMessages;
    if (apart && !history.empty() && history.front().role == "system") {
      w.key(gemini ? "systemInstruction" : "system");
      if (gemini) {
        w.begin_object();
        transcript::gemini_parts(w, history.front());
        w.end_object();
      } else {
        w.string(history.front().content);
      }
    }
    w.key(gemini ? "contents" : operation == Operation::kResponses ? "input" : "messages");
    transcript::conversation(w, operation, history);
  });
}

inline std::string answer_in(Operation operation, const ChatMessage& message) {
  using namespace transcript;
  return written([&](JsonWriter& w) {
    switch (operation) {
      case Operation::kResponses:
        w.key("id").string("resp_1").key("status").string("completed").key("output").begin_array();
        response_items(w, message);
        w.end_array();
        return;
      case Operation::kMessages:
        w.key("id").string("msg_1").key("role").string("assistant");
        anthropic_blocks(w, message);
        w.key("stop_reason").string(message.calls.empty() ? "end_turn" : "tool_use");
        return;
      case Operation::kGenerate:
      case Operation::kStreamGenerate:
        w.key("candidates").begin_array().begin_object().key("content").begin_object().key("role").string("model");
        gemini_parts(w, message);
        w.end_object().key("finishReason").string("STOP").end_object().end_array();
        w.key("usageMetadata").raw(R"({"promptTokenCount":1,"candidatesTokenCount":5,"totalTokenCount":6})");
        return;
      case Operation::kOllamaChat:
        w.key("message");
        chat_message(w, message, /*ollama=*/true);
        w.key("done").boolean(true).key("done_reason").string("stop");
        return;
      default:
        w.key("id")
            .string("chatcmpl-1")
            .key("choices")
            .begin_array()
            .begin_object()
            .key("index")
            .number(0)
            .key("message");
        chat_message(w, message, /*ollama=*/false);
        w.key("finish_reason").string(message.calls.empty() ? "stop" : "tool_calls").end_object().end_array();
    }
  });
}

// SSE, but lines for Ollama; arguments in a piece of their own where the dialect has them so.
inline std::string stream_in(Operation operation, const ChatMessage& message) {
  switch (operation) {
    case Operation::kResponses:
      return transcript::responses_stream(message);
    case Operation::kMessages:
      return transcript::messages_stream(message);
    case Operation::kGenerate:
    case Operation::kStreamGenerate:
      return transcript::sse(answer_in(operation, message));
    case Operation::kOllamaChat:
      return answer_in(operation, message) + "\n";
    default:
      return transcript::chat_stream(message);
  }
}

}  // namespace weir
