#include "api/page.h"

#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/strings.h"
#include "gateway/inflate.h"

namespace weir {
namespace {

// Nothing inline, nothing from elsewhere, in no frame: text that slipped through as markup could still do nothing.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src "
    "'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

bool takes_gzip(std::string_view accepted) {
  while (!accepted.empty()) {
    const std::size_t end = std::min(accepted.find(','), accepted.size());
    const std::string_view item = accepted.substr(0, end);
    accepted.remove_prefix(std::min(end + 1, accepted.size()));
    const std::size_t semicolon = std::min(item.find(';'), item.size());
    const std::string_view coding = trim(item.substr(0, semicolon));
    if (!equal_ignoring_case(coding, "gzip") && coding != "*") continue;
    // Any quality but 0, however it is written, is a yes.
    const std::string_view rest = item.substr(semicolon);
    return rest.find('=') == std::string_view::npos || rest.find_first_of("123456789") != std::string_view::npos;
  }
  return false;
}

std::string inflated(const PageFile& file) {
  std::string text;
  const auto state = Inflate::of("gzip")->feed(file.gzip(), text);
  WEIR_CHECK(state == Inflate::State::kEnd);
  return text;
}

bool has_it(std::string_view if_none_match, std::string_view etag) {
  return trim(if_none_match) == "*" || if_none_match.find(etag) != std::string_view::npos;
}

}  // namespace

Reply page_reply(const RequestHead& head) {
  const auto files = page_files();
  const auto file =
      std::find_if(files.begin(), files.end(), [&](const PageFile& one) { return one.path == head.path; });
  if (file == files.end()) {
    return error_reply(ErrorShape::kProblem, {.kind = ErrorKind::kNotFound,
                                              .status = 404,
                                              .message = "The dashboard has no such file; load the page again."});
  }
  const bool gzip = takes_gzip(head.headers.get("accept-encoding"));
  const std::string etag = '"' + std::string(file->hash) + (gzip ? "-gzip\"" : "\"");
  Reply reply{.status = 200, .content_type = std::string(file->type), .headers = {}, .body = {}};
  append_header(reply.headers, "etag", etag);
  append_header(reply.headers, "cache-control", file->path == "/" ? "no-cache" : "public, max-age=31536000, immutable");
  append_header(reply.headers, "vary", "accept-encoding");
  append_header(reply.headers, "content-security-policy", kPolicy);
  append_header(reply.headers, "referrer-policy", "no-referrer");
  append_header(reply.headers, "cross-origin-opener-policy", "same-origin");
  append_header(reply.headers, "cross-origin-resource-policy", "same-origin");
  if (has_it(head.headers.get("if-none-match"), etag)) {
    reply.status = 304;
    return reply;
  }
  if (gzip) append_header(reply.headers, "content-encoding", "gzip");
  reply.body = gzip ? std::string(file->gzip()) : inflated(*file);
  return reply;
}

}  // namespace weir
