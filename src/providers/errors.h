// Errors in the shape of each dialect, and the limit headers each dialect's clients understand (specs/http.md 4-9).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "model/refusal.h"
#include "providers/answer.h"

namespace weir {

enum class ErrorShape : std::uint8_t { kOpenAi, kAnthropic, kGemini, kOllama, kProblem };
ErrorShape shape_of(Operation operation);  // its dialect's

enum class ErrorKind : std::uint8_t {
  kInvalidRequest,  // 400, 405, 408, 411, 415, 417, 431 …
  kUnauthorized,    // 401
  kNotFound,        // 404: path
  kUnknownModel,    // 404: model
  kTooLarge,        // 413: body, or input that can never fit
  kRateLimited,     // 429: retry_after up to 60 s
  kQuota,           // 429: longer waits
  kAbnormal,        // 429: a breaker
  kOverloaded,      // 503 (529 for Anthropic is not used: the status is the caller's)
  kUpstream,        // 502, 504: provider unreachable, timed out or broke off
};

struct ErrorFacts {
  ErrorKind kind = ErrorKind::kInvalidRequest;
  int status = 400;
  std::string message;
  std::string param;  // empty = null
  std::string request_id;
  const Refusal* refusal = nullptr;  // adds the member `weir`; and violated-policies for problems
};

std::string_view content_type_of(ErrorShape shape);
// The machine part `weir` is a member of the error object, of the problem, and, for Ollama, whose error is a string, of
// the body itself.
std::string error_body(ErrorShape shape, const ErrorFacts& facts);

// The in-band end of a stream after its 200 began: the dialect's error event, with a final usage and an end marker
// where the dialect has them. `usage`: what is charged, if known; `told`: the client asked for usage or always gets it.
// `answer`: what the reader knows (id and model to repeat); `at`: where the bytes that went out stand. Append it to
// whole events only.
//
// Chat, completions: usage chunk, error; no [DONE]. Responses: response.failed with the usage, then an `error` event
// that holds the flat members of that event and the `error` object that the official SDKs raise. Messages:
// message_delta with the usage, then `error`. Gemini: usageMetadata, then the error as an event and once more bare, as
// Google's own SDK wants it; in an array two elements and its bracket. Ollama: an error line.
std::string stream_error_end(Operation operation, Framing framing, const ErrorFacts& facts, const Usage* usage,
                             bool told, const AnswerFacts* answer = nullptr, StreamPosition at = {});

// A limit as the dialect's own headers show it.
struct LimitShare {
  std::string_view meter;  // "requests", "tokens", "input_tokens", "output_tokens"; others are skipped
  std::int64_t limit = 0;
  std::int64_t remaining = 0;
  DurationNs until_reset = 0;
};

// Appends "name: value\r\n" lines: x-ratelimit-* (Go-style durations) or anthropic-ratelimit-* (RFC 3339 instants); per
// meter the limit with the smallest remaining share wins. Nothing for the other shapes, which document no such headers.
void append_limit_headers(ErrorShape shape, std::span<const LimitShare> shares, TimeNs now, std::string& out);

// True for response headers the gateway itself sets and therefore removes from a provider's answer (lower-case name).
bool is_dialect_limit_header(std::string_view lower_name);

}  // namespace weir
