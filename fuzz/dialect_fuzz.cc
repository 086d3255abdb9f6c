// Requests of every dialect, written by a small grammar from the input, so that the fuzzer is past the JSON parser from
// the first byte on. Checks: read_request says what was written (model, stream, cap, choices, tools, messages, the
// user, calls and their results, in any order of members, spelling of texts and spacing); what a planted fault makes
// wrong is refused; an edited body is valid JSON that means the same but for the edit: members that are not edited are
// equal, messages that are kept are a part of those that were, the tools left are those not taken out. The same holds,
// apart from what was written, for bodies with bytes changed.
//
// Input: byte 0 = operation (mod 12), byte 1 = bits 0 to 2: a fault, bit 3: bytes are changed, bits 4 to 7: edits; the
// rest = choices of the grammar.
#include <simdjson.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.h"
#include "json_grammar.h"
#include "providers/dialect.h"
#include "providers/prompt_count.h"

namespace {

using namespace weir;
using namespace weir::fuzz;

constexpr BodyBounds kBounds{.depth = 32, .messages = 64, .tools = 16};

// What the body is written to say.
struct Said {
  std::string model, user;
  bool stream = false;
  std::optional<std::int64_t> cap;
  std::int64_t choices = 1;
  std::size_t messages = 0;
  std::vector<std::string> tools;
  std::vector<std::string> calls, results;  // ids (Gemini and Ollama: names) of the last model turn and what follows
};

class RequestWriter {
 public:
  RequestWriter(Operation operation, Input& input) : operation_(operation), input_(input), json_(input) {}

  std::string body() {
    said.model = dialect_of(operation_) == Dialect::kGemini ? "m" : std::string(pick_word(input_));
    if (dialect_of(operation_) != Dialect::kGemini) add("model", json_.text(said.model));
    options();
    conversation();
    while (!members_.empty()) {  // in any order
      const std::size_t at = input_.below(static_cast<std::uint32_t>(members_.size()));
      written_.push_back(members_[at]);
      members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(at));
    }
    return json_.object(written_);
  }

  Said said;

 private:
  bool is(Operation operation) const { return operation_ == operation; }
  bool is(Dialect dialect) const { return dialect_of(operation_) == dialect; }
  void add(std::string_view name, std::string value) { members_.emplace_back(name, std::move(value)); }

  void options() {
    const bool streams = generates(operation_) && !is(Dialect::kGemini);
    said.stream = is(Operation::kStreamGenerate) || is(Operation::kOllamaChat) || is(Operation::kOllamaGenerate);
    if (streams && input_.below(3) > 0) {
      said.stream = input_.flag();
      add("stream", said.stream ? "true" : "false");
    }
    if (is(Operation::kMessages) || (generates(operation_) && input_.flag())) {
      said.cap = 1 + input_.below(5000);
      add_cap(std::to_string(*said.cap));
    }
    if ((is(Operation::kChatCompletions) || is(Operation::kCompletions)) && input_.below(4) == 0) {
      said.choices = 1 + input_.below(5);
      add("n", std::to_string(said.choices));
    }
    if (is(Dialect::kOpenAi) && input_.below(3) == 0) {
      said.user = pick_word(input_);
      add("user", json_.text(said.user));
    }
    if (is(Operation::kMessages) && input_.below(3) == 0) {
      said.user = pick_word(input_);
      add("metadata", json_.object({{"user_id", json_.text(said.user)}}));
    }
    if (input_.below(3) == 0) add("temperature", "0.5");
  }

  void add_cap(const std::string& number) {
    switch (operation_) {
      case Operation::kChatCompletions:
        return add(input_.flag() ? "max_tokens" : "max_completion_tokens", number);
      case Operation::kResponses:
        return add("max_output_tokens", number);
      case Operation::kGenerate:
      case Operation::kStreamGenerate:
        return add(
            input_.flag() ? "generationConfig" : "generation_config",
            json_.object({{"temperature", "1"}, {input_.flag() ? "maxOutputTokens" : "max_output_tokens", number}}));
      case Operation::kOllamaChat:
      case Operation::kOllamaGenerate:
        return add("options", json_.object({{"num_predict", number}, {"top_k", "3"}}));
      default:
        return add("max_tokens", number);
    }
  }

