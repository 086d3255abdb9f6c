#include "gateway/http_tool.h"

#include "base/hash.h"
#include "base/strings.h"

namespace weir {
namespace {

constexpr std::size_t kMaxArguments = 64 << 10;

std::string filled(std::string_view text, const RequestHead& head) {
  std::string out;
  while (!text.empty()) {
    if (text.starts_with("{method}")) {
      out += head.method;
      text.remove_prefix(8);
    } else if (text.starts_with("{path}")) {
      out += head.path;
      text.remove_prefix(6);
    } else {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace

ToolCall http_tool_call(std::string_view name_template, const RequestHead& head, std::string_view body) {
  const std::string name = filled(name_template, head);
  ToolCall call{.id = {}, .name = canonical_tool_name(std::string_view(name).substr(0, kMaxToolName)), .arguments = {}};
  if (call.name.empty()) call.name = "unnamed";  // a path with bytes that no name may have
  call.signature = hash64(body, hash64(head.query, hash64(name)));
  const std::string_view text = trim(body);
  if (text.size() <= kMaxArguments && (text.starts_with('{') || text.starts_with('['))) call.arguments = text;
  return call;
}

}  // namespace weir
