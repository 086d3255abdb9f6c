#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/http1_test_util.h"

namespace weir {
namespace {

std::string parse(std::string_view text, HttpLimits limits = {}) {
  return run_all_splits(text,
                        [&](const std::vector<std::string_view>& pieces) { return run_requests(pieces, limits); });
}

struct Good {
  const char* text;
  const char* expected;
};

TEST(RequestParser, ReadsWellFormedRequests) {
  const Good cases[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / path=/ 1.1 length=-1 keep-alive complete\n  Host=a\n  body \n"},
      {"GET /a/b?c=d&e=?f HTTP/1.1\r\nHost:a:80\r\n\r\n",
       "GET /a/b?c=d&e=?f path=/a/b query=c=d&e=?f 1.1 length=-1 keep-alive complete\n  Host=a:80\n  body \n"},
      {"GET /? HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n",
       "GET /? path=/ query= 1.1 length=-1 keep-alive complete\n  host=[::1]:8080\n  body \n"},
      {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
       "POST /x path=/x 1.1 length=5 keep-alive complete\n  Host=a\n  Content-Length=5\n  body hello\n"},
      {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
       "POST /x path=/x 1.1 length=0 keep-alive complete\n  Host=a\n  Content-Length=0\n  body \n"},
      {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\nhello",
       "POST /x path=/x 1.1 length=5 keep-alive complete\n  Host=a\n  Content-Length=005\n  body hello\n"},
      {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n6;a=b;c=\"d;\\\"\"\r\n "
       "world\r\n0\r\n\r\n",
       "POST /x path=/x 1.1 length=-1 chunked keep-alive complete\n  Host=a\n  Transfer-Encoding=CHUNKED\n"
       "  body hello world\n"},
      {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n00A\r\n0123456789\r\n0;x\r\nTrailer: "
       "v\r\nB:\r\n\r\n",
       "POST /x path=/x 1.1 length=-1 chunked keep-alive complete\n  Host=a\n  Transfer-Encoding=chunked\n"
       "  body 0123456789\n"},
      {"GET / HTTP/1.0\r\n\r\n", "GET / path=/ 1.0 length=-1 complete\n  body \n"},
      {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
       "GET / path=/ 1.0 length=-1 keep-alive complete\n  Connection=Keep-Alive\n  body \n"},
      {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
       "GET / path=/ 1.0 length=-1 complete\n  Connection=keep-alive, close\n  body \n"},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: foo ,\tClose,\r\n\r\n",
       "GET / path=/ 1.1 length=-1 complete\n  Host=a\n  Connection=foo ,\tClose,\n  body \n"},
      {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
       "OPTIONS * path=* 1.1 length=-1 keep-alive complete\n  Host=a\n  body \n"},
      {"GET HTTP://a:81/p?q HTTP/1.1\r\nHost: A:81\r\n\r\n",
       "GET HTTP://a:81/p?q path=/p query=q 1.1 length=-1 keep-alive complete\n  Host=A:81\n  body \n"},
      {"GET https://a HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET https://a path=/ 1.1 length=-1 keep-alive complete\n  Host=a\n  body \n"},
      {"GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET http://a?q path=/ query=q 1.1 length=-1 keep-alive complete\n  Host=a\n  body \n"},
      {"\r\n\r\nget / HTTP/1.1\r\nHost: a\r\n\r\n",
       "get / path=/ 1.1 length=-1 keep-alive complete\n  Host=a\n  body \n"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX-A:\r\nX-B: \t v\tw\x80\xff \t\r\n\r\n",
       "GET / path=/ 1.1 length=-1 keep-alive complete\n  Host=a\n  X-A=\n  X-B=v\tw\x80\xff\n  body \n"},
      {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
       "POST / path=/ 1.1 length=1 keep-alive expect-continue complete\n  Host=a\n  Expect=100-Continue\n"
       "  Content-Length=1\n  body x\n"},
      {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
       "POST / path=/ 1.0 length=1 complete\n  Expect=100-continue\n  Content-Length=1\n  body x\n"},
  };
  for (const Good& c : cases) EXPECT_EQ(parse(c.text), c.expected) << c.text;
}

struct Bad {
  std::string text;
  int status;
};

void expect_faults(const std::vector<Bad>& cases) {
  for (const Bad& c : cases) {
    const std::string got = parse(c.text);
    EXPECT_TRUE(got.starts_with("fault " + std::to_string(c.status) + " ")) << c.text << "\n-> " << got;
  }
}

TEST(RequestParser, RefusesBadRequestLines) {
  const std::string rest = "\r\nHost: a\r\n\r\n";
  expect_faults({
      {"GET" + rest, 400},
      {"GET /" + rest, 400},
      {"GET  / HTTP/1.1" + rest, 400},
      {"GET /  HTTP/1.1" + rest, 400},
      {"GET / HTTP/1.1 " + rest, 400},
      {"GET / x HTTP/1.1" + rest, 400},
      {"GET\t/ HTTP/1.1" + rest, 400},
      {" GET / HTTP/1.1" + rest, 400},
      {"G(T / HTTP/1.1" + rest, 400},
      {"G\x80T / HTTP/1.1" + rest, 400},
      {"GET / http/1.1" + rest, 400},
      {"GET / HTTP/1" + rest, 400},
      {"GET / HTTP/11" + rest, 400},
      {"GET / HTTP/1.10" + rest, 400},
      {"GET / HTTP/a.b" + rest, 400},
      {"GET / HTTP/2.0" + rest, 505},
      {"GET / HTTP/0.9" + rest, 505},
      {"GET / HTTP/1.2" + rest, 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET /\x80 HTTP/1.1" + rest, 400},
      {"GET /\x7f HTTP/1.1" + rest, 400},
      {"GET /\t HTTP/1.1" + rest, 400},
      {std::string("GET /\0 HTTP/1.1", 15) + rest, 400},
      {"GET /#f HTTP/1.1" + rest, 400},
      {"GET /\\x HTTP/1.1" + rest, 400},
      {"GET x HTTP/1.1" + rest, 400},
      {"GET * HTTP/1.1" + rest, 400},
      {"GET ?q HTTP/1.1" + rest, 400},
      {"GET ftp://a/ HTTP/1.1" + rest, 400},
      {"GET http:///p HTTP/1.1" + rest, 400},
      {"GET http://u@a/p HTTP/1.1" + rest, 400},
      {"GET http://b/ HTTP/1.1" + rest, 400},
      {"CONNECT a:443 HTTP/1.1" + rest, 501},
      {"\r\n\r\n\r\nGET / HTTP/1.1" + rest, 400},
      {"\nGET / HTTP/1.1" + rest, 400},
      {"\rGET / HTTP/1.1" + rest, 400},
      {"\x16\x03\x01\x02", 400},
      {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400},
  });
}

TEST(RequestParser, RefusesBadFields) {
  const std::string line = "POST / HTTP/1.1\r\nHost: a\r\n";
  expect_faults({
      {line + "X: a\n\r\n", 400},
      {line + "X: a\r\n\n", 400},
      {line + "\n", 400},
      {line + "X: a\rb\r\n\r\n", 400},
      {line + "X: a\r\n b\r\n\r\n", 400},
      {line + "X: a\r\n\tb\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n", 400},
      {line + "X : a\r\n\r\n", 400},
      {line + "X\t: a\r\n\r\n", 400},
      {line + "X a\r\n\r\n", 400},
      {line + "X\r\n\r\n", 400},
      {line + ": a\r\n\r\n", 400},
      {line + "X\x80: a\r\n\r\n", 400},
      {line + "X(: a\r\n\r\n", 400},
      {line + std::string("X: a\0b\r\n\r\n", 10), 400},
      {line + "X: a\x01\r\n\r\n", 400},
      {line + "X: \x7f\r\n\r\n", 400},
      {line + "X: 0123456789abcdef0123456789\x1f\r\n\r\n", 400},
      {line + "Host: a\r\n\r\n", 400},
      {line + "hOST: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nX: y\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a,b:80\r\nHost: c\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400},
      {"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {line + "Connection: close; x\r\n\r\n", 400},
      {line + "Expect: 200-ok\r\n\r\n", 417},
      {line + "Expect: 100-continue, x\r\n\r\n", 417},
  });
}

TEST(RequestParser, RefusesAmbiguousFraming) {
  const std::string line = "POST / HTTP/1.1\r\nHost: a\r\n";
  expect_faults({
      {line + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400},
      {line + "Content-Length: 5\r\ncontent-length: 6\r\n\r\nhello", 400},
      {line + "Content-Length: +5\r\n\r\nhello", 400},
      {line + "Content-Length: -5\r\n\r\nhello", 400},
      {line + "Content-Length: 5, 5\r\n\r\nhello", 400},
      {line + "Content-Length: 5 5\r\n\r\nhello", 400},
      {line + "Content-Length: 0x5\r\n\r\nhello", 400},
      {line + "Content-Length: 5.0\r\n\r\nhello", 400},
      {line + "Content-Length:\r\n\r\nhello", 400},
      {line + "Content-Length: 99999999999999999999999\r\n\r\n", 413},
      {line + "Content-Length: 9223372036854775807\r\n\r\n", 413},
      {line + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {line + "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", 400},
      {line + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {line + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400},
      {line + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {line + "Transfer-Encoding: chunked, chunked\r\n\r\n", 501},
      {line + "Transfer-Encoding: identity\r\n\r\n", 501},
      {line + "Transfer-Encoding: xchunked\r\n\r\n", 501},
      {line + "Transfer-Encoding: chunked;a=b\r\n\r\n", 501},
      {line + "Transfer-Encoding: \"chunked\"\r\n\r\n", 501},
      {line + "Transfer-Encoding:\r\n\r\n", 501},
      {line + "Transfer-Encoding: \vchunked\r\n\r\n", 400},
      {line + "Transfer-Encoding : chunked\r\n\r\n", 400},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
  });
}

TEST(RequestParser, RefusesBadChunks) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  expect_faults({
      {head + "\r\n", 400},
      {head + "x\r\n", 400},
      {head + "0x5\r\nhello\r\n", 400},
      {head + "-5\r\n", 400},
      {head + " 5\r\n", 400},
      {head + "5 \r\nhello\r\n", 400},
      {head + "5\nhello\r\n", 400},
      {head + "5\r\rhello\r\n", 400},
      {head + "5\r\nhello\n", 400},
      {head + "5\r\nhelloworld\r\n", 400},
      {head + "5\r\nhello\r0", 400},
      {head + "5;\r\nhello\r\n", 400},
      {head + "5; a\r\nhello\r\n", 400},
      {head + "5;a =b\r\nhello\r\n", 400},
      {head + "5;a=\r\nhello\r\n", 400},
      {head + "5;a=b=c\r\nhello\r\n", 400},
      {head + "5;a=\"b\r\nhello\r\n", 400},
      {head + "5;a=\"b\"c\r\nhello\r\n", 400},
      {head + "5;a\nb\r\nhello\r\n", 400},
      {head + "FFFFFFFFFFFFFFFFF\r\n", 413},
      {head + "FFFFFFFFFFFFFFFF\r\n", 413},
      {head + "7FFFFFFFFFFFFFFF\r\n", 413},
      {head + "0\r\nX : y\r\n\r\n", 400},
      {head + "0\r\n X: y\r\n\r\n", 400},
      {head + "0\r\nX\r\n\r\n", 400},
      {head + "0\r\nX: y\n\r\n", 400},
      {head + "0\r\nX: \x01\r\n\r\n", 400},
      {head + "0\r\n\n", 400},
      {head + "0\r\n\rx", 400},
  });
}

TEST(RequestParser, ReadsPipelinedRequests) {
  const std::string got = parse(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\n"
      "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n"
      "GET /4 HTTP/1.1\r\nHost: a\r\n");
  EXPECT_EQ(got,
            "GET /1 path=/1 1.1 length=-1 keep-alive complete\n  Host=a\n  body \n"
            "POST /2 path=/2 1.1 length=3 keep-alive complete\n  Host=a\n  Content-Length=3\n  body abc\n"
            "POST /3 path=/3 1.1 length=-1 chunked keep-alive complete\n  Host=a\n  Transfer-Encoding=chunked\n"
            "  body xyz\nwaiting\n");
}

TEST(RequestParser, StopsOnceBetweenHeadAndBody) {
  RequestParser parser({});
  BodyText body;
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  const std::string text = head + "hiNEXT";
  EXPECT_FALSE(parser.started());
  EXPECT_EQ(parser.feed(text, body), head.size());
  EXPECT_EQ(parser.state(), MessageState::kBody);
  EXPECT_TRUE(parser.started());
  EXPECT_TRUE(body.text.empty());
  EXPECT_EQ(parser.feed(std::string_view(text).substr(head.size()), body), 2U);
  EXPECT_EQ(parser.state(), MessageState::kComplete);
  EXPECT_EQ(body.text, "hi");
  EXPECT_EQ(parser.feed("NEXT", body), 0U);
  parser.reset();
  EXPECT_FALSE(parser.started());
}

TEST(RequestParser, EmptyLinesDoNotStartARequest) {
  RequestParser parser({});
  BodyText body;
  EXPECT_EQ(parser.feed("\r\n\r", body), 3U);
  EXPECT_FALSE(parser.started());
  EXPECT_EQ(parser.feed("\nG", body), 2U);
  EXPECT_TRUE(parser.started());
}

TEST(RequestParser, BodyBytesAreViewsOfTheInput) {
  class Where : public BodySink {
   public:
    void on_body(std::string_view bytes) override { pieces.push_back(bytes); }
    std::vector<std::string_view> pieces;
  } sink;
  RequestParser parser({});
  const std::string text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
  const std::size_t used = parser.feed(text, sink);
  parser.feed(std::string_view(text).substr(used), sink);
  ASSERT_EQ(sink.pieces.size(), 1U);
  EXPECT_EQ(sink.pieces[0].data(), text.data() + used);
}

TEST(RequestParser, LargeBodiesArriveWhole) {
  std::string wanted;
  for (int i = 0; wanted.size() < 3'000'000; ++i) wanted += std::to_string(i) + ",";
  const std::string line = "POST / HTTP/1.1\r\nHost: a\r\n";
  const std::string plain = line + "Content-Length: " + std::to_string(wanted.size()) + "\r\n\r\n" + wanted;
  std::string chunked = line + "Transfer-Encoding: chunked\r\n\r\n";
  for (std::size_t i = 0, n = 1; i < wanted.size(); i += n, n = n * 3 % 70'001) {
    append_chunk(chunked, std::string_view(wanted).substr(i, n));
  }
  append_last_chunk(chunked);
  std::minstd_rand random(3);
  for (const std::string& text : {plain, chunked}) {
    EXPECT_NE(run_requests({text}).find("  body " + wanted + "\n"), std::string::npos);
    EXPECT_NE(run_requests(random_pieces(text, random)).find("  body " + wanted + "\n"), std::string::npos);
  }
}

}  // namespace
}  // namespace weir
