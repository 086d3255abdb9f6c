// Where a request goes: an LLM operation, a configured HTTP upstream, or one of Weir's own endpoints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/ports.h"
#include "policy/policy.h"
#include "providers/errors.h"

namespace weir {

enum class TargetKind : std::uint8_t {
  kLlm,
  kUpstream,
  kModels,
  kMe,
  kAdmit,
  kSettle,
  kCancel,
  kCheck,
  kCount,
  kHealth,
  kReady,
  kSchema,
  kMetrics,
  kAdmin,  // /admin/*: the admin API
  kPage,   // the dashboard's files
  kServerOptions /* OPTIONS * */,
  kNone,
};

struct Target {
  TargetKind kind = TargetKind::kNone;
  Operation operation = Operation::kChatCompletions;  // kLlm
  std::string path_model;                             // kLlm, Gemini: the model that the path names
  const Upstream* upstream = nullptr;                 // kUpstream
  std::string_view route;                             // shown in the ledger and as attribute `route`
  std::string_view allow;                             // methods, for 405 and OPTIONS; empty: any
};

// True if a path has a segment `.` or `..`, plain or percent-encoded: what it names depends on who normalises it.
bool has_dot_segment(std::string_view path);

Target find_target(const Policy& policy, std::string_view method, std::string_view path);
// The admin listener's endpoints.
Target find_admin_target(std::string_view method, std::string_view path);

// The error shape of a route; problem+json wins on LLM routes when the client asks for it in Accept.
ErrorShape error_shape(const Target& target, std::string_view path, std::string_view accept);

Origin origin_of(const Provider& provider);
Origin origin_of(const Upstream& upstream);

// Path of an LLM operation at a provider: its url's path is prefixed, and a trailing "/v1" replaces the dialect's own.
std::string provider_path(const Url& url, std::string_view dialect_path);

}  // namespace weir
