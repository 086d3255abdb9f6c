// Reaches every limit of the codec from both sides: what just fits is read, one more is refused.
#include <gtest/gtest.h>

#include <string>

#include "gateway/http1_body.h"
#include "gateway/http1_head.h"
#include "gateway/http1_test_util.h"

namespace weir {
namespace {

std::string parse(std::string_view text, HttpLimits limits) {
  return run_all_splits(text,
                        [&](const std::vector<std::string_view>& pieces) { return run_requests(pieces, limits); });
}

bool reads(std::string_view text, HttpLimits limits) {
  return parse(text, limits).find(" complete\n") != std::string::npos;
}

bool faults(int status, std::string_view text, HttpLimits limits) {
  return parse(text, limits).starts_with("fault " + std::to_string(status) + " ");
}

std::string chunked(std::string_view chunks) {
  return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(chunks);
}

TEST(HttpLimits, Head) {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(300, 'v') + "\r\n\r\n";
  EXPECT_TRUE(reads(text, {.head = text.size()}));
  EXPECT_TRUE(faults(431, text, {.head = text.size() - 1}));
  EXPECT_TRUE(faults(431, text, {.head = 40}));
  EXPECT_TRUE(faults(414, text, {.head = 10}));
  const std::string huge = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(1 << 20, 'v') + "\r\n\r\n";
  EXPECT_TRUE(run_requests({huge}).starts_with("fault 431 "));
  const std::string long_target = "GET /" + std::string(40'000, 'p') + " HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_TRUE(run_requests({long_target}).starts_with("fault 414 "));
  EXPECT_TRUE(run_requests(byte_by_byte(long_target)).starts_with("fault 414 "));
}

TEST(HttpLimits, ALongHeadStaysReadable) {
  // Grows through every block size while views of earlier lines are held.
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
  std::string expected = "GET / path=/ 1.1 length=-1 keep-alive complete\n  Host=a\n";
  for (int i = 0; text.size() < 30'000; ++i) {
    const std::string value(static_cast<std::size_t>(i * 13 % 1500), static_cast<char>('a' + i % 26));
    text += "N" + std::to_string(i) + ": " + value + "\r\n";
    expected += "  N" + std::to_string(i) + "=" + value + "\n";
  }
  EXPECT_EQ(parse(text + "\r\n", {}), expected + "  body \n");
}

TEST(HttpLimits, Fields) {
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 1; i < 200; ++i) text += "X: y\r\n";
  EXPECT_TRUE(reads(text + "\r\n", {}));
  EXPECT_TRUE(faults(431, text + "X: y\r\n\r\n", {}));
}

TEST(HttpLimits, Body) {
  const std::string line = "POST / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_TRUE(reads(line + "Content-Length: 10\r\n\r\n0123456789", {.body = 10}));
  EXPECT_TRUE(faults(413, line + "Content-Length: 11\r\n\r\n", {.body = 10}));  // before any byte of it
  EXPECT_TRUE(reads(chunked("5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"), {.body = 10}));
  EXPECT_TRUE(faults(413, chunked("5\r\n01234\r\n6\r\n"), {.body = 10}));
  EXPECT_TRUE(faults(413, chunked("b\r\n"), {.body = 10}));
}

TEST(HttpLimits, ChunkLine) {
  EXPECT_TRUE(reads(chunked("000001;abcd\r\nx\r\n0\r\n\r\n"), {.chunk_line = 12}));
  EXPECT_TRUE(faults(400, chunked("0000001;abcd\r\nx\r\n0\r\n\r\n"), {.chunk_line = 12}));
  EXPECT_TRUE(faults(400, chunked("0000000000001\r\nx\r\n0\r\n\r\n"), {.chunk_line = 12}));
}

TEST(HttpLimits, ExtensionsOfAllChunks) {
  std::string chunks;
  for (std::size_t i = 0; i < BodyReader::kMaxExtensions / 128; ++i)
    chunks += "1;" + std::string(127, 'e') + "\r\nx\r\n";
  EXPECT_TRUE(reads(chunked(chunks + "0\r\n\r\n"), {}));
  EXPECT_TRUE(faults(400, chunked(chunks + "0;e\r\n\r\n"), {}));
}

TEST(HttpLimits, Trailers) {
  EXPECT_TRUE(reads(chunked("0\r\nA: 5678\r\n\r\n"), {.trailers = 11}));
  EXPECT_TRUE(faults(431, chunked("0\r\nA: 5678\r\n\r\n"), {.trailers = 10}));
}

TEST(HttpLimits, InterimResponses) {
  std::string interim;
  for (int i = 0; i < 16; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
  const std::string last = "HTTP/1.1 204 No Content\r\n\r\n";
  EXPECT_EQ(run_response({interim + last}), "204 No Content 1.1 length=-1 keep-alive complete\n  body \n");
  EXPECT_TRUE(run_response({interim + "HTTP/1.1 103 X\r\n\r\n" + last}).starts_with("fault 502 "));
}

TEST(HttpLimits, ResponseHeadFieldsAndBody) {
  const std::string head = "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 3\r\n\r\n";
  EXPECT_TRUE(run_response({head + "abc"}, false, {.head = head.size()}).find("body abc") != std::string::npos);
  EXPECT_TRUE(run_response({head}, false, {.head = head.size() - 1}).starts_with("fault 502 headers too large"));
  EXPECT_TRUE(run_response({head}, false, {.fields = 1}).starts_with("fault 502 too many header fields"));
  EXPECT_TRUE(run_response({head}, false, {.body = 2}).starts_with("fault 502 body too large"));
  EXPECT_TRUE(run_response({"HTTP/1.1 200 OK\r\n\r\nabc"}, false, {.body = 3}).find("body abc") != std::string::npos);
  EXPECT_TRUE(
      run_response({"HTTP/1.1 200 OK\r\n\r\nabcd"}, false, {.body = 3}).starts_with("fault 502 body too large"));
}

TEST(HttpLimits, IdleParsersAreSmall) {
  RequestParser parser({});
  EXPECT_EQ(parser.buffered(), 0U);
  BodyText body;
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 190; ++i) text += "X-Some-Name: " + std::string(100, 'v') + "\r\n";
  parser.feed(text + "\r\n", body);
  ASSERT_EQ(parser.state(), MessageState::kComplete);
  EXPECT_GT(parser.buffered(), 20'000U);
  EXPECT_LT(parser.buffered(), 100'000U);
  parser.reset();
  EXPECT_LE(parser.buffered(), 1024U);
}

TEST(HttpLimits, OrdinaryRequestsReuseTheirMemory) {
  RequestParser parser({});
  BodyText body;
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(400, 'v') + "\r\n\r\n";
  const char* first = nullptr;
  for (int i = 0; i < 3; ++i) {
    parser.feed(text, body);
    ASSERT_EQ(parser.state(), MessageState::kComplete);
    if (first == nullptr) first = parser.head().method.data();
    EXPECT_EQ(parser.head().method.data(), first);
    parser.reset();
    EXPECT_LE(parser.buffered(), HeadLines::kKeptBlock + 2048);
  }
}

}  // namespace
}  // namespace weir
