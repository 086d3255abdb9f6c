#include "gateway/http_tool.h"

#include <algorithm>

#include "base/characters.h"
#include "base/hash.h"
#include "base/strings.h"

namespace weir {
namespace {

constexpr std::size_t kMaxArguments = 64 << 10;

bool is_unreserved(int c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// One spelling for each path: codes of plain characters are decoded, slashes are single, the last one and the
// `;parameters` of segments go, as the servers see it that know parameters.
std::string canonical_path(std::string_view path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%' && i + 2 < path.size() && hex_value(path[i + 1]) >= 0 && hex_value(path[i + 2]) >= 0) {
      const int value = hex_value(path[i + 1]) * 16 + hex_value(path[i + 2]);
      if (is_unreserved(value)) {
        c = static_cast<char>(value);
        i += 2;
      }
    }
    if (c == ';') {
      i = std::min(path.find('/', i), path.size()) - 1;
      continue;
    }
    if (c != '/' || out.empty() || out.back() != '/') out += c;
  }
  if (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

std::string filled(std::string_view text, const RequestHead& head) {
  std::string out;
  while (!text.empty()) {
    if (text.starts_with("{method}")) {
      out += head.method;
      text.remove_prefix(8);
    } else if (text.starts_with("{path}")) {
      out += canonical_path(head.path);
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
