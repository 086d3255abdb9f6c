// What the admin listener refuses before anything else, asked through a session as browsers and strangers do.
#include "api/admin_entry.h"

#include <gtest/gtest.h>

#include "api/endpoints.h"
#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

class AdminEntry : public testing::Test {
 protected:
  static constexpr std::string_view kToken = "the-admin-token";
  AdminEntry() { world.services.endpoints = &api; }

  Received ask(std::string_view method, std::string_view path, std::string_view fields, std::string_view host = "[::1]",
               std::string_view body = {}, std::string_view peer = "192.0.2.1") {
    Connection client(world, std::string(peer), Session::Listener::kAdmin);
    std::string text = std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nhost: " + std::string(host) +
                       "\r\n" + std::string(fields);
    if (!body.empty()) append_header(text, "content-length", std::to_string(body.size()));
    client.say(text + "\r\n" + std::string(body));
    return client.answer();
  }
  Received with_token(std::string_view method, std::string_view path, std::string_view fields = {},
                      std::string_view host = "[::1]", std::string_view body = {}) {
    return ask(method, path, "authorization: Bearer the-admin-token\r\n" + std::string(fields), host, body);
  }

  World world;
  AdminAccess access{Secret(std::string(kToken))};
  ApiOptions options{.access = &access};
  Api api{options};
};

const std::vector<std::string> kPaths = {"/metrics", "/healthz",     "/readyz",        "/admin/v1/breakers",
                                         "/nowhere", "/schema.json", "/admin/v1/none", "/admin/v1/breakers/tool/x"};

TEST_F(AdminEntry, PagesOfOtherOriginsGetNowhere) {
  for (const std::string& path : kPaths) {
    for (const std::string method : {"GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE"}) {
      for (const std::string field :
           {"origin: http://evil.example", "origin: null", "origin: http://[::1]:9", "origin: file://",
            "sec-fetch-site: cross-site", "sec-fetch-site: same-site", "sec-fetch-site: ", "origin:",
            "origin: http://[::1]\r\norigin: http://evil.example", "origin: http://[::1].evil.example"}) {
        const Received answer = with_token(method, path, field + "\r\n");
        EXPECT_EQ(answer.status, 403) << method << ' ' << path << ' ' << field;
        EXPECT_EQ(answer["access-control-allow-origin"], "(absent)");
      }
    }
  }
}

TEST_F(AdminEntry, ItsOwnPagesAndProgramsWithoutOriginPass) {
  for (const std::string field : {"", "origin: http://[::1]\r\n", "origin: https://[::1]\r\n",
                                  "sec-fetch-site: same-origin\r\n", "sec-fetch-site: none\r\n"}) {
    EXPECT_EQ(with_token("GET", "/metrics", field).status, 200) << field;
  }
  EXPECT_EQ(with_token("GET", "/metrics", "origin: http://localhost:8081\r\n", "localhost:8081").status, 200);
}

TEST_F(AdminEntry, OverTlsOnlyItsOwnSchemeIsItsOrigin) {
  world.use_policy("admin: { tls: { cert: c.pem, key: k.pem } }\n");
  EXPECT_EQ(with_token("GET", "/metrics", "origin: https://[::1]\r\n").status, 200);
  EXPECT_EQ(with_token("GET", "/metrics", "origin: http://[::1]\r\n").status, 403);
}

TEST_F(AdminEntry, NamesThatAStrangerCouldPointHereAreRefused) {
  for (const std::string host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0", "1",
                                 "256.0.0.1", "0x7f.0.0.1", "1.2.3.4.5", "1.2.3.4x", "notlocalhost", "weir.internal"}) {
    for (const std::string& path : kPaths) {
      if (path == "/healthz" || path == "/readyz" || path == "/metrics") continue;
      EXPECT_EQ(with_token("GET", path, {}, host).status, 403) << host << path;
    }
  }
  const auto calls = [&](const std::string& host) { return with_token("GET", "/admin/v1/breakers", {}, host); };
  for (const std::string host : {"127.0.0.1", "127.0.0.1:8081", "10.1.2.3:80", "[::1]:8081", "[fe80::1]", "localhost",
                                 "LocalHost:8081", "localhost."}) {
    EXPECT_EQ(calls(host).status, 503) << host << ": beyond the entry, nobody keeps a store here";
  }
  const Received answer = calls("weir.internal");
  EXPECT_TRUE(has(answer.body, "`names` under `admin:`")) << answer.body;
  world.use_policy("admin: { listen: \"ops.example:81\", names: [Weir.Internal] }\n");
  for (const std::string host : {"weir.internal", "WEIR.internal:8081", "weir.internal.", "ops.example:81"}) {
    EXPECT_EQ(calls(host).status, 503) << host;
  }
  EXPECT_EQ(calls("internal").status, 403);
}

TEST_F(AdminEntry, BalancersAndScrapersMayUseAnyName) {
  for (const std::string path : {"/healthz", "/readyz"}) {
    EXPECT_EQ(ask("GET", path, {}, "weir.default.svc.cluster.local:8081").status, 200) << path;
  }
  EXPECT_EQ(with_token("GET", "/metrics", {}, "weir:8081").status, 200);
  EXPECT_EQ(ask("GET", "/metrics", {}, "weir:8081").status, 401) << "the token is what lets in";
  EXPECT_EQ(with_token("GET", "/metrics", "origin: http://weir\r\n", "weir:8081").status, 403) << "a page of its own";
}

