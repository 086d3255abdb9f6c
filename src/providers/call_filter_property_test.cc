// CallFilter against readers that put streams together as the official SDKs do: whatever is cut, held or passed, what
// arrives is the turn without the calls that were cut, and well formed.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <simdjson.h>

#include "base/json_writer.h"
#include "providers/call_filter_fixture.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

struct Item {
  std::string name;  // empty: text
  std::vector<std::string> pieces;
  Rulings ruling;

  bool is_call() const { return !name.empty(); }
  bool stays() const {
    return ruling.at_name == Ruling::kPass || (ruling.at_name == Ruling::kHold && ruling.at_call == Ruling::kPass);
  }
  std::string whole() const {
    std::string all;
    for (const std::string& piece : pieces) all += piece;
    return all;
  }
};
using Turn = std::vector<Item>;

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// What a client has at the end: texts and calls in order, and how the turn ended.
struct Seen {
  std::vector<std::string> texts, calls;
  std::string finish;
  bool operator==(const Seen&) const = default;
};

std::string shown(const Seen& seen) {
  std::string out = "finish " + seen.finish;
  for (const std::string& text : seen.texts) out += "\ntext " + text;
  for (const std::string& call : seen.calls) out += "\ncall " + call;
  return out;
}

std::vector<std::string> payloads(std::string_view stream) {
  std::vector<std::string> all;
  LineCutter lines(stream);
  for (std::string_view line; lines.next(line);) {
    if (line.starts_with("data: ")) all.emplace_back(line.substr(6));
  }
  return all;
}

