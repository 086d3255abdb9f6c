#include <gtest/gtest.h>

#include <string>

#include "gateway/http1.h"
#include "gateway/http1_chars.h"

namespace weir {
namespace {

const Headers kHeaders{{{"Host", "a"},
                        {"X-Empty", ""},
                        {"Connection", "X-One , close"},
                        {"x-two", "1"},
                        {"X-Two", "2"},
                        {"connection", "x-two,,"}}};

TEST(Headers, FindsTheFirstFieldIgnoringCase) {
  EXPECT_EQ(kHeaders.get("x-two"), "1");
  EXPECT_EQ(kHeaders.get("host"), "a");
  EXPECT_EQ(kHeaders.get("hos"), std::string_view());
  EXPECT_FALSE(kHeaders.has("x-three"));
  EXPECT_TRUE(kHeaders.has("x-empty"));
}

TEST(Headers, FindsTokensInAllFieldsOfTheName) {
  EXPECT_TRUE(kHeaders.has_token("connection", "close"));
  EXPECT_TRUE(kHeaders.has_token("connection", "x-one"));
  EXPECT_TRUE(kHeaders.has_token("connection", "X-TWO"));
  EXPECT_FALSE(kHeaders.has_token("connection", "clos"));
  EXPECT_FALSE(kHeaders.has_token("host", "close"));
}

TEST(Headers, KnowsHopByHopFields) {
  for (const char* name : {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
                           "upgrade", "proxy-authenticate", "proxy-authorization", "x-one", "x-two"}) {
    EXPECT_TRUE(is_hop_by_hop(kHeaders, name)) << name;
  }
  for (const char* name : {"host", "content-type", "authorization", "x-empty", "ta", "upgrades"}) {
    EXPECT_FALSE(is_hop_by_hop(kHeaders, name)) << name;
  }
}

TEST(HttpWriter, WritesHeadAndChunks) {
  std::string out;
  append_status_line(out, 429);
  append_header(out, "Retry-After", "5");
  EXPECT_EQ(out, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\n");
  out.clear();
  append_chunk(out, "");
  EXPECT_EQ(out, "");
  append_chunk(out, std::string(26, 'x'));
  append_last_chunk(out);
  EXPECT_EQ(out, "1a\r\n" + std::string(26, 'x') + "\r\n0\r\n\r\n");
}

TEST(HttpWriter, KnowsReasonPhrases) {
  const auto line = [](int status) {
    std::string out;
    append_status_line(out, status);
    return out;
  };
  EXPECT_EQ(line(100), "HTTP/1.1 100 Continue\r\n");
  EXPECT_EQ(line(200), "HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(line(431), "HTTP/1.1 431 Request Header Fields Too Large\r\n");
  EXPECT_EQ(line(529), "HTTP/1.1 529 Site Overloaded\r\n");
  EXPECT_EQ(line(299), "HTTP/1.1 299 Unknown\r\n");
  EXPECT_EQ(line(999), "HTTP/1.1 999 Unknown\r\n");
}

TEST(HttpWriter, AHeaderCannotBeSplit) {
  std::string out;
  append_header(out, "X", "a\r\nSet-Cookie: b\x7f\tc");
  EXPECT_EQ(out, "X: a  Set-Cookie: b \tc\r\n");
}

TEST(HttpChars, TheWideScanAgreesWithTheTable) {
  // Every byte value at every position of texts of 0 to 40 bytes, with control characters right behind the end.
  for (std::size_t size = 0; size <= 40; ++size) {
    std::string text(size, 'a');
    std::string padded = text + std::string(kScanPadding, '\x01');
    EXPECT_FALSE(has_control_padded(std::string_view(padded).substr(0, size)));
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        padded[at] = static_cast<char>(byte);
        const bool control = (byte < 0x20 && byte != '\t') || byte == 0x7F;
        ASSERT_EQ(has_control_padded(std::string_view(padded).substr(0, size)), control)
            << size << " " << at << " " << byte;
        ASSERT_EQ(has_control(std::string_view(padded).substr(0, size)), control);
      }
      padded[at] = 'a';
    }
  }
}

}  // namespace
}  // namespace weir
