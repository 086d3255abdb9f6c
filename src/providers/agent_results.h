// Results of tools as each dialect brings them back, over a parsed document.
//
//   each_result(operation, message, [&](const ResultView& view) { results.push_back(tool_result_of(view)); … });
//   match_results(calls, results);      // names and ids that only the calls tell
//
// Internal to this folder (it shows simdjson). Thread-safe; a ResultView must not outlive its document.
#pragma once

#include <simdjson.h>

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "model/agent.h"
#include "providers/operation.h"

namespace weir {

struct ResultView {
  std::string_view call_id;  // empty: none
  std::string_view name;     // as it stands there; empty: none
  bool error = false;        // the dialect's own field says so
  std::optional<simdjson::dom::element> content;
  bool is_response = false;  // Gemini: `content` is an object that holds what the function returned
};

// Of one message whose speaker is kTool. False from `visit` ends it.
void each_result(Operation operation, const simdjson::dom::object& message,
                 const std::function<bool(const ResultView&)>& visit);
ToolResult tool_result_of(const ResultView& view);

// A result belongs to the call of its id; one without an id to the first call of its name, one without a name too to
// the first call, that no other result answers. It takes name and id from there where it has none. Both lists are at
// most kMaxCallsInTurn long.
void match_results(const std::vector<ToolCall>& calls, std::vector<ToolResult>& results);

}  // namespace weir
