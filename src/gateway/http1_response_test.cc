#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "gateway/http1_chars.h"
#include "gateway/http1_test_util.h"

namespace weir {
namespace {

std::string parse(std::string_view text, bool head_request = false) {
  return run_all_splits(
      text, [&](const std::vector<std::string_view>& pieces) { return run_response(pieces, head_request); });
}

TEST(ResponseParser, ReadsWellFormedResponses) {
  struct Case {
    const char* text;
    const char* expected;
  };
  const Case cases[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
       "200 OK 1.1 length=2 keep-alive complete\n  Content-Length=2\n  body hi\n"},
      {"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
       "200  1.1 length=0 keep-alive complete\n  Content-Length=0\n  body \n"},
      {"HTTP/1.1 429 Too Many\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
       "429 Too Many 1.1 length=-1 chunked keep-alive complete\n  Transfer-Encoding=chunked\n  body hi\n"},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", "200 OK 1.1 length=-1 complete\n  body until the end\n"},
      {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
       "200 OK 1.0 length=2 complete\n  Content-Length=2\n  body hi\n"},
      {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
       "200 OK 1.0 length=2 keep-alive complete\n  Connection=keep-alive\n  Content-Length=2\n  body hi\n"},
      {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
       "200 OK 1.1 length=2 complete\n  Connection=close\n  Content-Length=2\n  body hi\n"},
      {"HTTP/1.1 204 No Content\r\n\r\n", "204 No Content 1.1 length=-1 keep-alive complete\n  body \n"},
      {"HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n", "204 No 1.1 length=3 complete\n  Content-Length=3\n  body \n"},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
       "304 Not Modified 1.1 length=9 keep-alive complete\n  Content-Length=9\n  body \n"},
      {"HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
       "200 OK 1.1 length=1 keep-alive complete\n  Content-Length=1\n  body x\n"},
      {"HTTP/1.1 101 Switching\r\n\r\n", "101 Switching 1.1 length=-1 complete\n  body \n"},
  };
  for (const Case& c : cases) EXPECT_EQ(parse(c.text), c.expected) << c.text;
}

TEST(ResponseParser, AnswersToHeadHaveNoBody) {
  EXPECT_EQ(parse("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", true),
            "200 OK 1.1 length=99999999999 keep-alive complete\n  Content-Length=99999999999\n  body \n");
  EXPECT_EQ(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true),
            "200 OK 1.1 length=-1 chunked keep-alive complete\n  Transfer-Encoding=chunked\n  body \n");
  EXPECT_EQ(parse("HTTP/1.1 200 OK\r\n\r\n", true), "200 OK 1.1 length=-1 keep-alive complete\n  body \n");
}

TEST(ResponseParser, RefusesWhatIsMalformedOrAmbiguous) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::vector<std::string> cases = {
      "",
      "HTTP/1.1 200",
      "HTTP/1.1 200 OK\r\nA: b\r\n",
      "HTTP/1.1 200\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 099 OK\r\n\r\n",
      "HTTP/1.1  200 OK\r\n\r\n",
      "HTTP/1.1 2x0 OK\r\n\r\n",
      "HTTP/2.0 200 OK\r\n\r\n",
      "http/1.1 200 OK\r\n\r\n",
      "\r\nHTTP/1.1 200 OK\r\n\r\n",
      "HTTP/1.1 200 O\x01K\r\n\r\n",
      "HTTP/1.1 200 OK\n\r\n",
      ok + "A: b\n\r\n",
      ok + "A : b\r\n\r\n",
      ok + "A: b\r\n c\r\n\r\n",
      ok + "A: b\r\n\n",
      ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
      ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
      ok + "Content-Length: +1\r\n\r\nx",
      ok + "Content-Length: 1, 1\r\n\r\nx",
      ok + "Content-Length: 99999999999999999999\r\n\r\nx",
      "HTTP/1.1 304 Not Modified\r\nContent-Length: 99999999999999999999\r\n\r\n",
      ok + "Content-Length: 5\r\n\r\nabc",
      ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      ok + "Transfer-Encoding: gzip\r\n\r\n",
      ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
      ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
  };
  for (const std::string& text : cases) {
    const std::string got = parse(text);
    EXPECT_TRUE(got.starts_with("fault 502 ")) << text << "\n-> " << got;
  }
}

TEST(ResponseParser, KnowsWhetherTheConnectionCanBeReused) {
  const auto reusable = [](std::string_view text, bool close) {
    ResponseParser parser({}, false);
    BodyText body;
    while (!text.empty() && parser.state() != MessageState::kComplete && parser.state() != MessageState::kFault) {
      text.remove_prefix(parser.feed(text, body));
    }
    if (close) parser.finish();
    return parser.reusable();
  };
  EXPECT_TRUE(reusable("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", false));
  EXPECT_TRUE(reusable("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false));
  EXPECT_TRUE(reusable("HTTP/1.1 204 No\r\n\r\n", false));
  EXPECT_FALSE(reusable("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", false));
  EXPECT_FALSE(reusable("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 smuggled", false));
  EXPECT_FALSE(reusable("HTTP/1.1 204 No\r\n\r\nx", false));
  EXPECT_FALSE(reusable("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false));
  EXPECT_FALSE(reusable("HTTP/1.1 200 OK\r\n\r\nabc", true));
  EXPECT_FALSE(reusable("HTTP/1.1 101 Switching\r\n\r\n", false));
  EXPECT_FALSE(reusable("bad", true));
}

TEST(ResponseParser, LateBytesMakeAConnectionUnusable) {
  ResponseParser parser({}, false);
  BodyText body;
  parser.feed("HTTP/1.1 204 No\r\n\r\n", body);
  ASSERT_TRUE(parser.reusable());
  EXPECT_EQ(parser.feed("x", body), 0U);
  EXPECT_FALSE(parser.reusable());
}

TEST(ResponseParser, TheAnswerToHeadHasNoBodyWhateverItsLength) {
  ResponseParser parser({}, true);
  BodyText body;
  EXPECT_FALSE(parser.started());
  parser.feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", body);
  EXPECT_TRUE(parser.started());
  EXPECT_EQ(parser.state(), MessageState::kComplete);
}

// What this codec writes, it reads back, whatever the values and pieces hold.
RC_GTEST_PROP(ResponseParser, ReadsBackWhatIsWritten,
              (const std::vector<std::string>& values, const std::vector<std::string>& pieces)) {
  std::string text;
  append_status_line(text, 200);
  for (const std::string& value : values) append_header(text, "X", value);
  append_header(text, "Transfer-Encoding", "chunked");
  text += "\r\n";
  std::string body;
  for (const std::string& piece : pieces) {
    append_chunk(text, piece);
    body += piece;
  }
  append_last_chunk(text);

  ResponseParser parser({}, false);
  BodyText read;
  std::string_view rest = text;
  while (!rest.empty() && parser.state() < MessageState::kComplete) rest.remove_prefix(parser.feed(rest, read));
  RC_ASSERT(parser.state() == MessageState::kComplete);
  RC_ASSERT(parser.reusable());
  RC_ASSERT(read.text == body);
  RC_ASSERT(parser.head().headers.fields.size() == values.size() + 1);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::string expected = values[i];
    for (char& c : expected) c = is_char(c, kControlChar) ? ' ' : c;
    const std::size_t first = expected.find_first_not_of(" \t");
    const std::size_t last = expected.find_last_not_of(" \t");
    expected = first == std::string::npos ? "" : expected.substr(first, last - first + 1);
    RC_ASSERT(parser.head().headers.fields[i].value == expected);
  }
}

}  // namespace
}  // namespace weir