  void conversation() {
    switch (operation_) {
      case Operation::kCompletions:
      case Operation::kOllamaGenerate:
        return add("prompt", json_.text(pick_word(input_)));
      case Operation::kEmbeddings:
      case Operation::kOllamaEmbed:
        return add("input", json_.list({json_.text(pick_word(input_)), json_.text("b")}));
      case Operation::kCountTokens:
      case Operation::kMessages:
      case Operation::kChatCompletions:
      case Operation::kOllamaChat:
        tools();
        return add("messages", turns());
      case Operation::kResponses:
        tools();
        return add("input", turns());
      default:
        tools();
        return add("contents", turns());
    }
  }

  void tools() {
    std::vector<std::string> list;
    for (std::uint32_t count = input_.below(4); count > 0; --count) {
      const std::string name = "tool_" + std::to_string(said.tools.size()) + (input_.flag() ? "x" : "");
      said.tools.push_back(name);
      const std::string schema = json_.object({{"type", json_.text("object")}, {"properties", "{}"}});
      if (is(Operation::kMessages) || is(Operation::kCountTokens)) {
        list.push_back(json_.object({{"name", json_.text(name)}, {"input_schema", schema}}));
      } else if (is(Operation::kResponses)) {
        list.push_back(
            json_.object({{"type", json_.text("function")}, {"name", json_.text(name)}, {"parameters", schema}}));
      } else if (is(Dialect::kGemini)) {
        list.push_back(json_.object({{"name", json_.text(name)}, {"parameters", schema}}));
      } else {
        list.push_back(
            json_.object({{"type", json_.text("function")},
                          {"function", json_.object({{"name", json_.text(name)}, {"parameters", schema}})}}));
      }
    }
    if (list.empty()) return;
    if (is(Dialect::kGemini)) list = {json_.object({{"functionDeclarations", json_.list(list)}})};
    add("tools", json_.list(list));
  }

  // A user, then rounds of a model's turn and the results or the user's words that follow it.
  std::string turns() {
    std::vector<std::string> list{words("user")};
    for (std::uint32_t round = input_.below(4); round > 0; --round) {
      said.calls.clear();
      said.results.clear();
      const std::uint32_t calls = input_.below(4);
      if (calls == 0) {
        list.push_back(words(is(Dialect::kGemini) ? "model" : "assistant"));
        list.push_back(words("user"));
        continue;
      }
      std::vector<std::string> ids;
      for (std::uint32_t i = 0; i < calls; ++i) ids.push_back("call_" + std::to_string(next_call_++));
      model_turn(ids, list);
      ids.resize(1 + input_.below(calls));
      results(ids, list);
    }
    said.messages = list.size();
    return json_.list(list);
  }

  std::string words(std::string_view role) {
    const std::string text = json_.text(pick_word(input_));
    if (is(Dialect::kGemini)) {
      return json_.object({{"role", json_.text(role)}, {"parts", json_.list({json_.object({{"text", text}})})}});
    }
    return json_.object({{"role", json_.text(role)}, {"content", text}});
  }

  void model_turn(const std::vector<std::string>& ids, std::vector<std::string>& list) {
    std::vector<std::string> calls;
    const bool named = is(Dialect::kGemini) || is(Dialect::kOllama);
    for (const std::string& id : ids) {
      const std::string arguments = json_.object({{"q", json_.text(pick_word(input_))}});
      const std::string name = json_.text(named ? id : "look");
      said.calls.push_back(id);
      if (is(Operation::kMessages) || is(Operation::kCountTokens)) {
        calls.push_back(json_.object(
            {{"type", json_.text("tool_use")}, {"id", json_.text(id)}, {"name", name}, {"input", arguments}}));
      } else if (is(Operation::kResponses)) {
        list.push_back(json_.object({{"type", json_.text("function_call")},
                                     {"call_id", json_.text(id)},
                                     {"name", name},
                                     {"arguments", json_.text(arguments)}}));
      } else if (is(Dialect::kGemini)) {
        calls.push_back(json_.object({{"functionCall", json_.object({{"name", name}, {"args", arguments}})}}));
      } else if (is(Dialect::kOllama)) {
        calls.push_back(json_.object({{"function", json_.object({{"name", name}, {"arguments", arguments}})}}));
      } else {
        calls.push_back(
            json_.object({{"id", json_.text(id)},
                          {"type", json_.text("function")},
                          {"function", json_.object({{"name", name}, {"arguments", json_.text(arguments)}})}}));
      }
    }
    if (is(Operation::kResponses)) return;
    if (is(Dialect::kGemini)) {
      list.push_back(json_.object({{"role", json_.text("model")}, {"parts", json_.list(calls)}}));
    } else if (is(Dialect::kAnthropic)) {
      list.push_back(json_.object({{"role", json_.text("assistant")}, {"content", json_.list(calls)}}));
    } else {
      list.push_back(
          json_.object({{"role", json_.text("assistant")}, {"content", "\"\""}, {"tool_calls", json_.list(calls)}}));
    }
  }

