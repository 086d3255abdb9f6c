#include "gateway/mcp_message.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <span>
#include <unordered_set>
#include <utility>

#include "base/hash.h"
#include "base/json_writer.h"
#include "base/strings.h"
#include "providers/json_audit.h"
#include "providers/media_probe.h"
#include "providers/tool_calls.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::string_view kDefaultRevision = "2025-03-26";  // of a client that sends no header
constexpr std::string_view kBatchRevision = "2025-03-26";    // the only one with batches
constexpr std::string_view kFirstModern = "2026-07-28";
constexpr std::string_view kRevisions[] = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", kFirstModern};
constexpr std::string_view kRevisionKey = "io.modelcontextprotocol/protocolVersion";
// What is decided by: none of it may come in a second spelling.
constexpr std::string_view kMessageNames[] = {"jsonrpc", "id", "method", "params", "result", "error"};
constexpr std::string_view kParamNames[] = {"name", "arguments", "uri", "_meta"};
constexpr std::size_t kSharedParser = 256 << 10;  // longer bodies use a parser that is thrown away

using Fault = std::unexpected<McpFault>;

Fault fault(int code, std::string message, std::string id = {}) {
  return Fault({code, std::move(message), std::move(id)});
}

// For messages: what was sent, short and printable.
std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 80;
  std::string out;
  for (const char c : text.substr(0, kMost)) out += c >= ' ' && c < 0x7f ? c : '?';
  return text.size() > kMost ? out + "…" : out;
}

std::optional<std::string> read_id(const element& value) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) {
    if (text.size() > kMaxRpcId) return std::nullopt;
    std::string out;
    append_json_string(out, text);
    return out;
  }
  if (std::int64_t number = 0; value.get(number) == simdjson::SUCCESS) return std::to_string(number);
  if (std::uint64_t large = 0; value.get(large) == simdjson::SUCCESS) return std::to_string(large);
  return std::nullopt;
}

