#include "http_reader.h"

#include <gtest/gtest.h>

namespace weir::sim {
namespace {

using Side = HttpReader::Side;
using State = HttpReader::State;

std::string body_of(HttpReader& reader, std::string_view bytes, std::size_t piece) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.substr(at, piece));
    out += reader.take_body();
  }
  return out;
}

TEST(HttpReader, ReadsTheSameInPiecesOfAnySize) {
  const std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Type: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\na;x=1\r\n0123456789\r\n"
      "0\r\nTrailer: x\r\n\r\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, answer.size()}) {
    HttpReader reader(Side::kAnswers);
    EXPECT_EQ(body_of(reader, answer, piece), "abcd0123456789") << piece;
    EXPECT_EQ(reader.state(), State::kDone) << piece;
    EXPECT_EQ(reader.head().find("content-type"), "a");
    EXPECT_TRUE(reader.keeps_open());
  }
}

TEST(HttpReader, ReadsRequestsOneBehindTheOther) {
  HttpReader reader(Side::kRequests);
  reader.feed("POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_EQ(reader.state(), State::kDone);
  EXPECT_EQ(reader.take_body(), "hi");
  reader.next();
  ASSERT_EQ(reader.state(), State::kDone);
  EXPECT_EQ(reader.head().method, "GET");
  EXPECT_EQ(reader.head().target, "/b");
  reader.next();
  EXPECT_FALSE(reader.begun());
}

TEST(HttpReader, ABodyWithoutLengthLastsUntilTheEnd) {
  HttpReader reader(Side::kAnswers);
  reader.feed("HTTP/1.1 200 OK\r\n\r\nhello");
  EXPECT_EQ(reader.state(), State::kBody);
  EXPECT_FALSE(reader.keeps_open());
  reader.eof();
  EXPECT_EQ(reader.state(), State::kDone);
  EXPECT_EQ(reader.take_body(), "hello");
}

TEST(HttpReader, AnEndInTheMiddleIsBroken) {
  HttpReader reader(Side::kAnswers);
  reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
  reader.eof();
  EXPECT_EQ(reader.state(), State::kBroken);
}

TEST(HttpReader, SkipsInterimAnswersAndReadsBodilessOnes) {
  HttpReader reader(Side::kAnswers);
  reader.feed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(reader.state(), State::kDone);
  EXPECT_EQ(reader.head().status, 204);
}

TEST(HttpReader, WhatIsNoHttpIsBroken) {
  for (const char* bytes : {"nonsense\r\n\r\n", "HTTP/1.1 x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    HttpReader reader(Side::kAnswers);
    reader.feed(bytes);
    EXPECT_EQ(reader.state(), State::kBroken) << bytes;
  }
}

TEST(HttpReader, HeadsAndChunkLinesHaveAnEnd) {
  HttpReader head(Side::kRequests);
  head.feed(std::string(HttpReader::kMaxHead, 'x'));
  EXPECT_EQ(head.state(), State::kHead);
  head.feed("x");
  EXPECT_EQ(head.state(), State::kBroken);
  HttpReader line(Side::kAnswers);
  line.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(HttpReader::kMaxLine + 1, '0'));
  EXPECT_EQ(line.state(), State::kBroken);
}

}  // namespace
}  // namespace weir::sim
