// What the governor changes in a body before it forwards it, member by member; see body_edit.h for how.
#include <simdjson.h>

#include <algorithm>

#include "base/characters.h"
#include "base/json_writer.h"
#include "providers/body_edit.h"
#include "providers/keep_turns.h"
#include "providers/request.h"
#include "providers/strip_tools.h"

namespace weir {
namespace {

constexpr std::int64_t kLeastResponseCap = 16;  // OpenAI's least max_output_tokens
constexpr std::int64_t kLeastThinking = 1'024;  // Anthropic's least budget_tokens

bool hides_usage(Operation operation, const RequestFacts& facts) {
  return (operation == Operation::kChatCompletions || operation == Operation::kCompletions) && facts.stream &&
         !facts.wants_stream_usage;
}

std::string json_quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string as_member(std::string_view name, std::int64_t value) {
  return json_quoted(name) + ":" + std::to_string(value);
}

class BodyEditor {
 public:
  BodyEditor(Operation operation, std::string_view body) : operation_(operation), body_(body), root_(root_of(body)) {}

  void force_usage();
  void model(const std::string& name);
  void cap(std::int64_t most);
  void keep(std::size_t messages);
  std::string text() { return edits_.empty() ? std::string(body_) : edits_.apply(body_); }

 private:
  using Names = std::initializer_list<std::string_view>;

  // Lowers what is above `most`. False if there is no number to lower.
  bool lower(TextRange object, Names names, std::int64_t most);
  void lower_or_insert(TextRange object, Names names, std::int64_t most);
  void nested_cap(Names holders, Names names, std::int64_t most);
  void anthropic_cap(std::int64_t most);