std::string_view text_at(const object& from, std::string_view key) {
  std::string_view text;
  return from[key].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

// Reads one POST. `body` is what `root` was parsed from.
class PostReader {
 public:
  using Bad = std::optional<McpFault>;

  PostReader(std::string_view body, const McpHeaders& headers) : body_(body), headers_(headers) {}

  std::expected<McpPost, McpFault> read(const element& root) {
    out_.revision = headers_.revision.data() == nullptr ? kDefaultRevision : headers_.revision;
    out_.modern = is_modern_revision(out_.revision);
    const TextRange range = root_of(body_);
    simdjson::dom::array items;
    Bad wrong =
        root.get(items) == simdjson::SUCCESS ? read_batch(items, elements_of(body_, range)) : read_one(root, range);
    if (wrong) return Fault(std::move(*wrong));
    return std::move(out_);
  }

 private:
  static Bad bad(int code, std::string message, std::string id = {}) {
    return McpFault{code, std::move(message), std::move(id)};
  }

  Bad read_batch(const simdjson::dom::array& items, const std::vector<TextRange>& ranges) {
    if (const Bad unknown = check_revision({})) return unknown;
    if (out_.revision != kBatchRevision) {
      return bad(kRpcInvalidRequest,
                 fmt::format("Batches exist in revision {} only, not in {}: send one message per POST.", kBatchRevision,
                             shown(out_.revision)));
    }
    if (ranges.empty()) return bad(kRpcInvalidRequest, "The batch is empty: send at least one message.");
    if (ranges.size() > kMaxBatch) {
      return bad(kRpcInvalidRequest, fmt::format("The batch has {} messages, at most {} are allowed: send it in parts.",
                                                 ranges.size(), kMaxBatch));
    }
    out_.batch = true;
    std::unordered_set<std::string> ids;
    std::size_t i = 0;
    for (const element item : items) {
      if (Bad wrong = read_one(item, ranges[i++])) return wrong;
      const McpMessage& message = out_.messages.back();
      if (message.is_request() && !ids.insert(message.id).second) {
        return bad(kRpcInvalidRequest,
                   fmt::format("Two messages of the batch have the id {}: ids must be unique.", shown(message.id)),
                   message.id);
      }
    }
    return std::nullopt;
  }

  static Bad check_case(const object& value, std::span<const std::string_view> names) {
    const std::string_view key = look_alike(value, names);
    if (key.data() == nullptr) return std::nullopt;
    return bad(kRpcInvalidRequest,
               fmt::format("`{}` is a key of JSON-RPC or MCP in another case: write it as the specification does.",
                           shown(key)));
  }

  // Of the header alone; the body's own is compared with it message by message.
  Bad check_revision(const std::string& id) const {
    if (headers_.repeated) {
      return bad(kRpcHeaderMismatch,
                 "MCP-Protocol-Version, Mcp-Method or Mcp-Name was sent more than once: send each once.", id);
    }
    if (std::find(std::begin(kRevisions), std::end(kRevisions), out_.revision) != std::end(kRevisions)) {
      return std::nullopt;
    }
    return bad(kRpcUnsupportedRevision,
               fmt::format("MCP-Protocol-Version `{}` is not known here. Use one of {}.", shown(out_.revision),
                           fmt::join(kRevisions, ", ")),
               id);
  }

  Bad read_one(const element& value, TextRange range) {
    object message;
    if (value.get(message) != simdjson::SUCCESS) {
      return bad(kRpcInvalidRequest, "A message must be a JSON object of JSON-RPC 2.0.");
    }
    if (Bad wrong = check_case(message, kMessageNames)) return wrong;
    McpMessage& read = out_.messages.emplace_back();
    read.range = range;
    element id;
    const bool has_id = message["id"].get(id) == simdjson::SUCCESS;
    if (has_id) {
      const auto text = read_id(id);
      if (!text) {
        return bad(kRpcInvalidRequest,
                   fmt::format("`id` must be a string of at most {} bytes or an integer.", kMaxRpcId));
      }
      read.id = *text;
    }
    if (const Bad unknown = check_revision(read.id)) return unknown;
    if (text_at(message, "jsonrpc") != "2.0") {
      return bad(kRpcInvalidRequest, "`jsonrpc` must be \"2.0\".", read.id);
    }
    const bool answers =
        message["result"].error() == simdjson::SUCCESS || message["error"].error() == simdjson::SUCCESS;
    element method;
    if (message["method"].get(method) != simdjson::SUCCESS) {
      if (!answers || !has_id) return bad(kRpcInvalidRequest, "`method` is missing.", read.id);
      read.kind = McpMessage::Kind::kResponse;
      return std::nullopt;
    }
    read.kind = has_id ? McpMessage::Kind::kRequest : McpMessage::Kind::kNotification;
    if (answers) return bad(kRpcInvalidRequest, "A message has `method`, or `result` or `error`, not both.", read.id);
    return read_method(method, message, read);
  }

  Bad read_method(const element& method, const object& message, McpMessage& read) {
    std::string_view name;
    const bool good = method.get(name) == simdjson::SUCCESS && !name.empty() && name.size() <= kMaxMcpMethod &&
                      std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!good) return bad(kRpcInvalidRequest, "`method` must be a name of printable characters.", read.id);
    read.method = name;
    element params_value;
    object params;
    const bool has_params = message["params"].get(params_value) == simdjson::SUCCESS;
    const bool is_object = has_params && params_value.get(params) == simdjson::SUCCESS;
    TextRange params_range{};
    if (has_params) {
      params_range = find_member(body_, read.range, {"params"}).value_or(MemberRange{}).value;
      read.params = hash64(params_range.in(body_));
    }
    if (is_object) {
      if (Bad wrong = check_case(params, kParamNames)) return wrong;
      read.name = text_at(params, name == "resources/read" ? "uri" : "name");
      read.request_state = text_at(params, "requestState");
      if (Bad wrong = check_meta(params, read.id)) return wrong;
    }
    if (name == "tools/call") {
      if (Bad wrong = read_call(is_object ? &params : nullptr, params_range, read)) return wrong;
    }
    return check_mirrors(read);
  }

  Bad check_meta(const object& params, const std::string& id) const {
    object meta;
    if (params["_meta"].get(meta) != simdjson::SUCCESS) return std::nullopt;
    element asserted;
    if (meta[kRevisionKey].get(asserted) != simdjson::SUCCESS) return std::nullopt;
    std::string_view revision;
    if (asserted.get(revision) != simdjson::SUCCESS) {
      return bad(kRpcInvalidParams, fmt::format("`_meta` member `{}` must be a string.", kRevisionKey), id);
    }
    if (revision == out_.revision) return std::nullopt;
    if (headers_.revision.data() == nullptr) {
      return bad(kRpcHeaderMismatch,
                 fmt::format("`_meta` says revision `{0}` and the header MCP-Protocol-Version is missing: send it too.",
                             shown(revision)),
                 id);
    }
    return bad(kRpcHeaderMismatch,
               fmt::format("MCP-Protocol-Version says `{}` and `_meta` says `{}`: they must agree.",
                           shown(out_.revision), shown(revision)),
               id);
  }

  Bad read_call(const object* params, TextRange params_range, McpMessage& read) const {
    if (!read.is_request()) {
      return bad(kRpcInvalidRequest, "tools/call needs an `id`: what it returns could not be delivered.");
    }
    read.call.name = canonical_tool_name(read.name);
    if (params == nullptr || read.call.name.empty()) {
      return bad(kRpcInvalidParams,
                 fmt::format("tools/call needs `params.name`: a tool's name of 1 to {} bytes without control "
                             "characters, as tools/list gives it.",
                             kMaxToolName),
                 read.id);
    }
    element arguments;
    if ((*params)["arguments"].get(arguments) == simdjson::SUCCESS) {
      if (!arguments.is_object() && !arguments.is_null()) {
        return bad(kRpcInvalidParams, "`params.arguments` of tools/call must be an object.", read.id);
      }
      if (const auto member = find_member(body_, params_range, {"arguments"})) {
        read.call.arguments = member->value.in(body_);
      }
    }
    read.call.signature = call_signature(read.call.name, read.call.arguments);
    return std::nullopt;
  }

  // Mcp-Method and Mcp-Name mirror the body, for those on the way who do not read it.
  Bad check_mirrors(const McpMessage& read) const {
    const bool has_method = headers_.method.data() != nullptr;
    if (out_.modern && !has_method) {
      return bad(kRpcHeaderMismatch,
                 fmt::format("Revision {} needs the header `Mcp-Method: {}`.", out_.revision, read.method), read.id);
    }
    if (headers_.method.size() > kMaxMcpHeader || headers_.name.size() > kMaxMcpHeader) {
      return bad(kRpcHeaderMismatch, fmt::format("Mcp-Method and Mcp-Name are at most {} bytes long.", kMaxMcpHeader),
                 read.id);
    }
    if (has_method && headers_.method != read.method) {
      return bad(kRpcHeaderMismatch,
                 fmt::format("The header Mcp-Method says `{}` and the body `{}`: they must agree.",
                             shown(headers_.method), read.method),
                 read.id);
    }
    const bool named = read.method == "tools/call" || read.method == "resources/read" || read.method == "prompts/get";
    if (!named) return std::nullopt;
    if (headers_.name.data() == nullptr) {
      if (!out_.modern) return std::nullopt;
      return bad(kRpcHeaderMismatch,
                 fmt::format("Revision {} needs the header Mcp-Name for {}, with what the body names.", out_.revision,
                             read.method),
                 read.id);
    }
    std::string name;
    if (!decode_mcp_name(headers_.name, name)) {
      return bad(kRpcHeaderMismatch, "The header Mcp-Name is not valid =?base64?…?= of UTF-8.", read.id);
    }
    if (name == read.name) return std::nullopt;
    return bad(
        kRpcHeaderMismatch,
        fmt::format("The header Mcp-Name says `{}` and the body `{}`: they must agree.", shown(name), shown(read.name)),
        read.id);
  }

  std::string_view body_;
  const McpHeaders& headers_;
  McpPost out_;
};

