// libFuzzer target of the HTTP/1.1 codec. First byte: bit 0 = a response, bit 1 = to a HEAD request, bit 2 = tiny
// limits; the rest is what the peer sent.
//   1. However the bytes are split, the same messages, bodies and faults come out.
//   2. Whatever the codec accepts, Boost.Beast accepts too and reads in the same way (where its headers are installed).
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/http1_test_util.h"

#if __has_include(<boost/beast/http.hpp>)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Weverything"
#include <boost/beast/http.hpp>
#pragma clang diagnostic pop
#define WEIR_FUZZ_BEAST 1
#endif

namespace {

using weir::HttpLimits;
using weir::MessageState;

constexpr int kRounds = 3;
constexpr HttpLimits kTiny{.head = 64, .fields = 3, .body = 16, .chunk_line = 8, .trailers = 12};

[[noreturn]] void broken(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::abort();
}

#ifdef WEIR_FUZZ_BEAST
namespace http = boost::beast::http;

// The first message of `text`, read by Beast to its end.
template <class Parser>
void read_with_beast(Parser& parser, std::string_view text, bool until_close) {
  parser.eager(true);
  parser.header_limit(1 << 20);
  parser.body_limit(std::uint64_t{1} << 40);
  boost::beast::error_code error;
  while (!parser.is_done() && !text.empty()) {
    const std::size_t used = parser.put(boost::asio::buffer(text.data(), text.size()), error);
    if (error == http::error::need_more && used > 0) error = {};
    if (error) broken("Beast refuses what the codec accepts: " + error.message());
    text.remove_prefix(used);
  }
  if (until_close && !parser.is_done()) {
    parser.put_eof(error);
    if (error) broken("Beast misses a part of what the codec accepts: " + error.message());
  }
  if (!parser.is_done()) broken("Beast waits for more of what is complete to the codec");
}

void same(std::string_view what, std::string_view ours, std::string_view theirs) {
  if (ours != theirs)
    broken(std::string(what) + " differs: '" + std::string(ours) + "' and '" + std::string(theirs) + "'");
}

// Beast judges some fields that the codec passes on unread, and reads trailers as if they were part of the head while
// the codec drops them. Only what both judge is compared. `message` is the text of one whole message.
bool has_foreign_rules(const weir::Headers& headers, bool chunked, std::string_view message) {
  if (headers.has("proxy-connection") || headers.has("upgrade")) return true;
  if (!chunked || !message.ends_with("\r\n\r\n")) return false;
  message.remove_suffix(4);
  const std::string_view last_line = message.substr(message.rfind('\n') + 1);
  // Without trailers it is the line of the last chunk: zeros and extensions.
  return last_line.substr(0, last_line.find(';')).find_first_not_of('0') != std::string_view::npos;
}

void compare_request(std::string_view text) {
  weir::RequestParser ours({});
  weir::BodyText body;
  std::string_view rest = text;
  while (!rest.empty() && ours.state() < MessageState::kComplete) rest.remove_prefix(ours.feed(rest, body));
  if (ours.state() != MessageState::kComplete) return;
  if (has_foreign_rules(ours.head().headers, ours.head().chunked, text.substr(0, text.size() - rest.size()))) return;
  text.remove_prefix(text.find_first_not_of("\r\n"));  // empty lines before a request are ours to skip
  http::request_parser<http::string_body> theirs;
  read_with_beast(theirs, text, false);
  const auto& message = theirs.get();
  same("method", ours.head().method, message.method_string());
  same("target", ours.head().target, message.target());
  same("body", body.text, message.body());
  if (static_cast<unsigned>(10 + ours.head().minor_version) != message.version()) broken("version differs");
  if (ours.head().keep_alive != theirs.keep_alive()) broken("keep-alive differs");
}

void compare_response(std::string_view text, bool head_request) {
  weir::ResponseParser ours({}, head_request);
  weir::BodyText body;
  std::string_view rest = text;
  while (!rest.empty() && ours.state() < MessageState::kComplete) rest.remove_prefix(ours.feed(rest, body));
  const bool until_close = ours.state() == MessageState::kBody;
  ours.finish();
  if (ours.state() != MessageState::kComplete) return;
  if (has_foreign_rules(ours.head().headers, ours.head().chunked, text.substr(0, text.size() - rest.size()))) return;
  if (text.size() < 10 || text[9] == '1') return;  // interim responses: Beast leaves them to its caller
  http::response_parser<http::string_body> theirs;
  theirs.skip(head_request);
  read_with_beast(theirs, text, until_close);
  const auto& message = theirs.get();
  if (static_cast<unsigned>(ours.head().status) != message.result_int()) broken("status differs");
  if (!ours.head().reason.empty()) same("reason", ours.head().reason, message.reason());  // else Beast names the status
  same("body", body.text, message.body());
}
#else
void compare_request(std::string_view) {}
void compare_response(std::string_view, bool) {}
#endif

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 64 << 10) return 0;
  const bool response = (data[0] & 1) != 0;
  const bool head_request = (data[0] & 2) != 0;
  const HttpLimits limits = (data[0] & 4) != 0 ? kTiny : HttpLimits{};
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto run = [&](const std::vector<std::string_view>& pieces) {
    return response ? weir::run_response(pieces, head_request, limits) : weir::run_requests(pieces, limits);
  };
  const std::string result = weir::run_all_splits(text, run, kRounds);
  if (result.starts_with("splits differ")) broken(result);
  if (response) {
    compare_response(text, head_request);
  } else {
    compare_request(text);
  }
  return 0;
}
