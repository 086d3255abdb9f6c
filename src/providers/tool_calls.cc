// Calls of whole answers, and their signatures. The edits are in files of their own.
#include "providers/tool_calls.h"

#include <simdjson.h>

#include "base/hash.h"
#include "providers/call_reader.h"
#include "providers/json_hash.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// Above this a parser of its own is used and thrown away.
constexpr std::size_t kSharedParser = 256 << 10;
constexpr std::uint64_t kNoJson = 2;  // seed: a text that is no JSON equals no JSON text

std::string_view without_space(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

std::uint64_t arguments_hash(simdjson::dom::parser& parser, std::string_view text) {
  element value;
  if (parser.parse(text.data(), text.size(), /*realloc_if_needed=*/true).get(value) != simdjson::SUCCESS) {
    return hash64(text, kNoJson);
  }
  return json_hash(value);
}

void collect(simdjson::dom::parser& parser, Operation operation, std::string_view body, std::vector<ToolCall>& calls) {
  object root;
  if (parser.parse(body.data(), body.size(), /*realloc_if_needed=*/true).get_object().get(root) != simdjson::SUCCESS) {
    return;
  }
  collect_calls(operation, root, calls);
}

}  // namespace

std::vector<ToolCall> announced_calls(Operation operation, std::string_view body) {
  std::vector<ToolCall> calls;
  if (body.size() > kSharedParser) {
    simdjson::dom::parser parser;
    collect(parser, operation, body, calls);
  } else {
    thread_local simdjson::dom::parser parser;
    collect(parser, operation, body, calls);
  }
  return calls;
}

std::uint64_t call_signature(std::string_view canonical_name, std::string_view arguments) {
  // A call without arguments is written as nothing or as an empty object.
  std::string_view text = without_space(arguments);
  if (text.empty()) text = "{}";
  const std::uint64_t name = hash64(canonical_name);
  if (text.size() > kSharedParser) {
    simdjson::dom::parser parser;
    return hash_pair(name, arguments_hash(parser, text));
  }
  thread_local simdjson::dom::parser parser;
  return hash_pair(name, arguments_hash(parser, text));
}

}  // namespace weir