std::string text_at(const object& from, const char* key) {
  std::string_view text;
  return from.at_key(key).get_string().get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

std::int64_t number_at(const object& from, const char* key) {
  std::int64_t number = -1;
  return from.at_key(key).get_int64().get(number) == simdjson::SUCCESS ? number : -1;
}

std::vector<element> list_at(const object& from, const char* key) {
  array list;
  std::vector<element> all;
  if (from.at_key(key).get_array().get(list) == simdjson::SUCCESS) all.assign(list.begin(), list.end());
  return all;
}

object object_at(const object& from, const char* key) {
  return from.at_key(key).get_object().value();
}

// The next fragment of each item in an order that `seed` chooses; calls of a turn may interleave.
std::vector<std::size_t> schedule(const Turn& turn, std::uint64_t seed, bool interleaved) {
  std::vector<std::size_t> order;
  std::vector<std::size_t> left;
  for (const Item& item : turn) left.push_back(item.pieces.size());
  for (std::size_t first = 0; first < turn.size();) {
    if (left[first] == 0) {
      ++first;
      continue;
    }
    std::size_t next = first;
    seed = seed * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
    // A call begins only after the one before it.
    if (interleaved && (seed >> 40) % 2 == 0 && first + 1 < turn.size() && left[first + 1] > 0 &&
        left[first] < turn[first].pieces.size()) {
      next = first + 1;
    }
    --left[next];
    order.push_back(next);
  }
  return order;
}

std::string chat_stream(const Turn& turn, std::uint64_t seed) {
  std::string out;
  std::vector<std::int64_t> numbers;
  std::int64_t calls = 0;
  for (const Item& item : turn) numbers.push_back(item.is_call() ? calls++ : -1);
  std::vector<std::size_t> sent(turn.size());
  const auto chunk = [&](std::string_view delta, std::string_view finish) {
    out += fmt::format(R"(data: {{"id":"c","choices":[{{"index":0,"delta":{},"finish_reason":{}}}],"usage":null}})"
                       "\n\n",
                       delta, finish);
  };
  chunk(R"({"role":"assistant","content":null})", "null");
  for (const std::size_t at : schedule(turn, seed, true)) {
    const Item& item = turn[at];
    const std::string piece = json_text(item.pieces[sent[at]++]);
    if (!item.is_call()) {
      chunk(fmt::format(R"({{"content":{}}})", piece), "null");
    } else if (sent[at] == 1) {
      chunk(fmt::format(R"({{"tool_calls":[{{"index":{},"id":"i{}","function":{{"name":{},"arguments":{}}}}}]}})",
                        numbers[at], at, json_text(item.name), piece),
            "null");
    } else {
      chunk(fmt::format(R"({{"tool_calls":[{{"index":{},"function":{{"arguments":{}}}}}]}})", numbers[at], piece),
            "null");
    }
  }
  chunk("{}", calls > 0 ? "\"tool_calls\"" : "\"stop\"");
  return out + "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";
}

Seen read_chat(std::string_view stream) {
  Seen seen;
  std::vector<std::pair<std::string, std::string>> calls;
  std::string text;
  simdjson::dom::parser parser;
  for (const std::string& json : payloads(stream)) {
    if (json == "[DONE]") continue;
    const object root = parser.parse(json).get_object().value();
    for (const element value : list_at(root, "choices")) {
      const object choice = value.get_object().value();
      const object delta = object_at(choice, "delta");
      text += text_at(delta, "content");
      seen.finish += text_at(choice, "finish_reason");
      array fragments;
      if (delta.at_key("tool_calls").get_array().get(fragments) != simdjson::SUCCESS) continue;
      RC_ASSERT(fragments.size() > 0u);
      for (const element fragment : fragments) {
        const auto index = static_cast<std::size_t>(number_at(fragment.get_object().value(), "index"));
        const object function = object_at(fragment.get_object().value(), "function");
        RC_ASSERT(index <= calls.size());
        if (index == calls.size()) {
          RC_ASSERT(!text_at(fragment.get_object().value(), "id").empty());
          calls.emplace_back(text_at(function, "name"), "");
        }
        calls[index].second += text_at(function, "arguments");
      }
    }
  }
  seen.texts.push_back(text);
  for (const auto& [name, arguments] : calls) seen.calls.push_back(name + arguments);
  return seen;
}

std::string messages_stream(const Turn& turn, std::uint64_t /*seed*/) {
  std::string out = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n";
  const auto event = [&](const char* type, std::size_t index, const std::string& more) {
    out += fmt::format("event: {}\ndata: {{\"type\":\"{}\",\"index\":{}{}}}\n\n", type, type, index, more);
  };
  bool calls = false;
  for (std::size_t i = 0; i < turn.size(); ++i) {
    const Item& item = turn[i];
    calls |= item.is_call();
    event("content_block_start", i,
          item.is_call() ? fmt::format(R"(,"content_block":{{"type":"tool_use","id":"t{}","name":{},"input":{{}}}})", i,
                                       json_text(item.name))
                         : R"(,"content_block":{"type":"text","text":""})");
    for (const std::string& piece : item.pieces) {
      event("content_block_delta", i,
            fmt::format(R"(,"delta":{{"type":"{}","{}":{}}})", item.is_call() ? "input_json_delta" : "text_delta",
                        item.is_call() ? "partial_json" : "text", json_text(piece)));
    }
    event("content_block_stop", i, "");
  }
  return out + fmt::format(
                   "event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{}\"}},"
                   "\"usage\":{{\"output_tokens\":1}}}}\n\nevent: message_stop\ndata: "
                   "{{\"type\":\"message_stop\"}}\n\n",
                   calls ? "tool_use" : "end_turn");
}

Seen read_messages(std::string_view stream) {
  Seen seen;
  struct Block {
    std::string type, text;
    bool open = true;
  };
  std::vector<Block> blocks;
  simdjson::dom::parser parser;
  for (const std::string& json : payloads(stream)) {
    const object root = parser.parse(json).get_object().value();
    const std::string type = text_at(root, "type");
    const auto index = static_cast<std::size_t>(number_at(root, "index"));
    if (type == "content_block_start") {
      RC_ASSERT(index == blocks.size());
      const object block = object_at(root, "content_block");
      blocks.push_back({text_at(block, "type"), text_at(block, "name")});
    } else if (type.starts_with("content_block_")) {
      RC_ASSERT(index < blocks.size());
      RC_ASSERT(blocks[index].open);
      object delta;
      if (root.at_key("delta").get_object().get(delta) == simdjson::SUCCESS) {
        blocks[index].text += text_at(delta, "text") + text_at(delta, "partial_json");
      } else {
        blocks[index].open = false;
      }
    } else if (type == "message_delta") {
      seen.finish = text_at(object_at(root, "delta"), "stop_reason");
    }
  }
  for (const Block& block : blocks) {
    RC_ASSERT(!block.open);
    (block.type == "text" ? seen.texts : seen.calls).push_back(block.text);
  }
  return seen;
}

std::string responses_item(const Item& item, std::size_t at, bool whole) {
  const std::string text = json_text(whole ? item.whole() : "");
  return item.is_call()
             ? fmt::format(R"({{"type":"function_call","id":"fc{}","call_id":"c{}","name":{},"arguments":{}}})", at, at,
                           json_text(item.name), text)
             : fmt::format(R"({{"type":"message","id":"ms{}","content":[{{"text":{}}}]}})", at, text);
}

std::string responses_stream(const Turn& turn, std::uint64_t seed) {
  std::string out;
  std::int64_t sequence = 0;
  const auto event = [&](const char* type, const std::string& more) {
    out +=
        fmt::format("event: {}\ndata: {{\"type\":\"{}\",\"sequence_number\":{}{}}}\n\n", type, type, sequence++, more);
  };
  event("response.created", R"(,"response":{"id":"r","output":[]})");
  std::vector<std::size_t> sent(turn.size());
  for (const std::size_t at : schedule(turn, seed, true)) {
    const Item& item = turn[at];
    if (sent[at] == 0) {
      event("response.output_item.added",
            fmt::format(R"(,"output_index":{},"item":{})", at, responses_item(item, at, false)));
    }
    event(item.is_call() ? "response.function_call_arguments.delta" : "response.output_text.delta",
          fmt::format(R"(,"output_index":{},"item_id":"{}{}","delta":{})", at, item.is_call() ? "fc" : "ms", at,
                      json_text(item.pieces[sent[at]])));
    if (++sent[at] < item.pieces.size()) continue;
    if (item.is_call()) {
      event("response.function_call_arguments.done",
            fmt::format(R"(,"output_index":{},"item_id":"fc{}","arguments":{})", at, at, json_text(item.whole())));
    }
    event("response.output_item.done",
          fmt::format(R"(,"output_index":{},"item":{})", at, responses_item(item, at, true)));
  }
  std::string output;
  for (std::size_t i = 0; i < turn.size(); ++i) output += (i == 0 ? "" : ",") + responses_item(turn[i], i, true);
  event("response.completed",
        ",\"response\":{\"id\":\"r\",\"output\":[" + output + "],\"usage\":{\"input_tokens\":1}}");
  return out;
}

std::string key_of(const object& item) {
  return text_at(item, "type") + text_at(item, "id") + text_at(item, "name");
}

Seen read_responses(std::string_view stream) {
  Seen seen;
  std::vector<std::string> keys;
  std::vector<std::string> texts;
  std::int64_t sequence = 0;
  simdjson::dom::parser parser;
  for (const std::string& json : payloads(stream)) {
    const object root = parser.parse(json).get_object().value();
    const std::string type = text_at(root, "type");
    RC_ASSERT(number_at(root, "sequence_number") == sequence++);
    const auto index = static_cast<std::size_t>(number_at(root, "output_index"));
    object part;
    if (type == "response.output_item.added") {
      RC_ASSERT(index == keys.size());
      keys.push_back(key_of(object_at(root, "item")));
      texts.emplace_back();
    } else if (type.ends_with(".delta")) {
      RC_ASSERT(index < keys.size());
      RC_ASSERT(keys[index].find(text_at(root, "item_id")) != std::string::npos);
      texts[index] += text_at(root, "delta");
    } else if (type == "response.output_item.done") {
      RC_ASSERT(index < keys.size());
      RC_ASSERT(keys[index] == key_of(object_at(root, "item")));
    } else if (type == "response.completed") {
      std::vector<std::string> last;
      for (const element item : list_at(object_at(root, "response"), "output")) {
        last.push_back(key_of(item.get_object().value()));
      }
      std::vector<std::string> streamed = keys;
      std::sort(last.begin(), last.end());
      std::sort(streamed.begin(), streamed.end());
      RC_ASSERT(last == streamed);
      seen.finish = "completed";
    }
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool call = keys[i].starts_with("function_call");
    const std::string name = call ? keys[i].substr(keys[i].find_first_not_of("0123456789", 15)) : "";
    (call ? seen.calls : seen.texts).push_back(name + texts[i]);
  }
  return seen;
}

std::vector<std::string> parts_of(const Turn& turn, bool gemini) {
  std::vector<std::string> all;
  for (const Item& item : turn) {
    const std::string arguments = fmt::format(R"({{"x":{}}})", json_text(item.whole()));
    if (gemini) {
      all.push_back(item.is_call()
                        ? fmt::format(R"({{"functionCall":{{"name":{},"args":{}}}}})", json_text(item.name), arguments)
                        : fmt::format(R"({{"text":{}}})", json_text(item.whole())));
    } else {
      all.push_back(item.is_call()
                        ? fmt::format(R"("content":"","tool_calls":[{{"function":{{"name":{},"arguments":{}}}}}])",
                                      json_text(item.name), arguments)
                        : fmt::format(R"("content":{})", json_text(item.whole())));
    }
  }
  return all;
}

std::string gemini_stream(const Turn& turn, std::uint64_t seed) {
  std::string out;
  const std::vector<std::string> parts = parts_of(turn, true);
  for (std::size_t i = 0; i < parts.size();) {
    std::string chunk;
    const std::size_t take = 1 + (seed >> i % 60) % 2;
    for (std::size_t end = std::min(parts.size(), i + take); i < end; ++i)
      chunk += (chunk.empty() ? "" : ", ") + parts[i];
    out += fmt::format("data: {{\"candidates\":[{{\"content\":{{\"parts\":[{}],\"role\":\"model\"}}}}]}}\n\n", chunk);
  }
  return out + "data: {\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":1}}\n\n";
}

