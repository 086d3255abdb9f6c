// MCP messages from clients and servers that are strangers. Checks: what a POST says of calls stays within its bounds
// and is the same whether its messages come as a batch or alone; every fault has words; edits of answers take away what
// they should, keep the rest, and leave JSON that says the same of everything else.
//
// Input: byte 0 = what (mod 3: a POST, answers, an event); byte 1 = headers, or seed of what is hidden; the rest = the
// bytes. A POST's Mcp-Name is its first line if bit 5 of byte 1 is set.
#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "fuzz.h"
#include "gateway/mcp_answer.h"
#include "gateway/mcp_message.h"
#include "gateway/mcp_replies.h"
#include "providers/json_audit.h"

namespace {

using namespace weir;
using fuzz::require;

constexpr std::size_t kDepth = 64;
constexpr std::string_view kRevisions[] = {"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "2024-11-05", "x"};
constexpr std::string_view kMethods[] = {"tools/call", "tools/list", "resources/read"};

// JSON without repeated keys: of such there is one reading only.
bool is_plain_json(std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS) return false;
  JsonAudit audit(JsonAudit::kMaxDepth);
  JsonMeasure measure;
  return audit.walk(root, 1, measure);
}

void check_fault(const McpFault& fault) {
  require(!fault.message.empty());
  const Reply reply = mcp_fault_reply(fault, "req_1");
  require(reply.status >= 400 && is_plain_json(reply.body));
}

void check_message(const McpMessage& message, std::string_view body) {
  require(message.range.begin < message.range.end && message.range.end <= body.size());
  require(is_plain_json(message.range.in(body)));
  require(message.is_request() == (message.kind == McpMessage::Kind::kRequest));
  require(!message.is_request() || is_plain_json(message.id));
  require(message.method.size() <= kMaxMcpMethod);
  if (!message.is_call()) return;
  require(!message.call.name.empty() && message.call.id.empty() && message.call.signature != 0);
  require(message.call.arguments.empty() || is_plain_json(message.call.arguments));
  const std::string error = tool_error_message(message.id, false, denied_words(message.call.name), nullptr);
  require(is_plain_json(error) && read_mcp_answer(error).failed && read_mcp_answer(error).id == message.id);
}

void check_post(std::uint8_t flags, std::string_view bytes) {
  std::string_view name;
  if ((flags & 32) != 0) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    name = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
  McpHeaders headers{.repeated = flags == 255};
  if ((flags & 7) < std::size(kRevisions)) headers.revision = kRevisions[flags & 7];
  if ((flags >> 3 & 3) < std::size(kMethods)) headers.method = kMethods[flags >> 3 & 3];
  if ((flags & 32) != 0) headers.name = name;
  const auto post = read_mcp_post(bytes, headers, kDepth);
  if (!post) return check_fault(post.error());
  require(!post->messages.empty() && post->messages.size() <= kMaxBatch);
  require(post->batch || post->messages.size() == 1);
  for (const McpMessage& message : post->messages) {
    check_message(message, bytes);
    // What is sent on alone, of a batch that lost others, is read there as it was here.
    const auto alone = read_mcp_post(message.range.in(bytes), headers, kDepth);
    require(alone && alone->messages.size() == 1);
    const McpMessage& same = alone->messages.front();
    require(same.kind == message.kind && same.id == message.id && same.method == message.method);
    require(same.call.signature == message.call.signature && same.params == message.params);
  }
}

std::vector<std::string> tools_of(const std::vector<McpAnswer>& answers) {
  std::vector<std::string> out;
  for (const McpAnswer& answer : answers) out.insert(out.end(), answer.tools.begin(), answer.tools.end());
  return out;
}

void check_answers(std::uint8_t seed, std::string_view bytes) {
  const std::vector<McpAnswer> answers = read_mcp_answers(bytes);
  require(read_mcp_answer(bytes).id.empty() || answers.size() == 1);
  require(without_tools(bytes, [](std::string_view) { return false; }) == bytes || !is_plain_json(bytes));
  const auto hidden = [&](std::string_view name) { return (hash64(name) & 255) < seed; };
  const std::string listed = without_tools(bytes, hidden);
  const std::string noted = with_note(bytes, "used \"up\"\n");
  const std::string more = with_answers(bytes, {R"({"jsonrpc":"2.0","id":1,"result":{}})"});
  if (!is_plain_json(bytes)) return;
  require(is_plain_json(listed) && is_plain_json(noted) && is_plain_json(more));
  std::vector<std::string> wanted = tools_of(answers);
  if (wanted.size() < kMaxListedTools) {
    std::erase_if(wanted, hidden);
    require(tools_of(read_mcp_answers(listed)) == wanted);
  }
  const auto after = read_mcp_answers(more);
  require(after.size() == answers.size() + 1);
  for (std::size_t i = 0; i < answers.size(); ++i) require(after[i + 1].content == answers[i].content);
}

void check_event(std::string_view bytes) {
  const SseMessage event = read_event(bytes);
  const std::string same = with_data(bytes, event.data);
  require(read_event(same).data == event.data && read_event(same).has_id == event.has_id);
  require(with_data(same, event.data) == same);
  require(same.size() <= 8 * bytes.size() + 16);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  switch (data[0] % 3) {
    case 0:
      check_post(data[1], bytes);
      break;
    case 1:
      check_answers(data[1], bytes);
      break;
    default:
      check_event(bytes);
  }
  return 0;
}
