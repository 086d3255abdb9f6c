#include "providers/agent_reader.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "providers/agent_results.h"
#include "providers/call_reader.h"
#include "providers/json_hash.h"
#include "providers/request_parts.h"
#include "providers/tool_list.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::string_view kNameRule =
    "use 1 to 256 bytes of UTF-8 without control characters and without characters that cannot be seen";

// Tells the roles apart, for which a hash of their names would be dear.
std::uint64_t role_mark(std::string_view role) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;
  return role.empty() ? 0 : (role.size() * 256 + static_cast<unsigned char>(role.front())) * kOdd;
}

// What one message says and in which role. Ids and marks of the provider that come and go are no part of it.
std::uint64_t message_hash(const object& message) {
  std::uint64_t sum = 0;
  for (auto it = message.begin(); it != message.end(); ++it) {
    const std::string_view key = it.key();
    if (key == "role") {
      std::string_view role;
      if (it.value().get_string().get(role) == simdjson::SUCCESS) sum += role_mark(role);
    } else if (key == "content" || key == "parts") {
      sum += content_hash(it.value());
    } else if (key != "type" && key != "id" && key != "status" && key != "cache_control" && !it.value().is_null()) {
      sum += hash_pair(hash64(key), json_hash(it.value()));
    }
  }
  return sum != 0 ? sum : 1;
}

std::uint64_t user_hash(std::uint64_t content) {
  return role_mark("user") + content;
}

std::uint64_t combined(std::uint64_t before, std::uint64_t next) {
  return before == 0 ? next : hash_pair(before, next);
}

}  // namespace

bool AgentReader::refuse(std::string message, std::string param) {
  fault_ = {.status = 400, .message = std::move(message), .param = std::move(param)};
  return false;
}

void AgentReader::add_system(std::uint64_t hash) {
  system_ = combined(system_, hash);
}

void AgentReader::add_user(std::uint64_t hash) {
  facts_.prompt = hash;
  conversation_ = combined(conversation_, hash);
  facts_.turn = conversation_;
}

bool AgentReader::take(Member member, std::string_view key, const element& value) {
  if (value.is_null()) return true;
  switch (member) {
    case Member::kMessages:
    case Member::kItems:
    case Member::kContents:
      messages_ = value;
      return true;
    case Member::kTools:
      return tools(key, value);
    case Member::kToolChoice:
      return choice(key, value);
    case Member::kPrompts:
      add_user(user_hash(content_hash(value)));
      return true;
    case Member::kText:
      if (key == "prompt") add_user(user_hash(content_hash(value)));
      if (key == "system" || key == "instructions") add_system(content_hash(value));
      return true;
    case Member::kSystem:
      add_system(content_hash(value));
      return true;
    case Member::kSystemInstruction:
      if (object content; value.get_object().get(content) == simdjson::SUCCESS) add_system(message_hash(content));
      return true;
    case Member::kPromptTemplate:
      if (object fields; value.get_object().get(fields) == simdjson::SUCCESS) {
        add_system(content_hash(string_at(fields, "id")));
        template_ = json_hash(value);
      }
      return true;
    case Member::kPreviousResponse:
    case Member::kConversation:
      previous(value);
      return true;
    case Member::kContext:
      context_ = combined(context_, json_hash(value));
      return true;
    default:
      return true;
  }
}

void AgentReader::previous(const element& value) {
  std::string_view id;
  if (value.get_string().get(id) != simdjson::SUCCESS) {
    object fields;
    if (value.get_object().get(fields) != simdjson::SUCCESS) return;
    id = string_at(fields, "id");
  }
  facts_.previous = id;
  context_ = combined(context_, hash64(id));
}

bool AgentReader::tools(std::string_view key, const element& value) {
  return each_object(value, [&](const object& declared, std::size_t index) { return tool(key, index, declared); });
}

bool AgentReader::tool(std::string_view key, std::size_t index, const object& declared) {
  bool good = true;
  each_declared(operation_, declared, [&](std::string_view raw) {
    std::string name = canonical_tool_name(raw);
    good &= !name.empty();
    const std::uint64_t hash = hash64(name);
    if (name.empty() || !tool_hashes_.insert(hash).second) return;
    names_ += hash_pair(hash, 0);
    facts_.tools.push_back(std::move(name));
  });
  return good || refuse(fmt::format("`{}[{}]` has a name that cannot be used; {}.", key, index, kNameRule),
                        fmt::format("{}[{}]", key, index));
}

