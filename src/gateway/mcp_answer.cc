#include "gateway/mcp_answer.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>

#include "base/hash.h"
#include "base/json_writer.h"
#include "base/strings.h"
#include "providers/body_edit.h"
#include "providers/stream_cutter.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t kSharedParser = 256 << 10;  // longer answers use a parser that is thrown away

// Parses `text` and hands its root to `use`; false if it is no JSON.
template <class Use>
bool with_root(std::string_view text, Use use) {
  thread_local simdjson::dom::parser shared;
  std::optional<simdjson::dom::parser> own;
  if (text.size() > kSharedParser) own.emplace();
  simdjson::dom::parser& parser = own ? *own : shared;
  element root;
  if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS) return false;
  use(root);
  return true;
}

std::string id_text(const element& value) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return simdjson::minify(value);
  std::string out;
  append_json_string(out, text);
  return out;
}

// What a tool returned, without the members that differ from call to call (_meta).
std::uint64_t content_of(const object& result) {
  std::uint64_t hash = 0;
  for (const std::string_view key : {"content", "structuredContent"}) {
    element part;
    if (result[key].get(part) == simdjson::SUCCESS) hash = hash64(simdjson::minify(part), hash);
  }
  return hash != 0 ? hash : hash64({});
}

void read_tools(const array& tools, McpAnswer& out) {
  out.lists_tools = true;
  for (const element tool : tools) {
    std::string_view name;
    if (out.tools.size() == kMaxListedTools) return;
    if (tool["name"].get(name) == simdjson::SUCCESS) out.tools.emplace_back(name);
  }
}

McpAnswer read_root(const element& root) {
  McpAnswer out;
  object message;
  element id;
  if (root.get(message) != simdjson::SUCCESS || message["method"].error() == simdjson::SUCCESS ||
      message["id"].get(id) != simdjson::SUCCESS) {
    return out;
  }
  out.id = id_text(id);
  if (element error; message["error"].get(error) == simdjson::SUCCESS) {
    out.answers = out.failed = true;
    out.content = hash64(simdjson::minify(error));
    return out;
  }
  object result;
  if (message["result"].get(result) != simdjson::SUCCESS) return out;
  out.answers = true;
  bool failed = false;
  out.failed = result["isError"].get(failed) == simdjson::SUCCESS && failed;
  std::string_view type;
  out.unfinished = result["resultType"].get(type) == simdjson::SUCCESS && type == "input_required";
  out.content = content_of(result);
  if (array tools; result["tools"].get(tools) == simdjson::SUCCESS) read_tools(tools, out);
  return out;
}

// Where `result.<name>` of a message stands.
std::optional<TextRange> result_member(std::string_view body, TextRange message, std::string_view name) {
  const auto result = find_member(body, message, {"result"});
  if (!result) return std::nullopt;
  const auto member = find_member(body, result->value, {name});
  if (!member) return std::nullopt;
  return member->value;
}

std::vector<TextRange> messages_of(std::string_view body) {
  const TextRange root = root_of(body);
  if (root.begin < body.size() && body[root.begin] == '[') return elements_of(body, root);
  return {root};
}

std::string name_of_tool(std::string_view tool) {
  std::string out;
  with_root(tool, [&](const element& root) {
    std::string_view name;
    if (root["name"].get(name) == simdjson::SUCCESS) out = name;
  });
  return out;
}

// The array at `range` without some of its elements; what stands between the others stays.
std::string kept_elements(std::string_view body, TextRange range, const std::function<bool(std::string_view)>& hidden) {
  const std::vector<TextRange> all = elements_of(body, range);
  std::string out;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (hidden(name_of_tool(all[i].in(body)))) continue;
    const std::size_t before = kept == 0 ? range.begin : all[i - 1].end;
    const std::size_t until = kept == 0 ? all.front().begin : all[i].begin;
    out.append(body.substr(before, until - before)).append(all[i].in(body));
    ++kept;
  }
  if (kept == 0) return "[]";
  return out.append(body.substr(all.back().end, range.end - all.back().end));
}

std::string_view field_name(std::string_view line) {
  return line.substr(0, line.find(':'));
}

std::string_view field_value(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return {};
  line.remove_prefix(colon + 1);
  if (line.starts_with(' ')) line.remove_prefix(1);
  return line;
}

void append_data_lines(std::string_view data, std::string& out) {
  while (true) {
    const std::size_t end = data.find('\n');
    out.append("data: ").append(data.substr(0, end)).append("\n");
    if (end == std::string_view::npos) return;
    data.remove_prefix(end + 1);
  }
}

}  // namespace

McpAnswer read_mcp_answer(std::string_view message) {
  McpAnswer out;
  with_root(message, [&](const element& root) { out = read_root(root); });
  return out;
}

std::vector<McpAnswer> read_mcp_answers(std::string_view body) {
  std::vector<McpAnswer> out;
  with_root(body, [&](const element& root) {
    array messages;
    if (root.get(messages) != simdjson::SUCCESS) {
      out.push_back(read_root(root));
      return;
    }
    for (const element message : messages) out.push_back(read_root(message));
  });
  return out;
}

std::string without_tools(std::string_view body, const std::function<bool(std::string_view name)>& hidden) {
  TextEdits edits;
  for (const TextRange& message : messages_of(body)) {
    const auto tools = result_member(body, message, "tools");
    if (tools && tools->in(body).starts_with('[')) edits.replace(*tools, kept_elements(body, *tools, hidden));
  }
  return edits.apply(body);
}

std::string with_answers(std::string_view body, const std::vector<std::string>& more) {
  std::string out = "[";
  const auto add = [&](std::string_view message) { out.append(out.size() > 1 ? "," : "").append(message); };
  for (const std::string& message : more) add(message);
  if (!trim(body).empty()) {
    for (const TextRange& message : messages_of(body)) add(message.in(body));
  }
  return out += "]";
}

std::string with_note(std::string_view message, std::string_view note) {
  const auto content = result_member(message, root_of(message), "content");
  if (!content || !content->in(message).starts_with('[')) return std::string(message);
  std::string item = elements_of(message, *content).empty() ? "" : ",";
  item += R"({"type":"text","text":)";
  append_json_string(item, std::string("Weir: ").append(note));
  item += '}';
  TextEdits edits;
  edits.replace({content->end - 1, content->end - 1}, std::move(item));
  return edits.apply(message);
}

SseMessage read_event(std::string_view event) {
  SseMessage out;
  bool first = true;
  LineCutter lines(event);
  for (std::string_view line; lines.next(line);) {
    const std::string_view name = field_name(line);
    out.has_id |= name == "id";
    if (name != "data") continue;
    if (!first) out.data += '\n';
    out.data += field_value(line);
    first = false;
  }
  return out;
}

std::string with_data(std::string_view event, std::string_view data) {
  std::string out;
  bool placed = false;
  LineCutter lines(event);
  for (std::string_view line; lines.next(line);) {
    if (field_name(line) != "data") {
      if (!line.empty()) out.append(line).append("\n");
    } else if (!placed) {
      append_data_lines(data, out);
      placed = true;
    }
  }
  return out += "\n";
}

}  // namespace weir
