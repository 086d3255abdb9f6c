// read_request: what the governor needs to know of a body, or why it cannot be forwarded.
#include "providers/request.h"

#include <simdjson.h>

#include "providers/request_reader.h"

namespace weir {
namespace {

// Above this a parser of its own is used and thrown away, so that one large body does not stay in every thread's
// memory.
constexpr std::size_t kSharedParser = 256 << 10;

RequestFault json_fault(simdjson::error_code code) {
  switch (code) {
    case simdjson::EMPTY:
      return {.message = "The body is empty; send a JSON object.", .param = {}};
    case simdjson::UTF8_ERROR:
      return {.message = "The body is not valid UTF-8.", .param = {}};
    case simdjson::DEPTH_ERROR:
      return {.message = "The body is nested too deeply; send a flatter one.", .param = {}};
    case simdjson::CAPACITY:
    case simdjson::MEMALLOC:
      return {.status = 413, .message = "The body is too large.", .param = {}};
    case simdjson::NUMBER_ERROR:
      return {.message = "The body is not valid JSON: a number is malformed or out of range.", .param = {}};
    case simdjson::STRING_ERROR:
    case simdjson::UNESCAPED_CHARS:
    case simdjson::UNCLOSED_STRING:
      return {.message = "The body is not valid JSON: a string is malformed or not closed.", .param = {}};
    default:
      return {.message = "The body is not valid JSON; send one complete JSON object.", .param = {}};
  }
}

std::expected<RequestFacts, RequestFault> read_with(simdjson::dom::parser& parser, Operation operation,
                                                    std::string_view body, const BodyBounds& bounds,
                                                    std::string_view path_model) {
  simdjson::dom::element document;
  const simdjson::error_code code = parser.parse(body.data(), body.size(), /*realloc_if_needed=*/true).get(document);
  if (code != simdjson::SUCCESS) return std::unexpected(json_fault(code));
  return RequestReader(operation, bounds, path_model).read(document);
}

}  // namespace

std::expected<RequestFacts, RequestFault> read_request(Operation operation, std::string_view body,
                                                       const BodyBounds& bounds, std::string_view path_model) {
  if (body.size() > kSharedParser) {
    simdjson::dom::parser parser;
    return read_with(parser, operation, body, bounds, path_model);
  }
  thread_local simdjson::dom::parser parser;
  return read_with(parser, operation, body, bounds, path_model);
}

}  // namespace weir
