// Request bodies from strangers, for every operation. Checks: read_request never crashes; a body that it takes stays
// one that it takes after any edit, with no higher cap, no more messages and the model asked for; counting its prompt
// never crashes either.
//
// What it says of the agent behind it is within bounds, and tools that are stripped are gone.
//
// Input: byte 0 = operation (mod 12), byte 1 = which edits (bits 0 to 2; bit 3: strip every second tool), bytes 2 and 3
// = the new cap, byte 4 = messages to keep, the rest = the body.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.h"
#include "providers/dialect.h"
#include "providers/prompt_count.h"
#include "providers/tool_calls.h"

namespace {

using namespace weir;
using fuzz::require;

constexpr BodyBounds kBounds{.depth = 32, .messages = 64, .tools = 16};
constexpr std::size_t kHead = 5;

void check_stripped(const RequestFacts& again, const RequestFacts& facts, const BodyEdits& edits) {
  require(again.tools <= facts.tools);
  std::vector<std::string> left = facts.agent.tools;
  std::erase_if(left, [&](const std::string& name) { return std::ranges::count(edits.strip_tools, name) > 0; });
  require(again.agent.tools == left);
  require(std::ranges::count(edits.strip_tools, again.agent.forced_tool) == 0);
  if (!edits.keep_messages) {
    require(again.agent.turn == facts.agent.turn);
    require(again.agent.prompt == facts.agent.prompt);
    require(again.agent.results.size() == facts.agent.results.size());
  }
}

void check_agent(Operation operation, const AgentFacts& agent, std::string_view body) {
  require(agent.calls.size() <= kMaxCallsInTurn && agent.results.size() <= kMaxCallsInTurn);
  for (const std::string& tool : agent.tools) require(!tool.empty() && canonical_tool_name(tool) == tool);
  for (const ToolCall& call : agent.calls) {
    require(call.signature != 0 && call.id.size() <= kMaxCallId);
    require(call.signature == call_signature(call.name, call.arguments));
  }
  for (const ToolResult& result : agent.results) require(result.content != 0 && result.call_id.size() <= kMaxCallId);
  require((agent.turn == 0) == (agent.prompt == 0));
  require(prompt_text(operation, body).size() <= 2 * body.size() + 1);
}

void check_edits(Operation operation, const RequestFacts& facts, const BodyEdits& edits, std::string_view body,
                 std::string_view path_model) {
  const std::string upstream = upstream_body(operation, facts, edits, body);
  if (!needs_rewrite(operation, facts, edits)) require(upstream == body);
  const std::string_view model = edits.model.empty() ? path_model : std::string_view(edits.model);
  const auto again = read_request(operation, upstream, kBounds, path_model.empty() ? path_model : model);
  require(again.has_value());
  require(again->stream == facts.stream);
  require(again->choices == facts.choices);
  if (edits.strip_tools.empty()) require(again->tools == facts.tools);
  check_stripped(*again, facts, edits);
  require(again->model == (edits.model.empty() ? facts.model : edits.model));
  require(again->messages <= facts.messages);
  require((facts.messages == 0) == (again->messages == 0));
  if (facts.output_cap) require(again->output_cap && *again->output_cap <= *facts.output_cap);
  if (edits.max_output && generates(operation)) {
    const std::int64_t least = operation == Operation::kResponses ? 16 : 1;
    require(again->output_cap && *again->output_cap <= std::max(least, *edits.max_output));
  } else {
    require(again->output_cap == facts.output_cap);
  }
  // Once changed, there is nothing left to change.
  require(upstream_body(operation, *again, edits, upstream) == upstream);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < kHead) return 0;
  const auto operation = static_cast<Operation>(data[0] % kOperationCount);
  const std::string_view path_model = dialect_of(operation) == Dialect::kGemini ? "m" : "";
  const std::string_view body(reinterpret_cast<const char*>(data) + kHead, size - kHead);
  const auto read = read_request(operation, body, kBounds, path_model);
  const TokenCount bytes = [](std::string_view text) { return static_cast<std::int64_t>(text.size()); };
  require(announced_calls(operation, body).size() <= kMaxCallsInTurn + 1);
  require(count_prompt_with(operation, body, "gpt-4o", bytes).tokens >= 0);
  if (!read) {
    require(read.error().status == 400 || read.error().status == 413);
    require(!read.error().message.empty());
    return 0;
  }
  require(!read->model.empty());
  require(read->text_bytes >= 0 && read->media_tokens >= 0 && read->flat_parts >= 0 && read->token_ids >= 0);
  require(read->choices >= 1);
  require(read->references.size() <= RequestFacts::kMaxReferences);
  check_agent(operation, read->agent, body);
  BodyEdits edits;
  for (std::size_t i = 0; i < read->agent.tools.size() && (data[1] & 8) != 0; i += 2) {
    edits.strip_tools.push_back(read->agent.tools[i]);
  }
  if ((data[1] & 1) != 0) edits.model = "other";
  if ((data[1] & 2) != 0) edits.max_output = data[2] * 256 + data[3];
  if ((data[1] & 4) != 0) edits.keep_messages = data[4] % 16;
  check_edits(operation, *read, edits, body, path_model);
  return 0;
}