TEST_F(AdminEntry, PublicMetricsAreNotForPagesInBrowsersNearby) {
  world.use_policy("admin: { metrics: public, names: [weir] }\n");
  EXPECT_EQ(ask("GET", "/metrics", {}, "localhost:8081").status, 200);
  EXPECT_EQ(ask("GET", "/metrics", {}, "weir:8081").status, 200);
  EXPECT_EQ(ask("GET", "/metrics", {}, "rebound.example:8081").status, 403);
}

TEST_F(AdminEntry, EveryMethodOfEveryPathNeedsTheToken) {
  world.use_policy("auth_failures: { allow: 1000/1m }\n");
  for (const std::string path :
       {"/metrics", "/admin/v1/breakers", "/admin/v1/breakers/tool/x", "/admin/v1/none", "/admin", "/admin/"}) {
    for (const std::string method : {"GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE", "PATCH"}) {
      EXPECT_EQ(ask(method, path, {}).status, 401) << method << ' ' << path;
      EXPECT_EQ(ask(method, path, "authorization: Bearer wrong\r\n").status, 401) << method << ' ' << path;
    }
  }
  for (const std::string path : {"/healthz", "/readyz", "/schema.json"}) EXPECT_EQ(ask("GET", path, {}).status, 200);
}

TEST_F(AdminEntry, TheRightTokenIsLetInWhateverWrongOnesDid) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask("GET", "/metrics", "authorization: Bearer guess\r\n").status, 401);
  const Received blocked = ask("GET", "/metrics", "authorization: Bearer guess\r\n");
  EXPECT_EQ(blocked.status, 429);
  EXPECT_NE(blocked["retry-after"], "(absent)");
  EXPECT_EQ(ask("GET", "/admin/v1/breakers", "x-api-key: guess\r\n").status, 429) << "one count for all paths";
  EXPECT_EQ(with_token("GET", "/metrics").status, 200);
  EXPECT_EQ(ask("GET", "/metrics", {}).status, 401) << "no token is no guess";
  EXPECT_EQ(ask("GET", "/metrics", "authorization: Bearer guess\r\n", "[::1]", {}, "192.0.2.2").status, 401)
      << "another address";
  world.services.now += kMinute + kSecond;
  EXPECT_EQ(ask("GET", "/metrics", "authorization: Bearer guess\r\n").status, 401) << "the window has passed";
}

TEST_F(AdminEntry, TheTokenIsNeverTakenFromTheUrl) {
  for (const std::string name : {"token", "access_token", "key", "api_key", "Authorization"}) {
    const Received answer = ask("GET", "/metrics?a=1&" + name + "=the-admin-token", {});
    EXPECT_EQ(answer.status, 400) << name;
    EXPECT_FALSE(has(answer.body, "the-admin-token"));
  }
  EXPECT_EQ(ask("GET", "/metrics?tokens=the-admin-token", {}).status, 401);
  EXPECT_EQ(with_token("GET", "/metrics?since=1h").status, 200);
}

TEST_F(AdminEntry, KeyNamesAConsumerUnlessItsValueIsAToken) {
  EXPECT_EQ(with_token("GET", "/admin/v1/usage?since=1h&key=ann").status, 503);  // nobody runs the API here
  EXPECT_EQ(with_token("GET", "/admin/v1/usage?key=weiradmin_00").status, 400);
  EXPECT_EQ(with_token("GET", "/admin/v1/usage?key=weir_00").status, 400);
  EXPECT_EQ(with_token("GET", "/metrics?key=ann").status, 400);
}

TEST_F(AdminEntry, ChangesAreJson) {
  const std::string path = "/admin/v1/breakers/tool/x";
  for (const std::string type : {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                                 "application/jsonp", "application/json\r\ncontent-type: text/plain"}) {
    EXPECT_EQ(with_token("PUT", path, "content-type: " + type + "\r\n", "[::1]", "{}").status, 415) << type;
    EXPECT_EQ(with_token("DELETE", path, "content-type: " + type + "\r\n").status, 415) << type;
  }
  EXPECT_EQ(with_token("PUT", path, {}, "[::1]", "{}").status, 415);
  EXPECT_EQ(with_token("PUT", path, "transfer-encoding: chunked\r\n").status, 415);
  // Beyond the entry: 503, since nobody keeps a store here.
  EXPECT_EQ(with_token("PUT", path, "content-type: Application/JSON; charset=utf-8\r\n", "[::1]", "{}").status, 503);
  EXPECT_EQ(with_token("PUT", path).status, 503);
  EXPECT_EQ(with_token("DELETE", path).status, 503);
  EXPECT_EQ(with_token("GET", path, "content-type: text/plain\r\n").status, 503);
}

TEST_F(AdminEntry, NothingIsStoredOrGuessedByBrowsers) {
  const auto guarded = [](const Received& answer) {
    return answer["cache-control"] == "no-store" && answer["x-content-type-options"] == "nosniff";
  };
  for (const std::string& path : kPaths) {
    for (const std::string method : {"GET", "HEAD", "OPTIONS", "PUT"}) {
      EXPECT_TRUE(guarded(with_token(method, path))) << method << ' ' << path;
      EXPECT_TRUE(guarded(ask(method, path, {}))) << method << ' ' << path;
    }
  }
  EXPECT_TRUE(guarded(ask("GET", "/metrics", "bad header\r\n")));
}

TEST_F(AdminEntry, TheDataListenerHasNoneOfThis) {
  Connection client(world, "192.0.2.1", Session::Listener::kData);
  client.say("GET /healthz HTTP/1.1\r\nhost: evil.example\r\norigin: http://evil.example\r\n\r\n");
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer["cache-control"], "(absent)");
}

}  // namespace
}  // namespace weir
