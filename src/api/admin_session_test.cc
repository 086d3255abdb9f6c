// Signing in to the admin API, asked through a session as a page or a stranger does; the admin thread is played here.
#include <gtest/gtest.h>

#include "admin/routes.h"
#include "admin/session.h"
#include "admin/test_host.h"
#include "api/endpoints.h"
#include "gateway/gateway_fixture.h"
#include "journal/test_support.h"

namespace weir {
namespace {

using namespace stage;

class SignIn : public testing::Test {
 protected:
  SignIn() {
    world.services.endpoints = &api;
    add_session_routes(router);
  }
  ~SignIn() override { api.shut_down(); }

  Received ask(std::string_view method, std::string_view path, std::string_view body = {}, std::string_view fields = {},
               std::string_view peer = "192.0.2.1") {
    Connection client(world, std::string(peer), Session::Listener::kAdmin);
    std::string text =
        std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nhost: [::1]\r\n" + std::string(fields);
    if (!body.empty())
      text += "content-type: application/json\r\ncontent-length: " + std::to_string(body.size()) + "\r\n";
    client.say(text + "\r\n" + std::string(body));
    reached += work.run(store, world.services.now) ? 1 : 0;
    return client.answer();
  }
  Received sign_in(std::string_view body, std::string_view fields = {}, std::string_view peer = "192.0.2.1") {
    return ask("POST", kSessionPath, body, fields, peer);
  }

  World world;
  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
  FakeAdminHost host{world};
  AdminRouter router{host};
  AdminWork work{[] {}};
  ApiOptions options{.access = &host.own_access, .router = &router, .admin = &work};
  Api api{options};
  int reached = 0;
};

TEST_F(SignIn, TheCodeOfTheLinkOpensASessionOnce) {
  host.own_access.add_code("right", world.services.now);
  const Received opened = sign_in(R"({"code":"right"})");
  ASSERT_EQ(opened.status, 200) << opened.body;
  const std::string token = opened.body.substr(opened.body.find("weiradmin_"), 58);
  const std::string bearer = "authorization: Bearer " + token + "\r\n";
  EXPECT_EQ(ask("GET", "/admin/v1/whoami", {}, bearer).status, 200);
  EXPECT_EQ(sign_in(R"({"code":"right"})").status, 401);
  EXPECT_EQ(ask("DELETE", kSessionPath, {}, bearer).status, 204);
  EXPECT_EQ(ask("GET", "/admin/v1/whoami", {}, bearer).status, 401);
}

TEST_F(SignIn, WhoeverShowsNoRightCodeReachesNothing) {
  world.use_policy("auth_failures: { allow: 1000/1m }\n");
  for (const std::string body : {R"({"code":"wrong"})", R"({"code":""})", "{}", "", R"({"code":null})"}) {
    EXPECT_EQ(sign_in(body).status, 401) << body;
  }
  for (const std::string body : {"{", "[]", R"({"code":7})", R"({"code":"a","x":1})"}) {
    EXPECT_EQ(sign_in(body).status, 400) << body;
  }
  for (const std::string method : {"GET", "PUT", "DELETE", "PATCH", "HEAD"}) {
    EXPECT_EQ(ask(method, kSessionPath).status, 401) << method;
  }
  EXPECT_EQ(ask("POST", "/admin/v1/session/").status, 401);
  EXPECT_EQ(sign_in("{}", "authorization: Bearer wrong\r\n").status, 401);
  EXPECT_EQ(reached, 0) << "nothing of this takes a place in the queue of admin work";
}

TEST_F(SignIn, WrongCodesCountLikeWrongTokensAndNeverLockOutTheRightOne) {
  host.own_access.add_code("right", world.services.now);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(sign_in(R"({"code":"guess"})").status, 401);
  const Received blocked = sign_in(R"({"code":"guess"})");
  EXPECT_EQ(blocked.status, 429);
  EXPECT_NE(blocked["retry-after"], "(absent)");
  EXPECT_EQ(ask("GET", "/metrics", {}, "authorization: Bearer guess\r\n").status, 429) << "one count for both";
  EXPECT_EQ(sign_in(R"({"code":"guess"})", {}, "192.0.2.2").status, 401) << "another address";
  EXPECT_EQ(sign_in(R"({"code":"right"})").status, 200);
}

TEST_F(SignIn, PagesOfOtherOriginsCannot) {
  host.own_access.add_code("right", world.services.now);
  EXPECT_EQ(sign_in(R"({"code":"right"})", "origin: http://evil.example\r\n").status, 403);
  EXPECT_EQ(sign_in(R"({"code":"right"})", "sec-fetch-site: cross-site\r\n").status, 403);
  EXPECT_EQ(ask("POST", std::string(kSessionPath) + "?token=right").status, 400);
  EXPECT_EQ(sign_in(R"({"code":"right"})", "origin: http://[::1]\r\n").status, 200);
}

TEST_F(SignIn, AViewersTokenIsToldWhichRoleIsMissing) {
  router.add({"PUT", "/admin/v1/thing", AdminRole::kAdmin, {}, [](AdminContext&) { return admin_json("{}"); }});
  host.own_access.use(std::vector{StoredAdminToken{.token = {.name = "ann", .role = AdminRole::kViewer},
                                                   .hash = KeyHasher("secret").hash("weiradmin_x")}});
  const Received refused = ask("PUT", "/admin/v1/thing", "{}", "authorization: Bearer weiradmin_x\r\n");
  EXPECT_EQ(refused.status, 403);
  EXPECT_TRUE(has(refused.body, "needs the role admin; the token `ann` has the role viewer")) << refused.body;
}

TEST_F(SignIn, CallsThatTakeSecondsAreDoneByAnotherThread) {
  router.add({"POST", "/admin/v1/slow", AdminRole::kAdmin, {}, [](AdminContext& call) {
                return call.later([](Store&, TimeNs) { return admin_json(R"({"late":true})"); });
              }});
  Connection client(world, "192.0.2.1", Session::Listener::kAdmin);
  client.say(request("POST", "/admin/v1/slow", "the-admin-token"));
  EXPECT_TRUE(work.run(store, 0));
  ASSERT_EQ(host.long_work.size(), 1u) << "not done by the first";
  host.long_work[0](store, 0);
  EXPECT_EQ(client.answer().body, R"({"late":true})");
  host.too_much_waits = true;
  EXPECT_EQ(ask("POST", "/admin/v1/slow", {}, "authorization: Bearer the-admin-token\r\n").status, 503);
}

}  // namespace
}  // namespace weir
