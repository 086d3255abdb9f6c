#include "admin/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/characters.h"
#include "base/hash.h"
#include "records/metadata.h"

namespace weir {
namespace {

ErrorKind kind_of(int status) {
  switch (status) {
    case 401:
    case 403:
      return ErrorKind::kUnauthorized;
    case 404:
      return ErrorKind::kNotFound;
    case 413:
      return ErrorKind::kTooLarge;
    case 429:
      return ErrorKind::kRateLimited;
    case 503:
      return ErrorKind::kOverloaded;
    default:
      return ErrorKind::kInvalidRequest;
  }
}

std::string_view next_segment(std::string_view& path) {
  path.remove_prefix(std::min<std::size_t>(1, path.size()));
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

// The segments that stand for names; nothing if the path is another one.
std::optional<std::vector<std::string_view>> match(std::string_view pattern, std::string_view path) {
  std::vector<std::string_view> names;
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = next_segment(pattern);
    const std::string_view given = next_segment(path);
    if (wanted.starts_with('{')) {
      names.push_back(given);
    } else if (wanted != given) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return names;
}

Result<void> decode(const std::vector<std::string_view>& parts, std::vector<std::string>& out) {
  for (const std::string_view part : parts) {
    auto name = percent_decoded(part);
    if (!name || name->empty() || !is_plain_value(*name)) {
      return fail("The name must be 1 to 256 bytes of UTF-8 without control characters, percent-encoded.");
    }
    out.push_back(std::move(*name));
  }
  return {};
}

}  // namespace

Reply admin_json(std::string body, int status) {
  return {.status = status, .content_type = "application/json", .headers = {}, .body = std::move(body)};
}

Reply admin_problem(int status, std::string message) {
  return error_reply(ErrorShape::kProblem, {.kind = kind_of(status), .status = status, .message = std::move(message)});
}

Reply admin_store_failed(const Error& error) {
  Reply reply = admin_problem(503, "The record store cannot be used: " + error.message);
  append_header(reply.headers, "retry-after", "1");
  return reply;
}

Reply admin_too_much_waits() {
  Reply reply = admin_problem(503, "Too many admin calls are waiting; try again in a second.");
  append_header(reply.headers, "retry-after", "1");
  return reply;
}

std::string etag_of(std::string_view value) {
  return fmt::format("\"{:016x}\"", hash64(value));
}

std::optional<Reply> refuse_stale(const AdminRequest& request, std::string_view etag) {
  std::string_view rest = request.if_match;
  if (rest.empty() || rest == "*") return std::nullopt;
  if (rest.find(etag) != std::string_view::npos) return std::nullopt;
  Reply reply = admin_problem(412, "Somebody changed this meanwhile; read it again, then repeat the change.");
  append_header(reply.headers, "etag", etag);
  return reply;
}

void AdminRouter::add(AdminRoute route) {
  routes_.push_back(std::move(route));
}

std::optional<Reply> AdminContext::later(std::function<Reply(Store&, TimeNs)> work) const {
  const auto piece = [work = std::move(work), answer = answer](Store& own, TimeNs then) { answer(work(own, then)); };
  if (!host.start_long_work(piece)) return admin_too_much_waits();
  return std::nullopt;
}

std::optional<Reply> AdminRouter::handle(Store& store, AdminRequest request, TimeNs now,
                                         const std::function<void(Reply)>& answer) const {
  if (request.method == "HEAD") request.method = "GET";
  const AdminRoute* found = nullptr;
  std::vector<std::string_view> parts;
  std::string allow;
  for (const AdminRoute& route : routes_) {
    auto names = match(route.path, request.path);
    if (!names) continue;
    allow += (allow.empty() ? "" : ", ") + route.method;
    if (route.method != request.method || found != nullptr) continue;
    found = &route;
    parts = std::move(*names);
  }
  if (found == nullptr) {
    if (allow.empty()) return admin_problem(404, "The admin API has no such call; /admin/v1/openapi.json lists all.");
    Reply reply = admin_problem(405, fmt::format("{} is not allowed here; use {}.", request.method, allow));
    append_header(reply.headers, "allow", allow);
    return reply;
  }
  if (request.caller.role < found->role) {
    return admin_problem(403, fmt::format("This call needs the role {}; the token `{}` has the role {}.",
                                          to_string(found->role), request.caller.name, to_string(request.caller.role)));
  }
  if (request.body.size() > kMaxAdminBody) {
    return admin_problem(413, fmt::format("The body of an admin call is at most {} KB.", kMaxAdminBody >> 10));
  }
  if (const auto decoded = decode(parts, request.names); !decoded) return admin_problem(400, decoded.error().message);
  const auto query = AdminQuery::read(request.query, found->query);
  if (!query) return admin_problem(400, query.error().message);
  AdminContext context{
      .store = store, .host = host_, .request = request, .query = *query, .now = now, .answer = answer};
  return found->handler(context);
}

}  // namespace weir
