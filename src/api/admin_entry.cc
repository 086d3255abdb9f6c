#include "api/admin_entry.h"

#include <algorithm>
#include <array>

#include "admin/body.h"
#include "admin/session.h"
#include "base/strings.h"
#include "gateway/identity.h"

namespace weir {
namespace {

Reply refusal(ErrorKind kind, int status, std::string message) {
  return error_reply(ErrorShape::kProblem, {.kind = kind, .status = status, .message = std::move(message)});
}

// The host of "host:port" without port, brackets kept.
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

bool is_ip_literal(std::string_view host) {
  if (host.starts_with('[')) return true;  // the parser has looked at what is between the brackets
  int parts = 0;
  while (true) {
    const std::size_t dot = std::min(host.find('.'), host.size());
    const auto number = dot <= 3 ? parse_decimal(host.substr(0, dot)) : std::nullopt;
    if (!number || *number > 255) return false;
    ++parts;
    if (dot == host.size()) return parts == 4;
    host.remove_prefix(dot + 1);
  }
}

bool is_own_name(const Policy& policy, std::string_view authority) {
  std::string_view host = host_of(authority);
  if (is_ip_literal(host)) return true;
  if (host.ends_with('.')) host.remove_suffix(1);
  const auto is = [host](std::string_view name) { return equal_ignoring_case(host, name); };
  return is("localhost") || is(policy.admin.host) ||
         std::any_of(policy.admin_names.begin(), policy.admin_names.end(), is);
}

// A listener in the clear may stand behind a proxy that adds TLS; one with TLS has no other origin than its own.
bool is_own_origin(const Policy& policy, std::string_view origin, std::string_view authority) {
  if (authority.empty()) return false;
  if (equal_ignoring_case(origin, "https://" + std::string(authority))) return true;
  return !policy.admin_tls.on() && equal_ignoring_case(origin, "http://" + std::string(authority));
}

// Balancers and scrapers ask by service names, which need no list where nothing is lost: health tells nothing, and no
// page has the token of /metrics. Public metrics would be told to any page that a browser nearby shows.
bool needs_own_name(const Policy& policy, std::string_view path) {
  if (path == "/healthz" || path == "/readyz") return false;
  return path != "/metrics" || policy.metrics_public;
}

// Empty if no page of another site can be behind the request.
std::string cross_site_problem(const Policy& policy, const RequestHead& head) {
  const Headers& headers = head.headers;
  const std::string_view authority = headers.get("host");  // one, and valid: the parser refuses all others
  for (const Header& field : headers.fields) {
    if (equal_ignoring_case(field.name, "origin") && !is_own_origin(policy, field.value, authority)) {
      return "Requests from pages of another origin are refused here.";
    }
    if (equal_ignoring_case(field.name, "sec-fetch-site") && !equal_ignoring_case(field.value, "same-origin") &&
        !equal_ignoring_case(field.value, "none")) {
      return "Requests that a page of another site caused are refused here.";
    }
  }
  if (needs_own_name(policy, head.path) && authority.data() != nullptr && !is_own_name(policy, authority)) {
    return "This listener is not known by the name in `Host`; use an IP address or localhost, or add the name to "
           "`names` under `admin:`.";
  }
  return {};
}

// What stands in a URL ends in logs and histories: no token is taken from there, and whoever tries is told. The API's
// own `key` names a consumer.
bool has_token_in_query(std::string_view path, std::string_view query) {
  static constexpr std::array<std::string_view, 5> kNames = {"token", "access_token", "key", "api_key",
                                                             "authorization"};
  const bool filters = path.starts_with("/admin/v1/");
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::size_t equals = std::min(query.find('='), end);
    const std::string_view name = query.substr(0, equals);
    const std::string_view value = query.substr(std::min(equals + 1, end), end - std::min(equals + 1, end));
    const bool names_consumer =
        filters && name == "key" && !value.starts_with("weiradmin_") && !value.starts_with("weir_");
    if (!names_consumer &&
        std::any_of(kNames.begin(), kNames.end(), [&](auto known) { return equal_ignoring_case(name, known); })) {
      return true;
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return false;
}

bool needs_token(const Policy& policy, std::string_view path) {
  return path.starts_with("/admin/") || path == "/admin" || (path == "/metrics" && !policy.metrics_public);
}

// Nobody is known here by a token but who signs in by a code.
bool signs_in(const RequestHead& head) {
  return head.method == "POST" && head.path == kSessionPath && presented_key(head.headers).empty();
}

// What was shown is wrong: counts it; 429 once this address showed too many.
std::optional<Reply> count_wrong(Services& services, const RequestHead& head, std::string_view peer) {
  const std::string ip = client_ip(peer, head.headers, services.rules->policy().trusted_proxies);
  const auto wait = count_auth_failure(services, ip);
  if (!wait) return std::nullopt;
  Reply reply = refusal(ErrorKind::kRateLimited, 429,
                        "Too many requests with a wrong admin token from this address; wait, then use the right one.");
  append_retry_after(*wait, reply.headers);
  return reply;
}

Reply unauthorized(std::string message) {
  Reply reply = refusal(ErrorKind::kUnauthorized, 401, std::move(message));
  append_header(reply.headers, "www-authenticate", "Bearer realm=\"weir admin\"");
  return reply;
}

Reply refuse_token(Services& services, const RequestHead& head, std::string_view peer) {
  if (!presented_key(head.headers).empty()) {
    if (auto blocked = count_wrong(services, head, peer)) return std::move(*blocked);
  }
  return unauthorized(head.path == "/metrics"
                          ? "Metrics need the admin token (`Authorization: Bearer …`), or `metrics: public` under "
                            "`admin:`."
                          : "This call needs the admin token: `Authorization: Bearer …`.");
}

// A page can send plain forms anywhere without being asked; JSON it cannot.
bool has_wrong_content_type(const RequestHead& head) {
  const bool reads = head.method == "GET" || head.method == "HEAD" || head.method == "OPTIONS";
  if (reads || !head.path.starts_with("/admin/")) return false;
  bool named = false;
  for (const Header& field : head.headers.fields) {
    if (!equal_ignoring_case(field.name, "content-type")) continue;
    named = true;
    const std::string_view type = trim(field.value.substr(0, field.value.find(';')));
    if (!equal_ignoring_case(type, "application/json")) return true;
  }
  return !named && (head.content_length > 0 || head.chunked);
}

}  // namespace

std::optional<Reply> refuse_admin_request(Services& services, const RequestHead& head, std::string_view peer,
                                          const AdminAccess* access) {
  const Policy& policy = services.rules->policy();
  if (std::string problem = cross_site_problem(policy, head); !problem.empty()) {
    return refusal(ErrorKind::kInvalidRequest, 403, std::move(problem));
  }
  if (has_token_in_query(head.path, head.query)) {
    return refusal(ErrorKind::kInvalidRequest, 400,
                   "The admin token is never taken from the URL, where logs would keep it; send it as "
                   "`Authorization: Bearer …`, and make a new one if this was it.");
  }
  const auto known = [&] {
    return access != nullptr && access->caller_of(presented_key(head.headers), services.now).role != AdminRole::kNone;
  };
  if (needs_token(policy, head.path) && !(access != nullptr && signs_in(head)) && !known()) {
    return refuse_token(services, head, peer);
  }
  if (has_wrong_content_type(head)) {
    return refusal(ErrorKind::kInvalidRequest, 415,
                   "The body of this call must be JSON: send it with `Content-Type: application/json`.");
  }
  return std::nullopt;
}

std::optional<Reply> refuse_sign_in(Services& services, const OwnRequest& request, const AdminAccess& access) {
  const auto body = AdminBody::read(request.body, {"code"});
  const auto code = body ? body->text("code") : std::unexpected(body.error());
  if (!code) return refusal(ErrorKind::kInvalidRequest, 400, code.error().message);
  if (!*code) return unauthorized(std::string(kNoCode));
  if (access.knows_code(**code, services.now)) return std::nullopt;
  if (auto blocked = count_wrong(services, request.head, request.peer)) return blocked;
  return unauthorized(std::string(kWrongCode));
}

}  // namespace weir
