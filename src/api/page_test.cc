// The dashboard's files, asked for through a session as browsers do.
#include "api/page.h"

#include <gtest/gtest.h>

#include "api/endpoints.h"
#include "gateway/gateway_fixture.h"
#include "gateway/inflate.h"

namespace weir {
namespace {

using namespace stage;

class PageTest : public testing::Test {
 protected:
  PageTest() { world.services.endpoints = &api; }

  Received ask(std::string_view path, std::string_view fields = {}, std::string_view method = "GET",
               Session::Listener listener = Session::Listener::kAdmin) {
    Connection client(world, "192.0.2.1", listener);
    client.say(std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nhost: [::1]\r\n" + std::string(fields) +
               "\r\n");
    return client.answer();
  }
  static std::string plain(std::string_view gzip) {
    std::string text;
    EXPECT_EQ(Inflate::of("gzip")->feed(gzip, text), Inflate::State::kEnd);
    return text;
  }

  World world;
  ApiOptions options;
  Api api{options};
};

constexpr std::string_view kGzip = "accept-encoding: gzip, deflate, br\r\n";

TEST_F(PageTest, EveryFileComesCompressedOrPlainWithoutAToken) {
  ASSERT_GE(page_files().size(), 10u);
  for (const PageFile& file : page_files()) {
    const Received packed = ask(file.path, kGzip), read = ask(file.path);
    EXPECT_EQ(packed.status, 200) << file.path;
    EXPECT_EQ(packed["content-encoding"], "gzip");
    EXPECT_EQ(read["content-encoding"], "(absent)");
    EXPECT_EQ(plain(packed.body), read.body);
    EXPECT_EQ(read["content-type"], file.type);
    EXPECT_EQ(read["vary"], "accept-encoding");
    EXPECT_NE(read["etag"], packed["etag"]);  // other bytes, other tag
    EXPECT_EQ(read["cache-control"], file.path == "/" ? "no-cache" : "public, max-age=31536000, immutable");
  }
  EXPECT_TRUE(ask("/").body.starts_with("<!doctype html>"));
}

TEST_F(PageTest, ThePageRunsNothingThatIsNotAFileOfItsOwn) {
  const Received page = ask("/");
  EXPECT_EQ(
      page["content-security-policy"],
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src "
      "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  EXPECT_EQ(page["x-content-type-options"], "nosniff");
  EXPECT_EQ(page["referrer-policy"], "no-referrer");
  EXPECT_EQ(page["cross-origin-opener-policy"], "same-origin");
  EXPECT_FALSE(has(page.body, "<script>"));
  EXPECT_FALSE(has(page.body, "style="));
  EXPECT_FALSE(has(page.body, "http"));  // nothing of another origin
}

TEST_F(PageTest, WhatABrowserHasIsNotSentAgain) {
  const std::string etag = ask("/", kGzip)["etag"];
  for (const std::string& tags : {etag, "\"other\", " + etag, "W/" + etag, std::string("*")}) {
    const Received same = ask("/", std::string(kGzip) + "if-none-match: " + tags + "\r\n");
    EXPECT_EQ(same.status, 304) << tags;
    EXPECT_EQ(same.body, "");
    EXPECT_EQ(same["etag"], etag);
    EXPECT_EQ(same["content-length"], "(absent)");
  }
  EXPECT_EQ(ask("/", std::string(kGzip) + "if-none-match: \"other\"\r\n").status, 200);
}

TEST_F(PageTest, CompressionIsAsTheClientSays) {
  const auto coding = [&](const std::string& accepted) {
    return ask("/", "accept-encoding: " + accepted + "\r\n")["content-encoding"];
  };
  for (const char* yes : {"gzip", "GZIP;q=0.5", "br, gzip", "*", "gzip;q=1.000", "identity;q=0.1,gzip ;q=0.001"}) {
    EXPECT_EQ(coding(yes), "gzip") << yes;
  }
  for (const char* no : {"identity", "br", "gzip;q=0", "gzip; q=0.000", "xgzip", "*;q=0"}) {
    EXPECT_EQ(coding(no), "(absent)") << no;
  }
}

TEST_F(PageTest, HeadTellsTheLengthOnlyAndOtherMethodsAreRefused) {
  const Received head = ask("/", kGzip, "HEAD"), whole = ask("/", kGzip);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head["content-length"], std::to_string(whole.body.size()));
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(ask("/", {}, "POST").status, 405);
}

TEST_F(PageTest, WhatDoesNotExistIsNotFoundAndTheDataListenerHasNoDashboard) {
  EXPECT_EQ(ask("/assets/none.js").status, 404);
  EXPECT_EQ(ask("/assets/").status, 404);
  EXPECT_EQ(ask("/index.html").status, 404);
  EXPECT_EQ(ask("/assets/../").status, 400);
  EXPECT_EQ(ask("/", {}, "GET", Session::Listener::kData).status, 404);
}

TEST_F(PageTest, PagesOfOtherOriginsAndOtherNamesDoNotGetIt) {
  EXPECT_EQ(ask("/", "origin: http://evil.example\r\n").status, 403);
  EXPECT_EQ(ask("/", "sec-fetch-site: cross-site\r\n").status, 403);
  EXPECT_EQ(ask("/", "sec-fetch-site: none\r\n").status, 200);
  Connection client(world, "192.0.2.1", Session::Listener::kAdmin);
  client.say("GET / HTTP/1.1\r\nhost: rebound.example\r\n\r\n");
  EXPECT_EQ(client.answer().status, 403);
}

TEST_F(PageTest, TheFirstViewIsSmall) {
  std::size_t all = 0;
  for (const PageFile& file : page_files()) all += file.size;
  EXPECT_LT(all, 300u * 1000) << "even all screens together";
}

}  // namespace
}  // namespace weir
