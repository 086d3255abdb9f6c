// Answers of MCP servers: what a message says, and edits that leave every other byte as it is.
//
//   SseMessage event = read_event(bytes);                      // of a stream; bytes of one event
//   McpAnswer answer = read_answer_message(event.data);
//   if (answer.lists_tools) bytes = with_data(bytes, without_tools(event.data, hidden));
//
// Nothing here trusts a server: what cannot be read is passed on as it is and says nothing. Pure; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

inline constexpr std::size_t kMaxListedTools = 4096;  // of one tools/list answer; further names are not read

// One JSON-RPC message from a server.
struct McpAnswer {
  bool answers = false;       // a result or an error, for the request `id`
  std::string id;             // JSON text, as McpMessage::id spells it
  bool failed = false;        // a JSON-RPC error, or a tool's result with isError
  bool unfinished = false;    // "input_required": the call goes on in another request
  std::uint64_t content = 0;  // hash of what was returned, whatever its spaces; 0: no answer
  bool lists_tools = false;
  std::vector<std::string> tools;  // names as the server spells them
};
McpAnswer read_mcp_answer(std::string_view message);
// Of a JSON answer, which may be a batch.
std::vector<McpAnswer> read_mcp_answers(std::string_view body);

// A tools/list message (or batch with some) without the tools that `hidden` names.
std::string without_tools(std::string_view body, const std::function<bool(std::string_view name)>& hidden);
// The answers of a batch with `more` messages in front; `body` may be empty, one message or an array.
std::string with_answers(std::string_view body, const std::vector<std::string>& more);
// A tool's result whose content has one more text: "Weir: …". Without content it stays as it is.
std::string with_note(std::string_view message, std::string_view note);

// The data of one event of a stream, its lines joined; empty for comments and the like.
struct SseMessage {
  std::string data;
  bool has_id = false;  // the stream can be taken up again after this event
};
SseMessage read_event(std::string_view event);
// The event with other data; its other lines stay.
std::string with_data(std::string_view event, std::string_view data);

}  // namespace weir
