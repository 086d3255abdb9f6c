#include "providers/keep_turns.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>

#include "providers/objects.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

// What one message is to the cut.
struct Turn {
  bool stays = false;   // system, developer
  bool starts = false;  // a user's own words: the conversation may begin here
  bool calls = false;   // announces calls, with ids or without
  bool answers = false;
  std::vector<std::string_view> call_ids;
  std::vector<std::string_view> answered_ids;
};

void call(Turn& turn, std::string_view id) {
  turn.calls = true;
  if (!id.empty()) turn.call_ids.push_back(id);
}

void answer(Turn& turn, std::string_view id) {
  turn.answers = true;
  if (!id.empty()) turn.answered_ids.push_back(id);
}

bool has(const object& message, std::string_view key) {
  element value;
  return message.at_key(key).get(value) == simdjson::SUCCESS && !value.is_null();
}

// OpenAI chat and Ollama.
Turn chat_turn(const object& message) {
  Turn turn;
  const std::string_view role = string_at(message, "role");
  turn.stays = role == "system" || role == "developer";
  if (role == "tool" || role == "function") answer(turn, string_at(message, "tool_call_id"));
  each_object(message, "tool_calls", [&](const object& each) { call(turn, string_at(each, "id")); });
  if (has(message, "function_call")) call(turn, {});
  turn.starts = role == "user";
  return turn;
}

Turn anthropic_turn(const object& message) {
  Turn turn;
  each_object(message, "content", [&](const object& block) {
    const std::string_view type = string_at(block, "type");
    // Results of the provider's own tools ("web_search_tool_result") stand in the message of their call.
    if (type == "tool_use") call(turn, string_at(block, "id"));
    if (type == "tool_result") answer(turn, string_at(block, "tool_use_id"));
  });
  const std::string_view role = string_at(message, "role");
  turn.stays = role == "system";
  turn.starts = role == "user" && !turn.answers;
  return turn;
}

Turn gemini_turn(const object& content) {
  Turn turn;
  each_object(content, "parts", [&](const object& part) {
    object inner;
    for (const std::string_view key : {"functionCall", "function_call"}) {
      if (part.at_key(key).get_object().get(inner) == simdjson::SUCCESS) call(turn, string_at(inner, "id"));
    }
    for (const std::string_view key : {"functionResponse", "function_response"}) {
      if (part.at_key(key).get_object().get(inner) == simdjson::SUCCESS) answer(turn, string_at(inner, "id"));
    }
  });
  const std::string_view role = string_at(content, "role");
  turn.starts = (role == "user" || role.empty()) && !turn.answers;
  return turn;
}

Turn response_item(const object& item) {
  Turn turn;
  const std::string_view type = string_at(item, "type");
  const std::string_view role = string_at(item, "role");
  turn.stays = role == "system" || role == "developer";
  turn.starts = role == "user" && (type.empty() || type == "message");
  if (type.ends_with("_call_output") || type == "mcp_approval_response") {
    const std::string_view id = string_at(item, "call_id");
    answer(turn, id.empty() ? string_at(item, "approval_request_id") : id);
  } else if (type.ends_with("_call") || type == "mcp_approval_request") {
    const std::string_view id = string_at(item, "call_id");
    call(turn, id.empty() ? string_at(item, "id") : id);
  } else if (type == "item_reference") {
    call(turn, {});  // it may stand for a call
  }
  return turn;
}

Turn turn_of(Operation operation, const object& message) {
  if (operation == Operation::kResponses) return response_item(message);
  switch (dialect_of(operation)) {
    case Dialect::kAnthropic:
      return anthropic_turn(message);
    case Dialect::kGemini:
      return gemini_turn(message);
    default:
      return chat_turn(message);
  }
}

// bound[i]: calls before message i that are answered at i or later. Cutting there would split them.
std::vector<std::int64_t> bound_pairs(const std::vector<Turn>& turns) {
  std::vector<std::int64_t> bound(turns.size() + 1, 0);
  // Ordered: a client may choose 100,000 ids of one hash.
  std::map<std::string_view, std::size_t> announced;
  std::size_t last_call = turns.size();
  const auto bind = [&](std::size_t from, std::size_t to) {
    ++bound[from + 1];
    --bound[to + 1];
  };
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const Turn& turn = turns[i];
    bool unknown = turn.answers && turn.answered_ids.empty();
    for (const std::string_view id : turn.answered_ids) {
      const auto found = announced.find(id);
      if (found == announced.end()) {
        unknown = true;
      } else {
        bind(found->second, i);
      }
    }
    // Without an id, or with one that nobody announced, it answers the nearest call.
    if (unknown && last_call < i) bind(last_call, i);
    for (const std::string_view id : turn.call_ids) announced[id] = i;
    if (turn.calls) last_call = i;
  }
  for (std::size_t i = 1; i < bound.size(); ++i) bound[i] += bound[i - 1];
  return bound;
}

}  // namespace

std::vector<std::size_t> dropped_turns(Operation operation, const array& messages, std::size_t keep) {
  std::vector<Turn> turns;
  for (const element item : messages) {
    object message;
    turns.push_back(item.get_object().get(message) == simdjson::SUCCESS ? turn_of(operation, message) : Turn{});
  }
  const auto ordinary =
      static_cast<std::size_t>(std::count_if(turns.begin(), turns.end(), [](const Turn& turn) { return !turn.stays; }));
  if (ordinary <= keep) return {};
  const std::vector<std::int64_t> bound = bound_pairs(turns);
  // The first possible cut that leaves at most `keep`, else the last one before it.
  std::size_t cut = 0;
  std::size_t left = ordinary;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    if (turns[i].starts && bound[i] == 0) {
      cut = i;
      if (left <= keep) break;
    }
    left -= turns[i].stays ? 0 : 1;
  }
  std::vector<std::size_t> dropped;
  for (std::size_t i = 0; i < cut; ++i) {
    if (!turns[i].stays) dropped.push_back(i);
  }
  return dropped;
}

}  // namespace weir
