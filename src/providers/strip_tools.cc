#include "providers/strip_tools.h"

#include <simdjson.h>

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "model/agent.h"
#include "providers/body_edit.h"
#include "providers/tool_list.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;
using Names = std::initializer_list<std::string_view>;

// One edit after the other, each on the text that the one before left: members and elements that stand side by side
// share their comma, so that two of them cannot go in one step.
class ToolStripper {
 public:
  ToolStripper(Operation operation, std::string_view body, std::vector<std::string> names)
      : operation_(operation), body_(body), names_(std::move(names)) {
    std::sort(names_.begin(), names_.end());
  }

  std::string strip();

 private:
  struct List {
    std::string_view list;
    Names choices;                 // name tools of the list
    std::string_view beside = {};  // only allowed beside it
  };

  void strip(const List& list);
  void mend_choice(Names choice, bool list_is_gone);
  // What is left of one element of a list: nullopt if nothing is.
  std::optional<std::string> stripped(std::string_view tool);
  std::optional<std::string> stripped_gemini(std::string tool);
  // What is left of a list, or of the one element that stands for it.
  std::optional<std::string> stripped_list(std::string_view list, bool of_functions);
  bool names_stripped(std::string_view text, bool is_choice);
  bool is_stripped(std::string_view name) const {
    return std::binary_search(names_.begin(), names_.end(), canonical_tool_name(name));
  }

  Operation operation_;
  std::string body_;
  std::vector<std::string> names_;
  simdjson::dom::parser parser_;
};

void erase(std::string& text, TextRange range) {
  text.erase(range.begin, range.end - range.begin);
}

void erase_member(std::string& text, TextRange holder, Names names) {
  if (const auto member = find_member(text, holder, names)) erase(text, member->erased);
}

bool is_empty(std::string_view text) {
  return text.find_first_not_of(" \t\r\n", 1) == text.size() - 1;
}

// Whether a declaration, or a choice, names one of the tools.
bool ToolStripper::names_stripped(std::string_view text, bool is_choice) {
  element value;
  if (parser_.parse(text.data(), text.size()).get(value) != simdjson::SUCCESS) return false;
  bool found = false;
  const NameVisit visit = [&](std::string_view name) { found |= is_stripped(name); };
  if (is_choice) {
    each_chosen(operation_, value, visit);
    return found;
  }
  object tool;
  if (value.get_object().get(tool) == simdjson::SUCCESS) each_declared(operation_, tool, visit);
  return found;
}

std::optional<std::string> ToolStripper::stripped_list(std::string_view list, bool of_functions) {
  const auto left = [&](std::string_view item) -> std::optional<std::string> {
    if (!of_functions) return stripped(item);
    element name;
    std::string_view text;
    if (parser_.parse(item.data(), item.size()).at_key("name").get(name) == simdjson::SUCCESS &&
        name.get_string().get(text) == simdjson::SUCCESS && is_stripped(text)) {
      return std::nullopt;
    }
    return std::string(item);
  };
  if (!list.starts_with('[')) return left(list);
  const std::vector<TextRange> items = elements_of(list, {0, list.size()});
  std::vector<std::optional<std::string>> kept;
  std::size_t keep_end = 0;  // behind the last one that stays
  for (const TextRange& item : items) {
    kept.push_back(left(item.in(list)));
    if (kept.back()) keep_end = kept.size();
  }
  if (keep_end == 0) return items.empty() ? std::optional(std::string(list)) : std::nullopt;
  TextEdits edits;
  for (std::size_t i = 0; i < keep_end; ++i) {
    if (!kept[i]) {
      edits.erase({items[i].begin, items[i + 1].begin});
    } else if (*kept[i] != items[i].in(list)) {
      edits.replace(items[i], *kept[i]);
    }
  }
  if (keep_end < items.size()) edits.erase({items[keep_end - 1].end, items.back().end});
  return edits.apply(list);
}

std::optional<std::string> ToolStripper::stripped(std::string_view tool) {
  if (!names_stripped(tool, /*is_choice=*/false)) return std::string(tool);
  return dialect_of(operation_) == Dialect::kGemini ? stripped_gemini(std::string(tool)) : std::nullopt;
}

std::optional<std::string> ToolStripper::stripped_gemini(std::string tool) {
  const auto whole = [&] { return TextRange{0, tool.size()}; };
  for (const std::string_view key : {"functionDeclarations", "function_declarations"}) {
    const auto functions = find_member(tool, whole(), {key});
    if (!functions) continue;
    const auto left = stripped_list(functions->value.in(tool), /*of_functions=*/true);
    if (left) {
      tool.replace(functions->value.begin, functions->value.end - functions->value.begin, *left);
    } else {
      erase(tool, functions->erased);
    }
  }
  // Built-in tools, named by their key.
  std::vector<std::string> keys;
  object fields;
  if (parser_.parse(tool).get_object().get(fields) != simdjson::SUCCESS) return tool;
  for (auto it = fields.begin(); it != fields.end(); ++it) {
    const std::string_view key = it.key();
    if (key != "functionDeclarations" && key != "function_declarations" && is_stripped(key)) keys.emplace_back(key);
  }
  for (const std::string& key : keys) erase_member(tool, whole(), {key});
  if (is_empty(tool)) return std::nullopt;
  return tool;
}

void ToolStripper::mend_choice(Names choice, bool list_is_gone) {
  const auto member = find_member(body_, root_of(body_), choice);
  if (!member) return;
  if (!list_is_gone && !names_stripped(member->value.in(body_), /*is_choice=*/true)) return;
  if (dialect_of(operation_) == Dialect::kGemini) {
    // Its other settings are not about functions.
    return erase_member(body_, member->value, {"functionCallingConfig", "function_calling_config"});
  }
  erase(body_, member->erased);
}

void ToolStripper::strip(const List& list) {
  bool gone = false;
  if (const auto member = find_member(body_, root_of(body_), {list.list})) {
    const auto left = stripped_list(member->value.in(body_), /*of_functions=*/false);
    gone = !left;
    if (gone) {
      erase(body_, member->erased);
    } else {
      body_.replace(member->value.begin, member->value.end - member->value.begin, *left);
    }
  }
  mend_choice(list.choices, gone);
  if (gone && !list.beside.empty()) erase_member(body_, root_of(body_), {list.beside});
}

std::string ToolStripper::strip() {
  if (dialect_of(operation_) == Dialect::kGemini) {
    strip(List{.list = "tools", .choices = {"toolConfig", "tool_config"}});
  } else {
    strip(List{.list = "tools", .choices = {"tool_choice"}, .beside = "parallel_tool_calls"});
    strip(List{.list = "functions", .choices = {"function_call"}});
  }
  return std::move(body_);
}

}  // namespace

std::string without_tools(Operation operation, std::string_view body, std::vector<std::string> names) {
  return ToolStripper(operation, body, std::move(names)).strip();
}

}  // namespace weir
