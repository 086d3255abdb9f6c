#include "providers/errors.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/json_writer.h"
#include "base/strings.h"
#include "providers/error_words.h"

namespace weir {
namespace {

constexpr std::size_t kUsualSize = 512;  // beside the message

// Standard phrase of a status: the title of problems without a type of their own (RFC 9457 section 4.2.1).
std::string_view phrase(int status) {
  static constexpr std::pair<int, std::string_view> kPhrases[] = {{400, "Bad Request"},
                                                                  {401, "Unauthorized"},
                                                                  {403, "Forbidden"},
                                                                  {404, "Not Found"},
                                                                  {405, "Method Not Allowed"},
                                                                  {408, "Request Timeout"},
                                                                  {409, "Conflict"},
                                                                  {411, "Length Required"},
                                                                  {413, "Content Too Large"},
                                                                  {414, "URI Too Long"},
                                                                  {415, "Unsupported Media Type"},
                                                                  {417, "Expectation Failed"},
                                                                  {429, "Too Many Requests"},
                                                                  {431, "Request Header Fields Too Large"},
                                                                  {500, "Internal Server Error"},
                                                                  {501, "Not Implemented"},
                                                                  {502, "Bad Gateway"},
                                                                  {503, "Service Unavailable"},
                                                                  {504, "Gateway Timeout"},
                                                                  {505, "HTTP Version Not Supported"}};
  const auto found = std::ranges::find(kPhrases, status, &std::pair<int, std::string_view>::first);
  if (found != std::end(kPhrases)) return found->second;
  return status >= 500 ? "Server Error" : "Request Refused";
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

// As protobuf writes a Duration: "34s", "34.07s". Rounded up to milliseconds.
std::string google_duration(double seconds) {
  constexpr double kMostSeconds = 315'576'000'000.0;  // the type's own bound
  const auto ms = static_cast<std::int64_t>(std::ceil(std::min(seconds, kMostSeconds) * 1000.0));
  std::string out;
  append_number(out, ms / 1000);
  if (ms % 1000 != 0) {
    out += '.';
    append_number(out, ms % 1000, 3);
  }
  return out + "s";
}

void gemini_body(JsonWriter& json, const ErrorFacts& facts) {
  json.begin_object().key("error").begin_object().key("code").number(facts.status);
  json.key("message").string(facts.message).key("status").string(google_status(facts.status));
  if (facts.refusal != nullptr && facts.refusal->retry_after_s >= 0) {
    json.key("details").begin_array().begin_object();
    json.key("@type").string("type.googleapis.com/google.rpc.RetryInfo");
    json.key("retryDelay").string(google_duration(facts.refusal->retry_after_s)).end_object().end_array();
  }
  machine_part(json, facts);
  json.end_object().end_object();
}

// Its error is a string: the machine part stands beside it.
void ollama_body(JsonWriter& json, const ErrorFacts& facts) {
  json.begin_object().key("error").string(facts.message);
  machine_part(json, facts);
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
  out.reserve(facts.message.size() + kUsualSize);
  JsonWriter json(out);
  switch (shape) {
    case ErrorShape::kOpenAi:
      openai_body(json, facts);
      break;
    case ErrorShape::kAnthropic:
      anthropic_body(json, facts);
      break;
    case ErrorShape::kGemini:
      gemini_body(json, facts);
      break;
    case ErrorShape::kOllama:
      ollama_body(json, facts);
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

}  // namespace weir