Seen read_gemini(std::string_view stream) {
  Seen seen;
  simdjson::dom::parser parser;
  for (const std::string& json : payloads(stream)) {
    const object root = parser.parse(json).get_object().value();
    for (const element candidate : list_at(root, "candidates")) {
      seen.finish += text_at(candidate.get_object().value(), "finishReason");
      array parts;
      if (candidate.at_key("content").at_key("parts").get_array().get(parts) != simdjson::SUCCESS) continue;
      for (const element part : parts) {
        object call;
        if (part.at_key("functionCall").get_object().get(call) != simdjson::SUCCESS) {
          seen.texts.push_back(text_at(part.get_object().value(), "text"));
        } else {
          seen.calls.push_back(text_at(call, "name") + text_at(object_at(call, "args"), "x"));
        }
      }
    }
  }
  return seen;
}

std::string ollama_stream(const Turn& turn, std::uint64_t /*seed*/) {
  std::string out;
  for (const std::string& part : parts_of(turn, false)) {
    out += "{\"model\":\"m\",\"message\":{\"role\":\"assistant\"," + part + "},\"done\":false}\n";
  }
  return out + "{\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}\n";
}

Seen read_ollama(std::string_view stream) {
  Seen seen;
  simdjson::dom::parser parser;
  LineCutter lines(stream);
  for (std::string_view line; lines.next(line);) {
    const object root = parser.parse(line.data(), line.size()).get_object().value();
    const object message = object_at(root, "message");
    seen.finish += text_at(root, "done_reason");
    array calls;
    if (message.at_key("tool_calls").get_array().get(calls) != simdjson::SUCCESS) {
      if (const std::string text = text_at(message, "content"); !text.empty()) seen.texts.push_back(text);
      continue;
    }
    for (const element call : calls) {
      const object function = object_at(call.get_object().value(), "function");
      seen.calls.push_back(text_at(function, "name") + text_at(object_at(function, "arguments"), "x"));
    }
  }
  return seen;
}

