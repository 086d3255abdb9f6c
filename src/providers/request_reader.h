// The strict reader of one request body, over a parsed document. Its parts by dialect are in request_openai.cc,
// request_anthropic.cc, request_gemini.cc and request_ollama.cc.
//
//   RequestReader reader(operation, bounds, path_model);
//   auto facts = reader.read(document);   // once
//
// Internal to this folder (it shows simdjson). Used by one thread, for one body; the document outlives it.
#pragma once

#include <simdjson.h>

#include <expected>
#include <string>
#include <string_view>

#include "providers/agent_reader.h"
#include "providers/json_audit.h"
#include "providers/request.h"
#include "providers/request_members.h"
#include "providers/request_parts.h"

namespace weir {

inline constexpr std::int64_t kMaxTokens = std::int64_t{1} << 40;
inline constexpr std::int64_t kMaxChoices = 128;
inline constexpr std::size_t kMaxPrompts = 2'048;  // of one completions request; answers too (prompts × n)
inline constexpr std::size_t kMaxName = 256;       // bytes of a model's or user's name

class RequestReader {
 public:
  using element = simdjson::dom::element;
  using object = simdjson::dom::object;

  RequestReader(Operation operation, const BodyBounds& bounds, std::string_view path_model)
      : operation_(operation),
        dialect_(dialect_of(operation)),
        bounds_(bounds),
        path_model_(path_model),
        audit_(bounds.depth),
        parts_(operation, facts_),
        agent_(operation, facts_.agent, fault_),
        generates_(generates(operation)) {}
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  std::expected<RequestFacts, RequestFault> read(const element& document);

 private:
  // All return false when they refuse.
  bool refuse(std::string message, std::string param = {}) {
    fault_ = {.status = 400, .message = std::move(message), .param = std::move(param)};
    return false;
  }
  bool refuse_flaw(std::string_view key);
  bool member(std::string_view key, const element& value);
  bool measured(Member member, std::string_view key, const element& value, const JsonMeasure& measure);
  bool setting(Member member, std::string_view key, const element& value);
  bool required();

  // Values that several members share.
  bool integer(std::string_view key, const element& value, std::int64_t least, std::int64_t most, std::int64_t& out);
  bool flag(std::string_view key, const element& value, bool& out);  // null: as it was
  bool text(std::string_view key, const element& value, std::string& out);
  bool any_text(std::string_view key, const element& value);
  bool reference(std::string_view key, const element& value);
  bool object_of(std::string_view key, const element& value, object& out);
  bool message_of(std::string_view key, const element& value, object& out);

  bool model(const element& value);
  bool cap(std::string_view key, const element& value);
  bool choices(std::string_view key, const element& value);
  bool tools(std::string_view key, const element& value);
  bool messages(const element& value);
  bool service_tier(std::string_view key, const element& value);

  // OpenAI
  bool stream_options(const element& value);
  bool embedding_input(const element& value);
  bool prompts(const element& value);
  bool items(const element& value);
  bool prompt_template(const element& value);
  bool conversation(const element& value);
  bool background(const element& value);

  // Anthropic
  bool user_metadata(const element& value);
  bool system_prompt(const element& value);
  bool thinking(const element& value);
  bool container(const element& value);

  // Gemini
  enum class Found : std::uint8_t { kNo, kYes, kRefused };
  Found either(std::string_view parent, const object& from, std::string_view camel, std::string_view snake,
               element& out);
  bool contents(const element& value);
  bool system_instruction(std::string_view key, const element& value);
  bool generation_config(std::string_view key, const element& value);
  bool thinking_config(const element& value);
  bool gemini_tools(const element& value);
  bool generate_content_request(std::string_view key, const element& value);

  // Ollama
  bool options(const element& value);
  bool images(const element& value);
  bool context(const element& value);

  Dialect dialect() const { return dialect_; }

  Operation operation_;
  Dialect dialect_;
  const BodyBounds& bounds_;
  std::string_view path_model_;
  JsonAudit audit_;
  RequestFacts facts_;
  PartReader parts_;
  RequestFault fault_;
  AgentReader agent_;
  bool generates_;
  std::string safety_identifier_;
  std::int64_t best_of_ = 1;
  std::int64_t prompts_ = 1;
  std::uint64_t seen_ = 0;  // bits of Member
  bool has_input_ = false;
};

}  // namespace weir