  void results(const std::vector<std::string>& ids, std::vector<std::string>& list) {
    std::vector<std::string> blocks;
    for (const std::string& id : ids) {
      const std::string text = json_.text(pick_word(input_));
      said.results.push_back(id);
      if (is(Dialect::kAnthropic)) {
        blocks.push_back(
            json_.object({{"type", json_.text("tool_result")}, {"tool_use_id", json_.text(id)}, {"content", text}}));
      } else if (is(Operation::kResponses)) {
        list.push_back(json_.object(
            {{"type", json_.text("function_call_output")}, {"call_id", json_.text(id)}, {"output", text}}));
      } else if (is(Dialect::kGemini)) {
        blocks.push_back(
            json_.object({{"functionResponse",
                           json_.object({{"name", json_.text(id)}, {"response", json_.object({{"r", text}})}})}}));
      } else {
        list.push_back(json_.object({{"role", json_.text("tool")},
                                     {is(Dialect::kOllama) ? "tool_name" : "tool_call_id", json_.text(id)},
                                     {"content", text}}));
      }
    }
    if (blocks.empty()) return;
    list.push_back(
        json_.object({{"role", json_.text("user")}, {is(Dialect::kGemini) ? "parts" : "content", json_.list(blocks)}}));
  }

  const Operation operation_;
  Input& input_;
  JsonWriterOfFuzz json_;
  JsonMembers members_, written_;
  int next_call_ = 1;
};

// --- what is compared
// -------------------------------------------------------------------------------------------------

void check_said(Operation operation, const Said& said, const RequestFacts& facts) {
  require(facts.model == said.model);
  require(facts.stream == said.stream);
  require(facts.output_cap == said.cap);
  require(facts.choices == said.choices);
  require(facts.user == said.user);
  require(facts.tools == said.tools.size());
  if (said.messages > 0) require(facts.messages == said.messages);
  if (!generates(operation)) return;
  require(facts.agent.tools == said.tools);
  std::vector<std::string> calls, results;
  const Dialect dialect = dialect_of(operation);
  const bool named = dialect == Dialect::kGemini || dialect == Dialect::kOllama;
  for (const ToolCall& call : facts.agent.calls) calls.push_back(named ? call.name : call.id);
  for (const ToolResult& result : facts.agent.results) {
    results.push_back(named ? result.name : result.call_id);
    require(!result.error || !said.results.empty());
  }
  require(calls == said.calls && results == said.results);
}

// True where an edit may change the member.
bool is_edited(const BodyEdits& edits, bool usage, std::string_view name) {
  const auto among = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  return (!edits.model.empty() && name == "model") || (usage && name == "stream_options") ||
         (edits.max_output && among({"max_tokens", "max_completion_tokens", "max_output_tokens", "generationConfig",
                                     "generation_config", "options", "thinking"})) ||
         (edits.keep_messages && among({"messages", "input", "contents"})) ||
         (!edits.strip_tools.empty() && among({"tools", "functions", "tool_choice", "function_call", "toolConfig",
                                               "tool_config", "parallel_tool_calls"}));
}

// Members that a lowered or added cap stands in keep everything else.
void check_holder(const simdjson::dom::element& before, const simdjson::dom::element& after) {
  const JsonValues old = values_of(before), now = values_of(after);
  for (const auto& [name, value] : old) {
    const bool cap = name == "maxOutputTokens" || name == "max_output_tokens" || name == "num_predict";
    require(now.contains(name) && (cap || now.at(name) == value));
  }
}

void check_messages(const simdjson::dom::element& before, const simdjson::dom::element& after) {
  const std::vector<std::string> old = elements_of_list(before), now = elements_of_list(after);
  require(now.size() <= old.size());
  std::size_t at = 0;
  for (const std::string& message : now) {
    while (at < old.size() && old[at] != message) ++at;
    require(at++ < old.size());
  }
  if (!old.empty()) require(!now.empty() && now.back() == old.back());
}