std::string parse_problem(simdjson::error_code code) {
  switch (code) {
    case simdjson::EMPTY:
      return "The body is empty: send a JSON-RPC message.";
    case simdjson::UTF8_ERROR:
      return "The body is not valid UTF-8.";
    case simdjson::DEPTH_ERROR:
      return "The body is nested too deeply.";
    default:
      return fmt::format("The body is not valid JSON ({}).", simdjson::error_message(code));
  }
}

}  // namespace

bool is_modern_revision(std::string_view revision) {
  return revision >= kFirstModern;  // dates: their order is that of their text
}

bool decode_mcp_name(std::string_view header, std::string& name) {
  constexpr std::string_view kBegin = "=?base64?", kEnd = "?=";
  if (!header.starts_with(kBegin)) {
    name = header;
    return true;
  }
  if (header.size() < kBegin.size() + kEnd.size() || !header.ends_with(kEnd)) return false;
  std::string_view text = header.substr(kBegin.size(), header.size() - kBegin.size() - kEnd.size());
  while (text.ends_with('=')) text.remove_suffix(1);
  const bool good = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  });
  if (!good || text.size() % 4 == 1) return false;
  name = base64_decoded(text);
  return is_valid_utf8(name);
}

McpHeaders mcp_headers(const Headers& headers) {
  McpHeaders out;
  for (const Header& field : headers.fields) {
    std::string_view* target = equal_ignoring_case(field.name, "mcp-protocol-version") ? &out.revision
                               : equal_ignoring_case(field.name, "mcp-method")         ? &out.method
                               : equal_ignoring_case(field.name, "mcp-name")           ? &out.name
                                                                                       : nullptr;
    if (target == nullptr) continue;
    out.repeated |= target->data() != nullptr;
    *target = field.value;
  }
  return out;
}

std::expected<McpPost, McpFault> read_mcp_post(std::string_view body, const McpHeaders& headers,
                                               std::size_t max_depth) {
  thread_local simdjson::dom::parser shared;
  std::optional<simdjson::dom::parser> own;
  if (body.size() > kSharedParser) own.emplace();
  simdjson::dom::parser& parser = own ? *own : shared;
  element root;
  if (const auto code = parser.parse(body.data(), body.size()).get(root); code != simdjson::SUCCESS) {
    return fault(kRpcParseError, parse_problem(code));
  }
  if (!root.is_object() && !root.is_array()) {
    return fault(kRpcInvalidRequest, "The body must be a JSON-RPC message or a batch of them.");
  }
  JsonAudit audit(max_depth);
  JsonMeasure measure;
  if (!audit.walk(root, 1, measure)) {
    return audit.flaw() == JsonAudit::Flaw::kDepth
               ? fault(kRpcInvalidRequest, fmt::format("The body is nested deeper than {} levels.", max_depth))
               : fault(kRpcInvalidRequest,
                       fmt::format("The key `{}` appears twice: who reads the body could take either.",
                                   shown(audit.path())));
  }
  return PostReader(body, headers).read(root);
}

}  // namespace weir
