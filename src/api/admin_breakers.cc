#include "api/admin_breakers.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <optional>

#include "base/json_writer.h"
#include "model/agent.h"
#include "records/metadata.h"

namespace weir {
namespace {

Reply json_reply(std::string body) {
  return {.status = 200, .content_type = "application/json", .headers = {}, .body = std::move(body)};
}

// A plus sign is itself: this is a path. Nothing if an escape is malformed.
std::optional<std::string> percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
    i += 2;
  }
  return out;
}

std::unexpected<AdminFault> fault(int status, std::string message) {
  return std::unexpected(AdminFault{.status = status, .message = std::move(message)});
}

// No body, or {"reason": "…"}.
std::expected<std::string, AdminFault> read_reason(std::string_view body) {
  if (body.size() > kMaxBreakerBody) {
    return fault(413, fmt::format("The body of this call is at most {} bytes.", kMaxBreakerBody));
  }
  if (body.empty()) return std::string();
  simdjson::dom::parser parser;
  simdjson::dom::object members;
  if (parser.parse(body.data(), body.size()).get_object().get(members) != simdjson::SUCCESS) {
    return fault(400, "The body must be one JSON object in UTF-8, such as {\"reason\": \"loops\"}.");
  }
  std::string_view reason;
  for (const auto [name, value] : members) {
    if (name != "reason") return fault(400, "The body has a member that is not known; known is `reason`.");
    if (value.get_string().get(reason) != simdjson::SUCCESS || !is_plain_value(reason)) {
      return fault(400, "`reason` must be a text of at most 256 bytes without control characters.");
    }
  }
  return std::string(reason);
}

Reply store_failed(const Error& error) {
  Reply reply = admin_fault_reply({.status = 503, .message = "The record store cannot be used: " + error.message});
  append_header(reply.headers, "retry-after", "1");
  return reply;
}

Reply not_set(const BreakerCall& call) {
  return admin_fault_reply(
      {.status = 404, .message = fmt::format("No kill switch is set for {} {}.", to_string(call.kind), call.name)});
}

Reply list(Store& store) {
  const auto all = store.kill_switches();
  if (!all) return store_failed(all.error());
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("breakers").begin_array();
  for (const KillSwitch& off : *all) json.raw(kill_switch_json(off));
  json.end_array().end_object();
  return json_reply(std::move(body));
}

Reply show(Store& store, const BreakerCall& call) {
  const auto all = store.kill_switches();
  if (!all) return store_failed(all.error());
  const auto found = std::find_if(
      all->begin(), all->end(), [&](const KillSwitch& off) { return off.kind == call.kind && off.name == call.name; });
  return found == all->end() ? not_set(call) : json_reply(kill_switch_json(*found));
}

Reply throw_switch(Store& store, const BreakerCall& call, TimeNs now) {
  if (call.kind == KillSwitch::Kind::kKey) {
    const auto known = store.find_consumer(call.name);
    if (!known) return store_failed(known.error());
    if (!*known) return admin_fault_reply({.status = 404, .message = "There is no key named " + call.name + "."});
  }
  const KillSwitch off{.kind = call.kind, .name = call.name, .reason = call.reason, .by = "admin", .since = now};
  if (const auto set = store.set_kill_switch(off); !set) return store_failed(set.error());
  return json_reply(kill_switch_json(off));
}

}  // namespace

Reply admin_fault_reply(const AdminFault& what) {
  ErrorKind kind = ErrorKind::kInvalidRequest;
  if (what.status == 401) kind = ErrorKind::kUnauthorized;
  if (what.status == 404) kind = ErrorKind::kNotFound;
  if (what.status == 413) kind = ErrorKind::kTooLarge;
  if (what.status == 503) kind = ErrorKind::kOverloaded;
  return error_reply(ErrorShape::kProblem, {.kind = kind, .status = what.status, .message = what.message});
}

std::string kill_switch_name(KillSwitch::Kind kind, std::string_view name) {
  return kind == KillSwitch::Kind::kTool ? canonical_tool_name(name) : std::string(name);
}

std::string kill_switch_json(const KillSwitch& off) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("kind").string(to_string(off.kind)).key("name").string(off.name);
  json.key("reason").string(off.reason).key("by").string(off.by);
  json.key("since").string(format_rfc3339(off.since, 3)).end_object();
  return out;
}

std::expected<BreakerCall, AdminFault> read_breaker_call(std::string_view method, std::string_view path,
                                                         std::string_view body) {
  BreakerCall call;
  path.remove_prefix(std::min(kBreakersPath.size(), path.size()));
  if (path.empty()) return call;
  path.remove_prefix(1);
  const std::size_t slash = path.find('/');
  const auto kind = kill_switch_kind_from(path.substr(0, slash));
  if (!kind || slash == std::string_view::npos || path.find('/', slash + 1) != std::string_view::npos) {
    return fault(404,
                 "A kill switch is at /admin/v1/breakers/{kind}/{name}; kind is key, agent, tool or run, and the "
                 "name is percent-encoded.");
  }
  const auto name = percent_decoded(path.substr(slash + 1));
  if (!name || name->empty() || !is_plain_value(*name)) {
    return fault(400, "The name must be 1 to 256 bytes of UTF-8 without control characters, percent-encoded.");
  }
  call.kind = *kind;
  call.name = kill_switch_name(*kind, *name);
  if (call.name.empty()) {
    return fault(400, "No tool can have this name: it has letters that nobody sees, such as zero-width spaces.");
  }
  call.verb = method == "PUT"      ? BreakerCall::Verb::kThrow
              : method == "DELETE" ? BreakerCall::Verb::kClear
                                   : BreakerCall::Verb::kShow;
  if (call.verb != BreakerCall::Verb::kThrow) return call;
  auto reason = read_reason(body);
  if (!reason) return std::unexpected(std::move(reason.error()));
  call.reason = std::move(*reason);
  return call;
}

Reply run_breaker_call(Store& store, const BreakerCall& call, TimeNs now) {
  switch (call.verb) {
    case BreakerCall::Verb::kList:
      return list(store);
    case BreakerCall::Verb::kShow:
      return show(store, call);
    case BreakerCall::Verb::kThrow:
      return throw_switch(store, call, now);
    case BreakerCall::Verb::kClear:
      break;
  }
  const auto cleared = store.clear_kill_switch(call.kind, call.name, {.at = now, .by = "admin"});
  if (!cleared) return store_failed(cleared.error());
  if (!*cleared) return not_set(call);
  return {.status = 204, .content_type = {}, .headers = {}, .body = {}};
}

}  // namespace weir
