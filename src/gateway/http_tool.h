// An HTTP route that its policy names as a tool (`tool: "{method} {path}"`): the request as a tool call.
#pragma once

#include <string_view>

#include "gateway/http1.h"
#include "model/agent.h"

namespace weir {

// The name is the template with {method} and {path} filled in, at most kMaxToolName bytes of it; of a path that can be
// spelt in several ways it has one. Two calls are the same
// if name, query and body are. `arguments` is the body, if it is JSON of at most 64 KiB.
ToolCall http_tool_call(std::string_view name_template, const RequestHead& head, std::string_view body);

}  // namespace weir
