#include "gateway/forward.h"

#include "gateway/identity.h"
#include "providers/errors.h"

namespace weir {
namespace {

std::string_view lower(std::string_view name, std::string& buffer) {
  buffer.assign(name);
  for (char& c : buffer) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return buffer;
}

// Fields that are Weir's to set: a client's or provider's own would lie about our limits.
bool is_weir_field(std::string_view name) {
  return name.starts_with("x-weir-") || name == "ratelimit" || name == "ratelimit-policy";
}

bool dropped_from_request(const UpstreamHead& head, const Headers& client, std::string_view name) {
  if (name == "host" || name == "content-length" || name == "expect" || is_weir_field(name)) return true;
  if (name == "x-original-url" || name == "x-rewrite-url") return true;  // a path that was not judged
  if (name.starts_with("x-ratelimit-") || name.starts_with("anthropic-ratelimit-")) return true;
  if (head.identity_only && (name == "accept-encoding" || name == "range")) return true;
  if (is_credential_header(name) && !head.keep_authorization) return true;
  return is_hop_by_hop(client, name);
}

}  // namespace

std::string build_upstream_head(const UpstreamHead& head, const Headers& client) {
  std::string out;
  out.reserve(512);
  out.append(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\n");
  append_header(out, "host", head.host);
  std::string buffer;
  for (const Header& field : client.fields) {
    const std::string_view name = lower(field.name, buffer);
    if (!dropped_from_request(head, client, name)) append_header(out, field.name, field.value);
  }
  if (head.identity_only) append_header(out, "accept-encoding", "identity");
  if (!head.credential_name.empty()) append_header(out, head.credential_name, head.credential);
  if (head.has_body) append_header(out, "content-length", static_cast<std::int64_t>(head.body_size));
  out += "\r\n";
  return out;
}

void append_answer_fields(const Headers& answer, std::string_view credential, bool llm, std::string& out) {
  std::string buffer;
  for (const Header& field : answer.fields) {
    const std::string_view name = lower(field.name, buffer);
    if (name == "content-length" || is_weir_field(name)) continue;
    if (llm && is_dialect_limit_header(name)) continue;
    if (is_hop_by_hop(answer, name)) continue;
    if (!credential.empty() && field.value.find(credential) != std::string_view::npos) continue;
    append_header(out, field.name, field.value);
  }
}

bool redact(std::string& body, std::string_view credential) {
  if (credential.empty()) return false;
  bool found = false;
  for (std::size_t at = body.find(credential); at != std::string::npos; at = body.find(credential, at)) {
    body.replace(at, credential.size(), credential.size(), '*');
    found = true;
  }
  return found;
}

}  // namespace weir