struct DialectCase {
  const char* name;
  Operation operation;
  Framing framing;
  std::string (*write)(const Turn&, std::uint64_t);
  Seen (*read)(std::string_view);
};
const DialectCase kDialects[] = {
    {"chat", Operation::kChatCompletions, Framing::kSse, chat_stream, read_chat},
    {"messages", Operation::kMessages, Framing::kSse, messages_stream, read_messages},
    {"responses", Operation::kResponses, Framing::kSse, responses_stream, read_responses},
    {"gemini", Operation::kStreamGenerate, Framing::kSse, gemini_stream, read_gemini},
    {"ollama", Operation::kOllamaChat, Framing::kNdjson, ollama_stream, read_ollama},
};

Turn any_turn() {
  Turn turn;
  const std::size_t items = *rc::gen::inRange<std::size_t>(0, 6);
  static const std::vector<std::string> kPieces = {"{\"a\":", "1}", "\"é\n\\\"", "tool_calls", "\\u00e9", "x"};
  for (std::size_t i = 0; i < items; ++i) {
    Item item;
    const bool call = *rc::gen::inRange(0, 3) > 0;
    const std::size_t pieces = *rc::gen::inRange<std::size_t>(1, 4);
    for (std::size_t p = 0; p < pieces; ++p) item.pieces.push_back(*rc::gen::elementOf(kPieces));
    if (call) {
      item.name = (*rc::gen::arbitrary<bool>() ? "töol" : "pay") + std::string("_") +
                  std::string(1, static_cast<char>('a' + i));
      item.ruling = *rc::gen::elementOf(
          std::vector<Rulings>{{}, kCutByName, kHeldThenPassed, kHeldThenCut, {Ruling::kPass, Ruling::kCut}});
    }
    turn.push_back(item);
  }
  return turn;
}

