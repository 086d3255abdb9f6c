// HTTP/1.1 against Boost.Beast. First byte: bit 0 = a response, bit 1 = to a HEAD request, bit 2 = tiny limits, bits 3
// to 7 how an accepted message is sent on; the rest is what the peer sent. Checks:
//   1. However the bytes are split, the same messages, bodies and faults come out.
//   2. What the codec accepts Beast accepts too, with the same method, target, version, status, fields, body, and end
//   of
//      the message; and where the codec waits for more, Beast sees no end either.
//   3. An accepted message as the gateway sends it on is exactly one message to Beast and to the codec, with the same
//      body, no field of the connection's, one length and one credential.
// The codec may be stricter. Where it is not, these are the only exceptions, none of which moves a boundary:
//   - Proxy-Connection and Upgrade are passed on or dropped unread; Beast refuses lists in them that are malformed.
//   - Trailers are checked for form and dropped; Beast adds them to the fields and judges Connection and the like
//   there.
//   - A reason that is missing is filled in by Beast.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "fuzz.h"
#include "gateway/forward.h"
#include "gateway/http1_test_util.h"
#include "gateway/identity.h"
#include "providers/errors.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Weverything"
#include <boost/beast/http.hpp>
#pragma clang diagnostic pop

namespace {

using namespace weir;
using namespace weir::fuzz;
namespace http = boost::beast::http;

constexpr int kRounds = 3;
constexpr std::size_t kAllPlaces = 160;  // inputs up to here are split at every place
constexpr HttpLimits kTiny{.head = 64, .fields = 3, .body = 16, .chunk_line = 8, .trailers = 12};
constexpr std::string_view kCredential = "Bearer sk-of-the-provider";

[[noreturn]] void broken(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::abort();
}

void same(std::string_view what, std::string_view ours, std::string_view theirs) {
  if (ours != theirs)
    broken(std::string(what) + " differs: '" + std::string(ours) + "' and '" + std::string(theirs) + "'");
}

struct BeastRead {
  boost::beast::error_code error;
  std::size_t used = 0;
  bool done = false;
};

// The first message of `text`, read by Beast to its end.
template <class Parser>
BeastRead read_with_beast(Parser& parser, std::string_view text, bool until_close) {
  BeastRead read;
  parser.eager(true);
  parser.header_limit(1 << 20);
  parser.body_limit(std::uint64_t{1} << 40);
  while (!parser.is_done() && !text.empty()) {
    const std::size_t used = parser.put(boost::asio::buffer(text.data(), text.size()), read.error);
    read.used += used;
    if (read.error == http::error::need_more && used == 0) break;
    if (read.error == http::error::need_more) read.error = {};
    if (read.error) return read;
    text.remove_prefix(used);
  }
  if (read.error == http::error::need_more) read.error = {};
  if (until_close && !parser.is_done()) parser.put_eof(read.error);
  read.done = parser.is_done();
  return read;
}

using Fields = std::map<std::string, std::vector<std::string>>;  // values in order, by lower-case name

Fields fields_of(const Headers& headers) {
  Fields fields;
  for (const Header& field : headers.fields) fields[to_lower(field.name)].emplace_back(field.value);
  return fields;
}

template <class Message>
Fields fields_of_beast(const Message& message) {
  Fields fields;
  for (const auto& field : message) {
    fields[to_lower({field.name_string().data(), field.name_string().size()})].emplace_back(field.value());
  }
  return fields;
}

// `message` is the text of one whole message.
bool has_trailers(bool chunked, std::string_view message) {
  if (!chunked || !message.ends_with("\r\n\r\n")) return false;
  message.remove_suffix(4);
  const std::string_view last_line = message.substr(message.rfind('\n') + 1);
  // Without trailers it is the line of the last chunk: zeros and extensions.
  return last_line.substr(0, last_line.find(';')).find_first_not_of('0') != std::string_view::npos;
}

// Beast's own rules about fields that the codec does not read.
bool judged_by_beast_only(const Headers& headers) {
  return headers.has("proxy-connection") || headers.has("upgrade");
}

// --- sent on
// ----------------------------------------------------------------------------------------------------------

bool of_the_connection(const std::string& name) {
  return name == "connection" || name == "keep-alive" || name == "te" || name == "trailer" || name == "upgrade" ||
         name == "transfer-encoding" || name == "proxy-connection" || name == "proxy-authorization" ||
         name == "proxy-authenticate";
}

void check_forwarded_fields(const UpstreamHead& head, const Headers& client, const Headers& sent) {
  Fields now = fields_of(sent);
  for (const auto& [name, values] : now) require(!of_the_connection(name));
  require(now["host"] == std::vector<std::string>{std::string(head.host)});
  require(now["content-length"].size() == (head.has_body ? 1 : 0));
  if (head.has_body) require(now["content-length"].front() == std::to_string(head.body_size));
  const std::string name(head.credential_name);
  if (!name.empty()) require(now[name].back() == head.credential);
  if (!name.empty() && !head.keep_authorization) require(now[name].size() == 1);
  if (head.identity_only) require(now["accept-encoding"] == std::vector<std::string>{"identity"});
  for (const auto& [field, values] : fields_of(client)) {
    if (is_credential_header(field) && !head.keep_authorization && field != name) require(!now.contains(field));
    const bool may_go = of_the_connection(field) || client.has_token("connection", field) || field == "host" ||
                        field == "content-length" || field == "expect" || is_credential_header(field) ||
                        field.starts_with("x-weir-") || field.starts_with("ratelimit") || field == "range" ||
                        field == "accept-encoding" || field.find("-ratelimit-") != std::string::npos;
    if (!may_go) require(now[field] == values);
    if (client.has_token("connection", field) && field != "host" && field != "content-length" && field != name &&
        field != "accept-encoding") {
      require(!now.contains(field));
    }
  }
}

void check_request_sent_on(const RequestHead& client, const std::string& body, unsigned how) {
  UpstreamHead head{.method = client.method, .target = std::string(client.path), .host = "provider.test"};
  if (client.query.data() != nullptr) head.target.append("?").append(client.query);
  head.body_size = body.size();
  head.has_body = !body.empty() || client.content_length >= 0 || client.chunked;
  head.keep_authorization = (how & 1) != 0;
  head.identity_only = (how & 2) != 0;
  if ((how & 4) != 0) head.credential_name = (how & 8) != 0 ? "authorization" : "x-api-key";
  if ((how & 4) != 0) head.credential = kCredential;
  const std::string sent = build_upstream_head(head, client.headers) + body;

  http::request_parser<http::string_body> theirs;
  const BeastRead read = read_with_beast(theirs, sent, false);
  if (read.error || !read.done) broken("Beast does not take what is sent on: " + read.error.message() + "\n" + sent);
  if (read.used != sent.size()) broken("Beast sees another message in what is sent on:\n" + sent);
  same("method sent on", client.method, theirs.get().method_string());
  same("target sent on", head.target, theirs.get().target());
  same("body sent on", body, theirs.get().body());

  RequestParser ours({.head = 1 << 20});
  BodyText again;
  std::string_view rest = sent;
  while (!rest.empty() && ours.state() < MessageState::kComplete) rest.remove_prefix(ours.feed(rest, again));
  if (ours.state() != MessageState::kComplete || !rest.empty()) broken("the codec refuses what is sent on:\n" + sent);
  require(again.text == body && !ours.head().expect_continue && !ours.head().chunked);
  check_forwarded_fields(head, client.headers, ours.head().headers);
}

void check_answer_sent_on(const ResponseHead& answer, const std::string& body, unsigned how) {
  if (answer.status == 101 || answer.status == 204 || answer.status == 304) return;
  const std::string_view credential = (how & 1) != 0 ? std::string_view("sk-of-the-provider") : std::string_view();
  std::string sent;
  append_status_line(sent, answer.status);
  append_answer_fields(answer.headers, credential, (how & 2) != 0, sent);
  if ((how & 4) != 0) {
    append_header(sent, "transfer-encoding", "chunked");
    sent += "\r\n";
    append_chunk(sent, body);
    append_last_chunk(sent);
  } else {
    append_header(sent, "content-length", static_cast<std::int64_t>(body.size()));
    sent += "\r\n" + body;
  }
  http::response_parser<http::string_body> theirs;
  const BeastRead read = read_with_beast(theirs, sent, false);
  if (read.error || !read.done) broken("Beast does not take the answer: " + read.error.message() + "\n" + sent);
  if (read.used != sent.size()) broken("Beast sees another message in the answer:\n" + sent);
  same("body of the answer", body, theirs.get().body());
  for (const auto& [name, values] : fields_of_beast(theirs.get())) {
    require(!of_the_connection(name) || name == "transfer-encoding");
    require(!name.starts_with("x-weir-") && ((how & 2) == 0 || !is_dialect_limit_header(name)));
    for (const std::string& value : values) {
      require(credential.empty() || value.find(credential) == std::string::npos);
    }
  }
}

// --- as received
// ------------------------------------------------------------------------------------------------------

void compare_request(std::string_view text, unsigned how) {
  RequestParser ours({});
  BodyText body;
  std::string_view rest = text;
  while (!rest.empty() && ours.state() < MessageState::kComplete) rest.remove_prefix(ours.feed(rest, body));
  if (ours.state() == MessageState::kFault) return;
  const bool complete = ours.state() == MessageState::kComplete;
  const std::size_t length = text.size() - rest.size();
  const std::size_t empty_lines = std::min(text.find_first_not_of("\r\n"), text.size());  // before it: ours to skip
  http::request_parser<http::string_body> theirs;
  const BeastRead read = read_with_beast(theirs, text.substr(empty_lines), false);
  if (!complete) {
    if (read.done) broken("Beast has a message where the codec waits for more");
    return;
  }
  const RequestHead& head = ours.head();
  const bool trailers = has_trailers(head.chunked, text.substr(0, length));
  if (read.error && (trailers || judged_by_beast_only(head.headers)))
    return check_request_sent_on(head, body.text, how);
  if (read.error) broken("Beast refuses what the codec accepts: " + read.error.message());
  if (!read.done) broken("Beast waits for more of what is complete to the codec");
  if (read.used + empty_lines != length) broken("the message ends elsewhere");
  const auto& message = theirs.get();
  same("method", head.method, message.method_string());
  same("target", head.target, message.target());
  same("body", body.text, message.body());
  if (static_cast<unsigned>(10 + head.minor_version) != message.version()) broken("version differs");
  if (!trailers && fields_of(head.headers) != fields_of_beast(message)) broken("fields differ");
  if (!trailers && !judged_by_beast_only(head.headers) && head.keep_alive != theirs.keep_alive()) {
    broken("keep-alive differs");
  }
  check_request_sent_on(head, body.text, how);
}

void compare_response(std::string_view text, bool head_request, unsigned how) {
  ResponseParser ours({}, head_request);
  BodyText body;
  std::string_view rest = text;
  while (!rest.empty() && ours.state() < MessageState::kComplete) rest.remove_prefix(ours.feed(rest, body));
  if (ours.state() == MessageState::kFault) return;
  if (text.size() < 10 || text[9] == '1') return;  // interim responses: Beast leaves them to its caller
  const bool until_close = ours.state() == MessageState::kBody;
  ours.finish();
  const bool complete = ours.state() == MessageState::kComplete;
  http::response_parser<http::string_body> theirs;
  theirs.skip(head_request);
  const BeastRead read = read_with_beast(theirs, text, complete && until_close);
  if (!complete) {
    if (read.done) broken("Beast has an answer where the codec waits for more");
    return;
  }
  const ResponseHead& head = ours.head();
  const std::size_t length = text.size() - rest.size();
  const bool trailers = has_trailers(head.chunked, text.substr(0, length));
  if (read.error && (trailers || judged_by_beast_only(head.headers))) return check_answer_sent_on(head, body.text, how);
  if (read.error) broken("Beast refuses what the codec accepts: " + read.error.message());
  if (!read.done) broken("Beast waits for more of what is complete to the codec");
  if (read.used != length) broken("the answer ends elsewhere");
  const auto& message = theirs.get();
  if (static_cast<unsigned>(head.status) != message.result_int()) broken("status differs");
  if (!head.reason.empty()) same("reason", head.reason, message.reason());
  same("body", body.text, message.body());
  if (!trailers && fields_of(head.headers) != fields_of_beast(message)) broken("fields differ");
  check_answer_sent_on(head, body.text, how);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 64 << 10) return 0;
  const bool response = (data[0] & 1) != 0;
  const bool head_request = (data[0] & 2) != 0;
  const HttpLimits limits = (data[0] & 4) != 0 ? kTiny : HttpLimits{};
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto run = [&](const std::vector<std::string_view>& pieces) {
    return response ? run_response(pieces, head_request, limits) : run_requests(pieces, limits);
  };
  const std::string result = run_all_splits(text, run, kRounds);
  if (result.starts_with("splits differ")) broken(result);
  for (std::size_t at = 1; at < text.size() && text.size() <= kAllPlaces; ++at) {
    const std::string_view whole = text;
    if (run({whole.substr(0, at), whole.substr(at)}) != result)
      broken("split at " + std::to_string(at) + ": " + result);
  }
  if (response) {
    compare_response(text, head_request, data[0] >> 3u);
  } else {
    compare_request(text, data[0] >> 3u);
  }
  return 0;
}
