#include "providers/error_words.h"

namespace weir {

OpenAiWords openai_words(ErrorKind kind, int status) {
  switch (kind) {
    case ErrorKind::kInvalidRequest:
      return {"invalid_request_error", ""};
    case ErrorKind::kUnauthorized:
      return {"invalid_request_error", "invalid_api_key"};
    case ErrorKind::kNotFound:
      return {"invalid_request_error", "unknown_url"};
    case ErrorKind::kUnknownModel:
      return {"invalid_request_error", "model_not_found"};
    case ErrorKind::kTooLarge:
      return {"invalid_request_error", "request_too_large"};
    case ErrorKind::kRateLimited:
    case ErrorKind::kAbnormal:
      return {"rate_limit_exceeded", "rate_limit_exceeded"};
    case ErrorKind::kQuota:
      return {"insufficient_quota", "insufficient_quota"};
    case ErrorKind::kOverloaded:
      return {"service_unavailable_error", "server_is_overloaded"};
    case ErrorKind::kUpstream:
      return {"server_error", status == 504 ? "upstream_timeout" : "upstream_error"};
  }
  return {"server_error", ""};
}

std::string_view anthropic_type(ErrorKind kind, int status) {
  switch (kind) {
    case ErrorKind::kInvalidRequest:
      return status == 403 ? "permission_error" : "invalid_request_error";
    case ErrorKind::kUnauthorized:
      return "authentication_error";
    case ErrorKind::kNotFound:
    case ErrorKind::kUnknownModel:
      return "not_found_error";
    case ErrorKind::kTooLarge:
      return "request_too_large";
    case ErrorKind::kRateLimited:
    case ErrorKind::kQuota:
    case ErrorKind::kAbnormal:
      return "rate_limit_error";
    case ErrorKind::kOverloaded:
      return "overloaded_error";
    case ErrorKind::kUpstream:
      return status == 504 ? "timeout_error" : "api_error";
  }
  return "api_error";
}

std::string_view google_status(int status) {
  switch (status) {
    case 401:
      return "UNAUTHENTICATED";
    case 403:
      return "PERMISSION_DENIED";
    case 404:
      return "NOT_FOUND";
    case 409:
      return "ABORTED";
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 500:
      return "INTERNAL";
    case 501:
      return "UNIMPLEMENTED";
    case 502:
    case 503:
      return "UNAVAILABLE";
    case 408:
    case 504:
      return "DEADLINE_EXCEEDED";
    default:
      return status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT";
  }
}

}  // namespace weir
