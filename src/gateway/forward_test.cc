#include "gateway/forward.h"

#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using stage::has;

TEST(UpstreamHeadTest, KeepsWhatBelongsToTheCallAndNothingOfTheConnection) {
  const Headers client{{{"Host", "weir"},
                        {"X-Api-Key", "weir_k"},
                        {"Api-Key", "weir_k"},
                        {"X-Goog-Api-Key", "weir_k"},
                        {"Authorization", "Bearer weir_k"},
                        {"X-Weir-User", "u"},
                        {"RateLimit", "r"},
                        {"x-ratelimit-limit-tokens", "1"},
                        {"Content-Length", "9"},
                        {"Transfer-Encoding", "chunked"},
                        {"Expect", "100-continue"},
                        {"Connection", "close, X-Hop"},
                        {"X-Hop", "1"},
                        {"TE", "trailers"},
                        {"X-Original-URL", "/admin"},
                        {"X-Rewrite-URL", "/admin"},
                        {"Upgrade", "h2c"},
                        {"Keep-Alive", "1"},
                        {"Proxy-Authorization", "p"},
                        {"Content-Type", "application/json"},
                        {"X-Own", "a"},
                        {"X-Own", "b"}}};
  const UpstreamHead head{.method = "POST",
                          .target = "/t?q",
                          .host = "p:1",
                          .body_size = 5,
                          .has_body = true,
                          .credential_name = "x-api-key",
                          .credential = "secret"};
  EXPECT_EQ(build_upstream_head(head, client),
            "POST /t?q HTTP/1.1\r\nhost: p:1\r\nContent-Type: application/json\r\nX-Own: a\r\nX-Own: b\r\nx-api-key: "
            "secret\r\ncontent-length: 5\r\n\r\n");
}

TEST(UpstreamHeadTest, TraceContextPassesAsItCameAndIsNotInvented) {
  for (const Headers& client :
       {Headers{{{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
                 {"tracestate", "a=1"},
                 {"tracestate", "b=2, c=3"}}},
        Headers{{{"traceparent", "not a trace"}}}, Headers{{{"tracestate", "a=1"}}}, Headers{}}) {
    std::string fields;
    for (const Header& field : client.fields) append_header(fields, field.name, field.value);
    const UpstreamHead head{.method = "GET", .target = "/", .host = "p"};
    EXPECT_EQ(build_upstream_head(head, client), "GET / HTTP/1.1\r\nhost: p\r\n" + fields + "\r\n");
  }
}

TEST(UpstreamHeadTest, ContentCodingIsOnlyAskedForWhenNobodyMustRead) {
  const Headers client{{{"accept-encoding", "gzip"}, {"range", "bytes=0-1"}}};
  UpstreamHead head{.method = "GET", .target = "/", .host = "p"};
  EXPECT_EQ(build_upstream_head(head, client),
            "GET / HTTP/1.1\r\nhost: p\r\naccept-encoding: gzip\r\nrange: bytes=0-1\r\n\r\n");
  head.identity_only = true;
  EXPECT_EQ(build_upstream_head(head, client), "GET / HTTP/1.1\r\nhost: p\r\naccept-encoding: identity\r\n\r\n");
}

TEST(AnswerFieldsTest, DropsWhatIsOursOrTheConnections) {
  const Headers answer{{{"Content-Type", "text/plain"},
                        {"Content-Length", "3"},
                        {"Connection", "x-hop"},
                        {"X-Hop", "1"},
                        {"Transfer-Encoding", "chunked"},
                        {"X-Weir-Tokens", "1"},
                        {"RateLimit-Policy", "p"},
                        {"x-ratelimit-remaining-tokens", "1"},
                        {"anthropic-ratelimit-tokens-limit", "1"},
                        {"X-Echo", "Bearer secret"},
                        {"Set-Cookie", "a=1"},
                        {"Set-Cookie", "b=2"}}};
  std::string llm;
  append_answer_fields(answer, "secret", true, llm);
  EXPECT_EQ(llm, "Content-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n");
  std::string http;
  append_answer_fields(answer, {}, false, http);
  EXPECT_TRUE(has(http, "x-ratelimit-remaining-tokens: 1\r\n"));  // an API's own limits are its business
  EXPECT_TRUE(has(http, "X-Echo: Bearer secret\r\n"));
  EXPECT_FALSE(has(http, "X-Weir-Tokens"));
}

TEST(RedactTest, HidesEveryOccurrence) {
  std::string body = "key abc and abcabc";
  EXPECT_TRUE(redact(body, "abc"));
  EXPECT_EQ(body, "key *** and ******");
  EXPECT_FALSE(redact(body, "abc"));
  EXPECT_FALSE(redact(body, ""));
}

}  // namespace
}  // namespace weir
