// Requests: bytes of a body in, facts out; and the few edits that the governor makes before it forwards one.
//
//   auto facts = read_request(operation, body, bounds, model_of_the_path);
//   if (!facts) …refuse with facts.error()…
//   std::string out = upstream_body(operation, *facts, {.max_output = 1024}, body);
//
// No I/O, no clock. Thread-safe.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/agent.h"
#include "model/usage.h"
#include "providers/operation.h"
#include "tokens/encoding.h"

namespace weir {

struct BodyBounds {
  std::size_t depth = 128;
  std::size_t messages = 10'000;
  std::size_t tools = 512;
};

// What the governor needs to know of a request body.
struct RequestFacts {
  std::string model;
  bool stream = false;
  bool wants_stream_usage = false;              // OpenAI stream_options.include_usage
  std::optional<std::int64_t> output_cap;       // tokens, per choice; 1 to 2^40
  std::optional<std::int64_t> thinking_budget;  // tokens, where the dialect counts them beside an absent cap
  std::int64_t choices = 1;       // n, candidateCount; best_of if larger; of completions: times their prompts
  std::int64_t text_bytes = 0;    // of everything that becomes input tokens, tool schemas included
  std::int64_t flat_parts = 0;    // images, audio, files whose size nothing tells: a flat amount each
  std::int64_t media_tokens = 0;  // of images, audio and files sized by their provider's published rule
  std::int64_t token_ids = 0;     // embeddings input given as token ids: exact input tokens
  std::size_t messages = 0;
  std::size_t tools = 0;
  ServiceTier service_tier = ServiceTier::kStandard;  // asked for
  std::string user;                                   // the dialect's own end-user field; empty if none
  // Input that the body only points to: previous_response_id, conversation, cachedContent, file ids, prompt templates.
  std::vector<std::string> references;
  static constexpr std::size_t kMaxReferences = 64;  // the rest are counted as flat parts
  AgentFacts agent;                                  // of operations that generate
};

// A body that cannot be forwarded: always a 4xx, nothing charged.
struct RequestFault {
  int status = 400;     // 400 or 413
  std::string message;  // for the caller: what is wrong and what to do
  std::string param;    // JSON path of the culprit, empty if none
};

// Parses strictly: valid UTF-8 JSON, one object, no duplicate keys at any depth, depth and counts within bounds,
// max_tokens and n integers within range (no NaN, no negatives, no numeric strings), model a non-empty string.
// `path_model`: the model that the path named (Gemini).
std::expected<RequestFacts, RequestFault> read_request(Operation operation, std::string_view body,
                                                       const BodyBounds& bounds, std::string_view path_model = {});

// Changes of a body on its way to the provider.
struct BodyEdits {
  std::string model;                         // empty: as it is. Gemini's is in the path: path_of()
  std::optional<std::int64_t> max_output;    // the cap, set if it is absent and lowered if it is above
  std::optional<std::size_t> keep_messages;  // only the newest turns: never drops system messages, never splits a
                                             // tool call from its result, and keeps what begins with a user's turn
  // Canonical names of tools that are taken out of the request's list; if that leaves none, the list goes too.
  // tool_choice that names one of them goes back to the dialect's default.
  std::vector<std::string> strip_tools;
  bool any() const { return !model.empty() || max_output || keep_messages || !strip_tools.empty(); }
};

// True if the provider gets other bytes than the client sent: an edit, or stream_options.include_usage forced to true
// (OpenAI streams whose client did not ask).
bool needs_rewrite(Operation operation, const RequestFacts& facts, const BodyEdits& edits = {});
// The body to send upstream. Only the edited members change; every other byte stays. `body` must have passed
// read_request.
std::string upstream_body(Operation operation, const RequestFacts& facts, const BodyEdits& edits,
                          std::string_view body);

// The prompt counted with an encoding's tokens: texts, and the published overhead of messages and tool schemas.
struct PromptCount {
  std::int64_t tokens = 0;
  bool exact = false;  // false: something in it has no published rule and was estimated from above
};
PromptCount count_prompt(Operation operation, std::string_view body, Encoding encoding, std::string_view model);

}  // namespace weir