  Operation operation_;
  std::string_view body_;
  TextRange root_;
  TextEdits edits_;
};

void BodyEditor::force_usage() {
  const auto options = find_member(body_, root_, {"stream_options"});
  if (!options) {
    edits_.insert_member(body_, root_, R"("stream_options":{"include_usage":true})");
    return;
  }
  if (body_[options->value.begin] != '{') {
    edits_.replace(options->value, R"({"include_usage":true})");
    return;
  }
  const auto flag = find_member(body_, options->value, {"include_usage"});
  if (flag) {
    edits_.replace(flag->value, "true");
  } else {
    edits_.insert_member(body_, options->value, R"("include_usage":true)");
  }
}

void BodyEditor::model(const std::string& name) {
  if (dialect_of(operation_) != Dialect::kGemini) {
    const auto member = find_member(body_, root_, {"model"});
    if (member) edits_.replace(member->value, json_quoted(name));
    return;
  }
  // The path names it; a body that does too must agree.
  const auto wrapped = find_member(body_, root_, {"generateContentRequest", "generate_content_request"});
  const TextRange holders[] = {root_, wrapped ? wrapped->value : TextRange{}};
  for (const TextRange& holder : holders) {
    if (holder.end == 0) continue;
    const auto member = find_member(body_, holder, {"model"});
    if (member) edits_.replace(member->value, json_quoted("models/" + name));
  }
}

bool BodyEditor::lower(TextRange object, Names names, std::int64_t most) {
  const auto member = find_member(body_, object, names);
  if (!member) return false;
  const auto value = number_in<std::int64_t>(member->value.in(body_));
  // Ollama's 0 and less stand for no cap at all.
  if (!value || (dialect_of(operation_) == Dialect::kOllama && *value <= 0)) return false;
  if (*value > most) edits_.replace(member->value, std::to_string(most));
  return true;
}

void BodyEditor::lower_or_insert(TextRange object, Names names, std::int64_t most) {
  if (lower(object, names, most)) return;
  const auto member = find_member(body_, object, names);
  if (member) {
    edits_.replace(member->value, std::to_string(most));
  } else {
    edits_.insert_member(body_, object, as_member(*names.begin(), most));
  }
}

void BodyEditor::nested_cap(Names holders, Names names, std::int64_t most) {
  const auto holder = find_member(body_, root_, holders);
  const std::string whole = "{" + as_member(*names.begin(), most) + "}";
  if (!holder) {
    edits_.insert_member(body_, root_, json_quoted(*holders.begin()) + ":" + whole);
  } else if (body_[holder->value.begin] != '{') {
    edits_.replace(holder->value, whole);
  } else {
    lower_or_insert(holder->value, names, most);
  }
}

// The answer's thinking is part of it: its budget shrinks as the cap does, and below the least there is none.
void BodyEditor::anthropic_cap(std::int64_t most) {
  const auto cap = find_member(body_, root_, {"max_tokens"});
  const auto before = cap ? number_in<std::int64_t>(cap->value.in(body_)) : std::nullopt;
  if (!before || *before <= most) return;
  edits_.replace(cap->value, std::to_string(most));
  const auto thinking = find_member(body_, root_, {"thinking"});
  if (!thinking) return;
  const auto budget = find_member(body_, thinking->value, {"budget_tokens"});
  const auto tokens = budget ? number_in<std::int64_t>(budget->value.in(body_)) : std::nullopt;
  if (!tokens || *tokens < most) return;
  if (most <= kLeastThinking) {
    edits_.erase(thinking->erased);
    return;
  }
  const auto share = static_cast<double>(most) / static_cast<double>(*before);
  const auto scaled = static_cast<std::int64_t>(static_cast<double>(*tokens) * share);
  edits_.replace(budget->value, std::to_string(std::clamp(scaled, kLeastThinking, most - 1)));
}

void BodyEditor::cap(std::int64_t most) {
  most = std::max<std::int64_t>(1, most);
  switch (operation_) {
    case Operation::kChatCompletions: {
      const bool newer = lower(root_, {"max_completion_tokens"}, most);
      const bool older = lower(root_, {"max_tokens"}, most);
      if (!newer && !older) lower_or_insert(root_, {"max_completion_tokens"}, most);
      return;
    }
    case Operation::kResponses:
      return lower_or_insert(root_, {"max_output_tokens"}, std::max(most, kLeastResponseCap));
    case Operation::kCompletions:
      return lower_or_insert(root_, {"max_tokens"}, most);
    case Operation::kMessages:
      return anthropic_cap(most);
    case Operation::kGenerate:
    case Operation::kStreamGenerate:
      return nested_cap({"generationConfig", "generation_config"}, {"maxOutputTokens", "max_output_tokens"}, most);
    case Operation::kOllamaChat:
    case Operation::kOllamaGenerate:
      return nested_cap({"options"}, {"num_predict"}, most);
    default:
      return;  // nothing is generated
  }
}

void BodyEditor::keep(std::size_t messages) {
  const auto list = operation_ == Operation::kResponses          ? find_member(body_, root_, {"input"})
                    : dialect_of(operation_) == Dialect::kGemini ? find_member(body_, root_, {"contents"})
                                                                 : find_member(body_, root_, {"messages"});
  if (!list || body_[list->value.begin] != '[') return;
  const std::vector<TextRange> elements = elements_of(body_, list->value);
  if (elements.size() <= messages) return;
  simdjson::dom::parser parser;
  simdjson::dom::array parsed;
  const std::string_view text = list->value.in(body_);
  if (parser.parse(text.data(), text.size()).get_array().get(parsed) != simdjson::SUCCESS) return;
  for (const std::size_t index : dropped_turns(operation_, parsed, messages)) {
    // Up to the next one, so with the comma between; the last one never goes.
    if (index + 1 < elements.size()) edits_.erase({elements[index].begin, elements[index + 1].begin});
  }
}

}  // namespace

bool needs_rewrite(Operation operation, const RequestFacts& facts, const BodyEdits& edits) {
  return edits.any() || hides_usage(operation, facts);
}

std::string upstream_body(Operation operation, const RequestFacts& facts, const BodyEdits& edits,
                          std::string_view body) {
  if (!needs_rewrite(operation, facts, edits)) return std::string(body);
  std::string stripped;
  if (!edits.strip_tools.empty()) {
    stripped = without_tools(operation, body, edits.strip_tools);
    body = stripped;
  }
  BodyEditor editor(operation, body);
  if (hides_usage(operation, facts)) editor.force_usage();
  if (!edits.model.empty()) editor.model(edits.model);
  if (edits.max_output) editor.cap(*edits.max_output);
  if (edits.keep_messages) editor.keep(*edits.keep_messages);
  return editor.text();
}

}  // namespace weir