RulingsByName rulings_of(const Turn& turn) {
  RulingsByName rulings;
  for (const Item& item : turn) {
    if (item.is_call()) rulings[canonical_tool_name(item.name)] = item.ruling;
  }
  return rulings;
}

RC_GTEST_PROP(CallFilterProperty, AClientSeesTheTurnWithoutTheCallsThatWereCut, ()) {
  const Turn turn = any_turn();
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  Turn rest;
  bool cut = false;
  for (const Item& item : turn) {
    cut |= !item.stays();
    if (item.stays()) rest.push_back(item);
  }
  for (const DialectCase& dialect : kDialects) {
    const std::string stream = dialect.write(turn, seed);
    const Filtered got = filtered(dialect.operation, dialect.framing, stream, rulings_of(turn));
    Seen seen = dialect.read(got.out);
    Seen expected = dialect.read(dialect.write(rest, seed));
    expected.texts = dialect.read(stream).texts;
    // Held calls may arrive after those that followed them.
    for (Seen* each : {&seen, &expected}) std::sort(each->calls.begin(), each->calls.end());
    if (!(seen == expected)) {
      RC_FAIL(std::string(dialect.name) + "\n" + stream + "\nbecame\n" + got.out + "\nseen: " + shown(seen) +
              "\nexpected: " + shown(expected));
    }
    RC_ASSERT(got.calls + got.cut == static_cast<std::size_t>(std::count_if(
                                         turn.begin(), turn.end(), [](const Item& item) { return item.is_call(); })));
    if (!cut) RC_ASSERT(got.cut == 0u);
  }
}

RC_GTEST_PROP(CallFilterProperty, WhatPassesPassesByteForByte, ()) {
  const Turn turn = any_turn();
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  for (const DialectCase& dialect : kDialects) {
    const std::string stream = dialect.write(turn, seed);
    const Filtered got = filtered(dialect.operation, dialect.framing, stream, {});
    RC_ASSERT(got.out == stream);
    RC_ASSERT(!got.lagged);
  }
}

// A stream may break off after any event. (Of a torso no client makes an event.)
RC_GTEST_PROP(CallFilterProperty, WhatIsCutNeverLeavesWhereverTheStreamBreaksOff, ()) {
  const Turn turn = any_turn();
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  for (const DialectCase& dialect : kDialects) {
    const std::string stream = dialect.write(turn, seed);
    const std::string_view mark = dialect.framing == Framing::kSse ? "\n\n" : "\n";
    const std::size_t end = stream.rfind(mark, *rc::gen::inRange<std::size_t>(0, stream.size()));
    if (end == std::string::npos) continue;
    const std::string_view begun = std::string_view(stream).substr(0, end + mark.size());
    const std::string out = filtered(dialect.operation, dialect.framing, begun, rulings_of(turn)).out;
    for (const Item& item : turn) {
      if (item.is_call() && !item.stays()) RC_ASSERT(out.find(item.name) == std::string::npos);
    }
  }
}

}  // namespace
}  // namespace weir
