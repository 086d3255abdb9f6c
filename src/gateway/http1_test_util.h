// For the tests of the codec and fuzz/http_fuzz.cc: runs bytes through a parser in given pieces and writes down
// everything that came out, so that two ways of splitting the same bytes can be compared as text.
//
//   EXPECT_EQ(run_all_splits(text, [](const auto& pieces) { return run_requests(pieces); }), "GET / …");
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/http1.h"

namespace weir {

class BodyText : public BodySink {
 public:
  void on_body(std::string_view bytes) override { text.append(bytes); }
  std::string text;
};

inline void describe_fields(const Headers& headers, std::string& out) {
  for (const Header& field : headers.fields) {
    out.append("  ").append(field.name).append("=").append(field.value).append("\n");
  }
}

inline std::string describe(const RequestParser& parser, std::string_view body) {
  if (parser.state() == MessageState::kFault) {
    return "fault " + std::to_string(parser.fault().status) + " " + parser.fault().message + "\n";
  }
  const RequestHead& head = parser.head();
  std::string out(head.method);
  out.append(" ").append(head.target).append(" path=").append(head.path);
  if (head.query.data() != nullptr) out.append(" query=").append(head.query);
  out += " 1." + std::to_string(head.minor_version) + " length=" + std::to_string(head.content_length);
  if (head.chunked) out += " chunked";
  if (head.keep_alive) out += " keep-alive";
  if (head.expect_continue) out += " expect-continue";
  out += parser.state() == MessageState::kComplete ? " complete\n" : " unfinished\n";
  describe_fields(head.headers, out);
  return out.append("  body ").append(body).append("\n");
}

inline std::string describe(const ResponseParser& parser, std::string_view body) {
  if (parser.state() == MessageState::kFault) {
    return "fault " + std::to_string(parser.fault().status) + " " + parser.fault().message + "\n";
  }
  const ResponseHead& head = parser.head();
  std::string out = std::to_string(head.status);
  out.append(" ").append(head.reason);
  out += " 1." + std::to_string(head.minor_version) + " length=" + std::to_string(head.content_length);
  if (head.chunked) out += " chunked";
  if (head.keep_alive) out += " keep-alive";
  out += parser.state() == MessageState::kComplete ? " complete\n" : " unfinished\n";
  describe_fields(head.headers, out);
  return out.append("  body ").append(body).append("\n");
}

// All requests in `pieces`, pipelined ones too; stops at the first fault. An unfinished message is described at the end
// only by "waiting", because what is known of it so far is not promised.
inline std::string run_requests(const std::vector<std::string_view>& pieces, HttpLimits limits = {}) {
  RequestParser parser(limits);
  BodyText body;
  std::string out;
  for (std::string_view piece : pieces) {
    while (!piece.empty()) {
      piece.remove_prefix(parser.feed(piece, body));
      if (parser.state() == MessageState::kFault) return out + describe(parser, body.text);
      if (parser.state() != MessageState::kComplete) continue;
      out += describe(parser, body.text);
      parser.reset();
      body.text.clear();
    }
  }
  return parser.started() ? out + "waiting\n" : out;
}

// One response and the end of the connection.
inline std::string run_response(const std::vector<std::string_view>& pieces, bool head_request = false,
                                HttpLimits limits = {}) {
  ResponseParser parser(limits, head_request);
  BodyText body;
  for (std::string_view piece : pieces) {
    while (!piece.empty() && parser.state() != MessageState::kFault && parser.state() != MessageState::kComplete) {
      piece.remove_prefix(parser.feed(piece, body));
    }
  }
  parser.finish();
  return describe(parser, body.text);
}

inline std::vector<std::string_view> byte_by_byte(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < text.size(); ++i) pieces.push_back(text.substr(i, 1));
  return pieces;
}

inline std::vector<std::string_view> random_pieces(std::string_view text, std::minstd_rand& random) {
  std::vector<std::string_view> pieces;
  std::uniform_int_distribution<std::size_t> size(1, 1 + text.size() / 3);
  while (!text.empty()) {
    const std::size_t n = std::min(size(random), text.size());
    pieces.push_back(text.substr(0, n));
    text.remove_prefix(n);
  }
  return pieces;
}

// The result of `run`, or "splits differ: …" if it depends on how the bytes were split.
template <class Run>
std::string run_all_splits(std::string_view text, Run run, int rounds = 20) {
  const std::string whole = run(std::vector{text});
  const std::string single = run(byte_by_byte(text));
  if (single != whole) return "splits differ: " + whole + "---\n" + single;
  std::minstd_rand random(static_cast<unsigned>(text.size()) + 7);
  for (int round = 0; round < rounds; ++round) {
    const std::string pieces = run(random_pieces(text, random));
    if (pieces != whole) return "splits differ: " + whole + "---\n" + pieces;
  }
  return whole;
}

}  // namespace weir
