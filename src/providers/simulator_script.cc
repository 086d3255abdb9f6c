#include "providers/simulator_script.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "providers/objects.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::string_view kMark = "weir-sim: call ";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// Without spaces and line ends, which would not fit into every stream; empty if it is no object.
std::string compact_object(std::string_view json) {
  simdjson::dom::parser parser;
  object fields;
  if (parser.parse(json.data(), json.size()).get_object().get(fields) != simdjson::SUCCESS) return {};
  return simdjson::minify(fields);
}

void read_line(std::string_view line, std::vector<SimulatedCall>& out) {
  line = trimmed(line);
  if (!line.starts_with(kMark) || out.size() == kMaxScriptedCalls) return;
  line = trimmed(line.substr(kMark.size()));
  const std::string_view name = line.substr(0, line.find(' '));
  const std::string_view written = trimmed(line.substr(name.size()));
  std::string arguments = written.empty() ? "{}" : compact_object(written);
  if (!name.empty() && !arguments.empty()) out.push_back({std::string(name), std::move(arguments)});
}

void read_text(std::string_view text, std::vector<SimulatedCall>& out) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    read_line(text.substr(0, end), out);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// A string, or parts with a `text`; parts of other kinds (images, results of tools) have none.
void read_content(const element& content, std::vector<SimulatedCall>& out) {
  std::string_view text;
  if (content.get_string().get(text) == simdjson::SUCCESS) return read_text(text, out);
  each_object_of(content, [&](const object& part) { read_text(string_at(part, "text"), out); });
}

bool declares_tools(const object& root) {
  array tools;
  return root.at_key("tools").get_array().get(tools) == simdjson::SUCCESS && tools.size() > 0;
}

}  // namespace

std::vector<SimulatedCall> scripted_calls(Operation operation, const object& root) {
  std::vector<SimulatedCall> out;
  if (!declares_tools(root)) return out;
  const bool gemini = dialect_of(operation) == Dialect::kGemini;
  const char* key = gemini ? "contents" : operation == Operation::kResponses ? "input" : "messages";
  element conversation;
  if (root.at_key(key).get(conversation) != simdjson::SUCCESS) return out;
  if (conversation.is_string()) {
    read_content(conversation, out);
    return out;
  }
  array messages;
  object last;
  if (conversation.get_array().get(messages) != simdjson::SUCCESS || messages.size() == 0 ||
      messages.at(messages.size() - 1).get_object().get(last) != simdjson::SUCCESS) {
    return out;
  }
  const std::string_view role = string_at(last, "role");
  element content;
  if ((role == "user" || (gemini && role.empty())) &&
      last.at_key(gemini ? "parts" : "content").get(content) == simdjson::SUCCESS) {
    read_content(content, out);
  }
  return out;
}

}  // namespace weir