bool AgentReader::choice(std::string_view key, const element& value) {
  std::size_t chosen = 0;
  bool good = true;
  each_chosen(operation_, value, [&](std::string_view raw) {
    std::string name = canonical_tool_name(raw);
    good &= !name.empty();
    facts_.forced_tool = ++chosen == 1 ? std::move(name) : std::string{};
  });
  return good ||
         refuse(fmt::format("`{}` has a tool's name that cannot be used; {}.", key, kNameRule), std::string(key));
}

bool AgentReader::finish() {
  if (!conversation()) return false;
  if (facts_.prompt == 0 && template_ != 0) add_user(user_hash(template_));
  if (facts_.turn != 0 && context_ != 0) facts_.turn = hash_pair(context_, facts_.turn);
  match_results();
  // The same for tools in another order; without system prompt and tools there is no task to tell from others.
  if (system_ != 0 || names_ != 0) facts_.task = hash_pair(system_, names_);
  return true;
}

bool AgentReader::conversation() {
  if (!messages_) return true;
  if (messages_->is_string()) {
    add_user(user_hash(content_hash(*messages_)));
    return true;
  }
  const Outline outline = this->outline(*messages_);
  return each_object(*messages_, [&](const object& each, std::size_t index) { return message(each, index, outline); });
}

AgentReader::Outline AgentReader::outline(const element& list) {
  Outline outline;
  bool opening = true;  // nobody but the system has spoken
  Speaker last = Speaker::kOther;
  Outline answered;  // the last turn of the model that only results followed
  const auto add = [&](const object& message) {
    const Speaker speaker = speaker_of(operation_, message);
    const std::size_t index = outline.count++;
    opening &= speaker == Speaker::kSystem;
    if (opening) {
      const std::uint64_t hash = message_hash(message);
      add_system(hash);
      conversation_ = combined(conversation_, hash);
      outline.opening_end = index + 1;
    }
    if (speaker == Speaker::kUser) outline.user_end = index + 1;
    if (speaker == Speaker::kTool && last == Speaker::kModel) answered = outline;
    if (speaker == Speaker::kUser) answered.model_end = 0;
    if (speaker == Speaker::kModel) {
      if (last != Speaker::kModel) outline.model_begin = index;
      outline.model_end = index + 1;
    }
    last = speaker;
  };
  each_object(list, add);
  // The beginning of an answer that the model is to go on with hides no results before it.
  if (last == Speaker::kModel && answered.model_end > 0) {
    outline.model_begin = answered.model_begin;
    outline.model_end = answered.model_end;
  }
  return outline;
}

bool AgentReader::message(const object& message, std::size_t index, const Outline& outline) {
  if (index >= outline.opening_end && index < outline.user_end) {
    const std::uint64_t hash = message_hash(message);
    if (index + 1 == outline.user_end) {
      add_user(hash);
    } else {
      conversation_ = combined(conversation_, hash);
    }
  }
  if (index < outline.model_begin) return true;
  return index < outline.model_end ? calls(message) : results(message);
}

bool AgentReader::calls(const object& message) {
  bool fits = true;
  each_call_of_message(operation_, message, [&](const CallView& call) {
    fits = facts_.calls.size() < kMaxCallsInTurn;
    if (fits) facts_.calls.push_back(tool_call_of(call));
    return fits;
  });
  return fits ||
         refuse(fmt::format("The model's last turn has more than {} tool calls; send fewer.", kMaxCallsInTurn), {});
}

bool AgentReader::results(const object& message) {
  if (speaker_of(operation_, message) != Speaker::kTool) return true;
  bool fits = true;
  each_result(operation_, message, [&](const ResultView& view) {
    fits = facts_.results.size() < kMaxCallsInTurn;
    if (fits) facts_.results.push_back(tool_result_of(view));
    return fits;
  });
  return fits ||
         refuse(fmt::format("More than {} results of tools follow the model's last turn; send fewer.", kMaxCallsInTurn),
                {});
}

void AgentReader::match_results() {
  if (!facts_.results.empty()) weir::match_results(facts_.calls, facts_.results);
}

}  // namespace weir
