#include "providers/errors.h"

#include "base/json_writer.h"

namespace weir {
namespace {

// `type` and `code` of the error object; an empty code is null.
struct OpenAiWords {
  std::string_view type, code;
};

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

// Standard phrase of a status: the title of problems without a type of their own (RFC 9457 section 4.2.1).
std::string_view phrase(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return status >= 500 ? "Server Error" : "Request Refused";
  }
}

struct ProblemWords {
  std::string_view type, title;
};

ProblemWords problem_words(ErrorKind kind, int status) {
  switch (kind) {
    case ErrorKind::kRateLimited:
    case ErrorKind::kQuota:
      return {"https://iana.org/assignments/http-problem-types#quota-exceeded", "Quota exceeded"};
    case ErrorKind::kAbnormal:
      return {"https://iana.org/assignments/http-problem-types#abnormal-usage-detected", "Abnormal usage detected"};
    case ErrorKind::kOverloaded:
      return {"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
              "Temporarily reduced capacity"};
    default:
      return {"about:blank", phrase(status)};
  }
}

void string_or_null(JsonWriter& json, std::string_view name, std::string_view value) {
  json.key(name);
  value.empty() ? json.null() : json.string(value);
}

void machine_part(JsonWriter& json, const ErrorFacts& facts) {
  if (facts.refusal != nullptr) json.key("weir").raw(machine_json(*facts.refusal));
}

void openai_body(JsonWriter& json, const ErrorFacts& facts) {
  const OpenAiWords words = openai_words(facts.kind, facts.status);
  json.begin_object().key("error").begin_object().key("message").string(facts.message).key("type").string(words.type);
  string_or_null(json, "param", facts.param);
  string_or_null(json, "code", words.code);
  machine_part(json, facts);
  json.end_object().end_object();
}

void anthropic_body(JsonWriter& json, const ErrorFacts& facts) {
  json.begin_object().key("type").string("error").key("error").begin_object();
  json.key("type").string(anthropic_type(facts.kind, facts.status)).key("message").string(facts.message);
  machine_part(json, facts);
  json.end_object();
  string_or_null(json, "request_id", facts.request_id);
  json.end_object();
}

void problem_body(JsonWriter& json, const ErrorFacts& facts) {
  const ProblemWords words = problem_words(facts.kind, facts.status);
  json.begin_object().key("type").string(words.type).key("title").string(words.title);
  json.key("status").number(facts.status).key("detail").string(facts.message);
  if (!facts.request_id.empty()) json.key("instance").string(facts.request_id);
  if (facts.refusal != nullptr) {
    json.key("violated-policies").begin_array().string(facts.refusal->limit);
    for (const std::string& name : facts.refusal->also) json.string(name);
    json.end_array();
  }
  machine_part(json, facts);
  json.end_object();
}

}  // namespace

std::string_view content_type_of(ErrorShape shape) {
  return shape == ErrorShape::kProblem ? "application/problem+json" : "application/json";
}

std::string error_body(ErrorShape shape, const ErrorFacts& facts) {
  std::string out;
  JsonWriter json(out);
  switch (shape) {
    case ErrorShape::kOpenAi:
    case ErrorShape::kGemini:
    case ErrorShape::kOllama:
      openai_body(json, facts);
      break;
    case ErrorShape::kAnthropic:
      anthropic_body(json, facts);
      break;
    case ErrorShape::kProblem:
      problem_body(json, facts);
      break;
  }
  return out;
}

ErrorShape shape_of(Operation operation) {
  switch (dialect_of(operation)) {
    case Dialect::kOpenAi:
      return ErrorShape::kOpenAi;
    case Dialect::kAnthropic:
      return ErrorShape::kAnthropic;
    case Dialect::kGemini:
      return ErrorShape::kGemini;
    case Dialect::kOllama:
      return ErrorShape::kOllama;
  }
  return ErrorShape::kProblem;  // every dialect is above
}

std::string stream_error_end(Operation operation, Framing, const ErrorFacts& facts, const Usage*, bool) {
  // Clients of OpenAI look at data alone; the others dispatch on the event's name.
  const ErrorShape shape = shape_of(operation);
  std::string out = shape == ErrorShape::kOpenAi ? "data: " : "event: error\ndata: ";
  return out + error_body(shape, facts) + "\n\n";
}

}  // namespace weir
