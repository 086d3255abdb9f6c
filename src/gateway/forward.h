// Heads on their way through: what is sent to a provider and what of its answer reaches the client.
#pragma once

#include <string>
#include <string_view>

#include "gateway/http1.h"

namespace weir {

// A request head for upstream, ready to send: hop-by-hop fields, Weir's own and (unless kept) credentials removed.
struct UpstreamHead {
  std::string_view method;
  std::string target;     // path and query
  std::string_view host;  // value of Host
  std::size_t body_size = 0;
  bool has_body = false;
  bool keep_authorization = false;
  bool identity_only = false;   // the answer must be readable: ask for no content coding
  std::string credential_name;  // "authorization"; empty: none is added
  std::string credential;       // full value
};
std::string build_upstream_head(const UpstreamHead& head, const Headers& client);

// Appends the fields of a provider's answer that the client may see. Dropped: hop-by-hop, Content-Length (the caller
// knows better), Weir's own, on LLM routes the provider's limit headers, and any field that contains `credential`.
void append_answer_fields(const Headers& answer, std::string_view credential, bool llm, std::string& out);

// Replaces every occurrence of `credential` in a body by asterisks; true if there was one.
bool redact(std::string& body, std::string_view credential);

}  // namespace weir
