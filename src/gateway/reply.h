// Answers that Weir itself gives, and the limit headers on every answer.
#pragma once

#include <string>
#include <string_view>

#include "gateway/http1.h"
#include "policy/ruleset.h"
#include "providers/errors.h"

namespace weir {

// A complete answer of our own. `headers` holds further "name: value\r\n" lines.
struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string headers;
  std::string body;
  bool close = false;  // the connection cannot go on
};

// The bytes of a reply. HEAD answers carry the length but no body.
std::string serialize(const Reply& reply, bool head_request, bool keep_alive, int minor_version);

Reply error_reply(ErrorShape shape, const ErrorFacts& facts);

// A refusal's status, headers and body: 429 with true waits, 413 when it can never fit, 503 when the table is full.
Reply refusal_reply(ErrorShape shape, const Plan& plan, const Decision& decision, const Refusal& refusal,
                    const std::string& request_id, TimeNs now);

// A breaker's refusal: 429, and no invitation to come back at once; `never`: 413, it asks for more than it can ever
// get.
Reply breaker_reply(ErrorShape shape, const Refusal& refusal, std::string message, const std::string& request_id,
                    bool never = false);

// When it may be tried again, if that is known, and that nobody should do so by itself.
void append_breaker_wait(const Refusal& refusal, std::string& out);

// RateLimit-Policy and RateLimit for the two limits with the smallest share left, and the dialect's own headers.
void append_limit_state(ErrorShape shape, const Plan& plan, const Decision& decision, TimeNs now, std::string& out);

// "retry-after: 3\r\nretry-after-ms: 2500\r\n", rounded up and never 0; with x-should-retry: false beyond 60 s.
void append_retry_after(DurationNs wait, std::string& out);

// A wait of `base` to twice that, so that those who were turned away together do not come back together.
inline DurationNs jittered(DurationNs base, Hash128 request) {
  return base + static_cast<DurationNs>(request.low % static_cast<std::uint64_t>(base));
}

// "0.004130": micro-dollars as decimal dollars.
std::string decimal_usd(std::int64_t usd_micros);

}  // namespace weir