void check_meaning(std::string_view body, std::string_view upstream, const BodyEdits& edits, bool usage) {
  simdjson::dom::parser first, second;
  simdjson::dom::element before, after;
  require(first.parse(body.data(), body.size()).get(before) == simdjson::SUCCESS);
  require(second.parse(upstream.data(), upstream.size()).get(after) == simdjson::SUCCESS);
  const JsonValues old = values_of(before), now = values_of(after);
  for (const auto& [name, value] : old) {
    if (!is_edited(edits, usage, name)) require(now.contains(name) && now.at(name) == value);
  }
  for (const auto& [name, value] : now) require(old.contains(name) || is_edited(edits, usage, name));
  for (const std::string_view name : {"generationConfig", "generation_config", "options"}) {
    simdjson::dom::element a, b;
    if (edits.max_output && before.at_key(name).get(a) == simdjson::SUCCESS && a.is_object()) {
      require(after.at_key(name).get(b) == simdjson::SUCCESS);
      check_holder(a, b);
    }
  }
  for (const std::string_view name : {"messages", "input", "contents"}) {
    simdjson::dom::element a, b;
    if (edits.keep_messages && before.at_key(name).get(a) == simdjson::SUCCESS && a.is_array()) {
      require(after.at_key(name).get(b) == simdjson::SUCCESS);
      check_messages(a, b);
    }
  }
}

void check_edits(Operation operation, const RequestFacts& facts, const BodyEdits& edits, std::string_view body) {
  const std::string upstream = upstream_body(operation, facts, edits, body);
  const bool usage = needs_rewrite(operation, facts);
  check_meaning(body, upstream, edits, usage);
  const bool gemini = dialect_of(operation) == Dialect::kGemini;
  const auto again = read_request(operation, upstream, kBounds, !gemini ? "" : edits.model.empty() ? "m" : edits.model);
  require(again.has_value() && again->stream == facts.stream && again->choices == facts.choices);
  std::vector<std::string> left = facts.agent.tools;
  std::erase_if(left, [&](const std::string& name) { return std::ranges::count(edits.strip_tools, name) > 0; });
  require(again->agent.tools == left);
  if (usage) require(again->wants_stream_usage);
  if (edits.max_output && generates(operation)) {
    const std::int64_t least = operation == Operation::kResponses ? 16 : 1;
    const std::int64_t most = std::max(least, *edits.max_output);
    require(again->output_cap == std::min(most, facts.output_cap.value_or(most)));
  }
}

// A body that nobody may forward. False: this fault does not apply.
bool plant(std::uint32_t fault, Operation operation, std::string& body) {
  const std::size_t end = body.rfind('}');
  const std::string_view cap = operation == Operation::kResponses ? "max_output_tokens" : "max_tokens";
  const bool capped = dialect_of(operation) == Dialect::kOpenAi && operation != Operation::kEmbeddings &&
                      body.find("max_") == std::string::npos;
  switch (fault) {
    case 1:
      body.insert(end, R"(,"extra":{"a":1,"b":[{"c":1,"\u0063":2}]})");
      return true;
    case 2:
      body.insert(end, ",\"extra\":\"\xC3(\"");
      return true;
    case 3:
      body.insert(end, R"(,"extra":01)");
      return true;
    case 4:
      body.insert(end, ",\"extra\":" + std::string(40, '[') + std::string(40, ']'));
      return true;
    case 5:
      if (capped) body.insert(end, std::string(",\"").append(cap).append("\":-1"));
      return capped;
    case 6:
      if (capped) body.insert(end, std::string(",\"").append(cap).append("\":1.5"));
      return capped;
    case 7:
      if (capped) body.insert(end, std::string(",\"").append(cap).append("\":\"9\""));
      return capped;
    default:
      return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4096) return 0;
  Input input(data, size);
  const auto operation = static_cast<Operation>(input.byte() % kOperationCount);
  const std::uint8_t how = input.byte();
  RequestWriter writer(operation, input);
  std::string body = writer.body();
  const std::string_view path_model = dialect_of(operation) == Dialect::kGemini ? "m" : "";
  const bool planted = plant(how & 7, operation, body);
  if ((how & 8) != 0) change_bytes(input, body);
  const auto facts = read_request(operation, body, kBounds, path_model);
  if (!facts) {
    require(!facts.error().message.empty() && (facts.error().status == 400 || facts.error().status == 413));
    return 0;
  }
  if ((how & 8) == 0) {
    require(!planted);
    check_said(operation, writer.said, *facts);
  }
  BodyEdits edits;
  if ((how & 16) != 0) edits.model = "other";
  if ((how & 32) != 0) edits.max_output = input.below(6000);
  if ((how & 64) != 0) edits.keep_messages = input.below(6);
  for (std::size_t i = 0; (how & 128) != 0 && i < facts->agent.tools.size(); i += 2) {
    edits.strip_tools.push_back(facts->agent.tools[i]);
  }
  check_edits(operation, *facts, edits, body);
  return 0;
}
