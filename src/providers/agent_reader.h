// What a request says of the agent behind it: AgentFacts, over the parsed document.
//
//   AgentReader agent(operation, facts.agent, fault);
//   if (!agent.take(member, key, value)) …refuse with `fault`…     // for each member, as RequestReader goes over them
//   if (!agent.finish()) …the same…                                // the conversation, once all of it was found good
//
// take() only notes where the conversation stands. finish() looks at the role of every message, hashes those up to the
// last user's, and reads calls and results of the last turn; without tools nothing is allocated.
//
// Internal to this folder (it shows simdjson). One thread, one body; the document, the facts and the fault outlive it.
#pragma once

#include <simdjson.h>

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "providers/request.h"
#include "providers/request_members.h"
#include "providers/turns.h"

namespace weir {

class AgentReader {
 public:
  using element = simdjson::dom::element;
  using object = simdjson::dom::object;

  AgentReader(Operation operation, AgentFacts& facts, RequestFault& fault)
      : operation_(operation), facts_(facts), fault_(fault) {}

  bool take(Member member, std::string_view key, const element& value);
  bool finish();

 private:
  // Where the turns of the conversation begin and end, as indexes of its messages.
  struct Outline {
    std::size_t count = 0;
    std::size_t opening_end = 0;                 // behind the system's messages at the beginning
    std::size_t model_begin = 0, model_end = 0;  // the model's last turn; equal: none
    std::size_t user_end = 0;                    // behind the last user's message; 0: none
  };

  bool refuse(std::string message, std::string param);
  void previous(const element& value);
  void add_system(std::uint64_t hash);
  void add_user(std::uint64_t hash);
  bool tools(std::string_view key, const element& value);
  bool tool(std::string_view key, std::size_t index, const object& declared);
  bool choice(std::string_view key, const element& value);
  bool conversation();
  Outline outline(const element& list);
  bool message(const object& message, std::size_t index, const Outline& outline);
  bool calls(const object& message);
  bool results(const object& message);
  void match_results();

  Operation operation_;
  AgentFacts& facts_;
  RequestFault& fault_;
  std::optional<element> messages_;
  std::uint64_t system_ = 0;   // of the system prompt so far
  std::uint64_t context_ = 0;  // of what stands before the messages: an earlier response, a context
  std::uint64_t names_ = 0;    // sum over the declared tools' names
  std::uint64_t conversation_ = 0;
  std::uint64_t template_ = 0;  // of a prompt template's variables: the user's words if there are no others
  std::set<std::uint64_t> tool_hashes_;
};

}  // namespace weir
