#include "gateway/target.h"

#include <utility>

#include "base/strings.h"

namespace weir {
namespace {

constexpr std::string_view kGet = "GET, HEAD, OPTIONS";
constexpr std::string_view kMcp = "GET, POST, DELETE, OPTIONS";
constexpr std::string_view kPost = "POST, OPTIONS";

constexpr std::pair<TargetKind, std::string_view> kDecisionRoutes[] = {{TargetKind::kAdmit, "/weir/v1/admit"},
                                                                       {TargetKind::kSettle, "/weir/v1/settle"},
                                                                       {TargetKind::kCancel, "/weir/v1/cancel"},
                                                                       {TargetKind::kCheck, "/weir/v1/check"},
                                                                       {TargetKind::kCount, "/weir/v1/count"}};

Target own(TargetKind kind, std::string_view route) {
  return {.kind = kind, .route = route, .allow = kGet};
}

}  // namespace

bool has_dot_segment(std::string_view path) {
  constexpr auto kNone = std::string_view::npos;
  if (path.find('.') == kNone && path.find('%') == kNone) return false;  // a dot has no other spelling
  std::string plain;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const auto is = [&](std::string_view code) { return equal_ignoring_case(path.substr(i, 3), code); };
    if (is("%2e") || is("%2f") || is("%5c") || is("%3b")) {
      plain += is("%2e") ? '.' : is("%3b") ? ';' : '/';
      i += 2;
    } else {
      plain += path[i] == '\\' ? '/' : path[i];
    }
  }
  plain += '/';
  for (const std::string_view dots : {"/.", "/.."}) {
    for (std::size_t at = plain.find(dots); at != std::string::npos; at = plain.find(dots, at + 1)) {
      // Some servers cut `;parameters` from a segment before they look at its dots.
      const char next = plain[at + dots.size()];
      if (next == '/' || next == ';') return true;
    }
  }
  return false;
}

Target find_target(const Policy& policy, std::string_view method, std::string_view path) {
  if (method == "OPTIONS" && path == "*") return {.kind = TargetKind::kServerOptions, .route = "*"};
  if (auto at = operation_at(path)) {
    return {.kind = TargetKind::kLlm,
            .operation = at->operation,
            .path_model = std::move(at->model),
            .route = route_of(at->operation),
            .allow = kPost};
  }
  if (path == "/v1/models") return own(TargetKind::kModels, "/v1/models");
  if (path == "/weir/v1/me") return own(TargetKind::kMe, "/weir/v1/me");
  for (const auto& [kind, route] : kDecisionRoutes) {
    if (path == route) return {.kind = kind, .route = route, .allow = kPost};
  }
  if (path == "/healthz") return own(TargetKind::kHealth, "/healthz");
  if (path == "/readyz") return own(TargetKind::kReady, "/readyz");
  if (path == "/schema.json") return own(TargetKind::kSchema, "/schema.json");
  if (const Upstream* upstream = policy.find_upstream(path)) {
    return {.kind = TargetKind::kUpstream,
            .upstream = upstream,
            .route = upstream->path,
            .allow = upstream->kind == UpstreamKind::kMcp ? kMcp : std::string_view()};
  }
  return {};
}

Target find_admin_target(std::string_view method, std::string_view path) {
  if (method == "OPTIONS" && path == "*") return {.kind = TargetKind::kServerOptions, .route = "*"};
  if (path == "/metrics") return own(TargetKind::kMetrics, "/metrics");
  if (path == "/healthz") return own(TargetKind::kHealth, "/healthz");
  if (path == "/readyz") return own(TargetKind::kReady, "/readyz");
  if (path == "/schema.json") return own(TargetKind::kSchema, "/schema.json");
  if (path.starts_with("/admin/")) {
    return {.kind = TargetKind::kAdmin, .route = "/admin", .allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"};
  }
  if (path == "/") return own(TargetKind::kPage, "/");
  if (path.starts_with("/assets/")) return own(TargetKind::kPage, "/assets");
  return {};
}

ErrorShape error_shape(const Target& target, std::string_view path, std::string_view accept) {
  if (accept.find("application/problem+json") != std::string_view::npos) return ErrorShape::kProblem;
  if (target.kind == TargetKind::kLlm) return shape_of(target.operation);
  if (path.starts_with("/v1/messages")) return ErrorShape::kAnthropic;
  if (path.starts_with("/v1beta/")) return ErrorShape::kGemini;
  return path.starts_with("/v1/") ? ErrorShape::kOpenAi : ErrorShape::kProblem;
}

Origin origin_of(const Provider& provider) {
  if (provider.simulate) return {.host = provider.name, .simulate = &*provider.simulate};
  return {.host = provider.url.host,
          .port = provider.url.port,
          .tls = provider.url.tls,
          .ca = provider.ca,
          .connect_timeout = provider.timeouts.connect};
}

Origin origin_of(const Upstream& upstream) {
  return {.host = upstream.url.host,
          .port = upstream.url.port,
          .tls = upstream.url.tls,
          .ca = upstream.ca,
          .connect_timeout = upstream.timeouts.connect};
}

std::string provider_path(const Url& url, std::string_view dialect_path) {
  std::string path = url.path;
  if (path.ends_with("/v1") && dialect_path.starts_with("/v1/")) dialect_path.remove_prefix(3);
  return path.append(dialect_path);
}

}  // namespace weir
