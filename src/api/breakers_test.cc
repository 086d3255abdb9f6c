// /admin/v1/breakers, asked through a session as an operator does; the store's thread is played by the test.
#include "admin/breakers.h"

#include <gtest/gtest.h>

#include "admin/routes.h"
#include "admin/test_host.h"
#include "api/endpoints.h"
#include "gateway/gateway_fixture.h"
#include "journal/test_support.h"

namespace weir {
namespace {

using namespace stage;

class Breakers : public testing::Test {
 protected:
  static constexpr std::string_view kToken = "the-admin-token";
  Breakers() {
    world.services.endpoints = &api;
    add_breaker_routes(router);
  }
  ~Breakers() override { api.shut_down(); }

  Received ask(std::string_view method, std::string_view path, std::string_view body = {},
               std::string_view token = kToken) {
    Connection client(world, "192.0.2.1", Session::Listener::kAdmin);
    client.say(request(method, path, token, body, body.empty() ? "" : "content-type: application/json\r\n"));
    work.run(store, 1'795'000'000 * kSecond);
    return client.answer();
  }

  World world;
  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
  int wakes = 0;
  FakeAdminHost host{world};
  AdminRouter router{host};
  AdminWork work{[this] { ++wakes; }};
  AdminAccess access{Secret(std::string(kToken))};
  ApiOptions options{.access = &access, .router = &router, .admin = &work};
  Api api{options};
};

TEST_F(Breakers, AreThrownShownListedAndCleared) {
  EXPECT_EQ(ask("GET", "/admin/v1/breakers").body, R"({"breakers":[]})");
  const Received thrown = ask("PUT", "/admin/v1/breakers/tool/send%5Femail", R"({"reason": "phishing"})");
  EXPECT_EQ(thrown.status, 200);
  const std::string json =
      R"({"kind":"tool","name":"send_email","reason":"phishing","by":"admin","since":"2026-11-18T)";
  EXPECT_TRUE(thrown.body.starts_with(json)) << thrown.body;
  EXPECT_EQ(ask("GET", "/admin/v1/breakers").body, R"({"breakers":[)" + thrown.body + "]}");
  EXPECT_EQ(ask("GET", "/admin/v1/breakers/tool/send_email").body, thrown.body);
  EXPECT_EQ(ask("DELETE", "/admin/v1/breakers/tool/send_email").status, 204);
  EXPECT_EQ(ask("DELETE", "/admin/v1/breakers/tool/send_email").status, 404);
  EXPECT_EQ(ask("GET", "/admin/v1/breakers/tool/send_email").status, 404);
  EXPECT_EQ(wakes, 7);
}

TEST_F(Breakers, TakeAnyNameThatIsPercentEncoded) {
  ASSERT_EQ(ask("PUT", "/admin/v1/breakers/tool/GET%20%2Fapi%2F%C3%A4+b").status, 200);
  EXPECT_EQ(store.kill_switches()->at(0).name, "GET /api/\xC3\xA4+b");
}

TEST_F(Breakers, AToolThatLooksLikeAnotherIsStoppedShownAndClearedAsThatOne) {
  const std::string wide = std::string(kBreakersPath) + "/tool/%EF%BD%93end_email";  // a full-width s
  EXPECT_TRUE(ask("PUT", wide).body.starts_with(R"({"kind":"tool","name":"send_email")"));
  EXPECT_EQ(store.kill_switches()->at(0).name, "send_email");
  EXPECT_EQ(ask("GET", wide).status, 200);
  EXPECT_EQ(ask("DELETE", wide).status, 204);
  EXPECT_TRUE(store.kill_switches()->empty());
}

TEST_F(Breakers, OpenToNobodyWithoutTheToken) {
  for (const std::string_view wrong :
       {std::string_view(), std::string_view("the-admin-toke"), std::string_view(world.agent)}) {
    const Received answer = ask("PUT", "/admin/v1/breakers/tool/pay", {}, wrong);
    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(answer["www-authenticate"], "Bearer realm=\"weir admin\"");
    EXPECT_EQ(answer["content-type"], "application/problem+json");
  }
  EXPECT_EQ(wakes, 0);
  const AdminAccess nobody{Secret()};
  options.access = &nobody;
  EXPECT_EQ(ask("GET", "/admin/v1/breakers", {}, {}).status, 401);
}

TEST_F(Breakers, AreNotOnTheDataListener) {
  Connection client(world, "192.0.2.1", Session::Listener::kData);
  client.say(request("GET", "/admin/v1/breakers", kToken));
  EXPECT_EQ(client.answer().status, 404);
}

TEST_F(Breakers, RefuseWhatTheyDoNotUnderstandAndSayWhy) {
  struct Case {
    const char* method;
    std::string path, body;
    int status;
  };
  const Case cases[] = {{"PUT", "/tool", "", 404},
                        {"PUT", "/", "", 404},
                        {"PUT", "/model/gpt-4o", "", 404},
                        {"PUT", "/tool/a/b", "", 404},
                        {"PUT", "/tool/", "", 400},
                        {"PUT", "/tool/a%2", "", 400},
                        {"PUT", "/tool/a%zz", "", 400},
                        {"PUT", "/tool/a%00", "", 400},
                        {"PUT", "/tool/%ff", "", 400},
                        {"PUT", "/tool/pay%E2%80%8B", "", 400},
                        {"PUT", "/tool/" + std::string(257, 'x'), "", 400},
                        {"PUT", "/tool/a", "{", 400},
                        {"PUT", "/tool/a", "[]", 400},
                        {"PUT", "/tool/a", R"({"why":"x"})", 400},
                        {"PUT", "/tool/a", R"({"reason":7})", 400},
                        {"PUT", "/tool/a", R"({"reason":")" + std::string(257, 'x') + R"("})", 400},
                        {"PUT", "/tool/a", R"({"reason":")" + std::string(kMaxAdminBody, 'x') + R"("})", 413},
                        {"PUT", "/key/nobody", "", 404},
                        {"POST", "/tool/a", "", 405},
                        {"PUT", "", "", 405}};
  for (const Case& each : cases) {
    const Received answer = ask(each.method, std::string(kBreakersPath) + each.path, each.body);
    EXPECT_EQ(answer.status, each.status) << each.path << ' ' << each.body.substr(0, 40);
    EXPECT_EQ(answer["content-type"], "application/problem+json");
  }
  EXPECT_TRUE(store.kill_switches()->empty());
}

TEST_F(Breakers, AKeyIsStoppedByItsName) {
  Consumer ann{.name = "ann"};
  ASSERT_TRUE(store.create_consumer(ann, KeyHash{1}));
  EXPECT_EQ(ask("PUT", "/admin/v1/breakers/key/ann").status, 200);
}

TEST_F(Breakers, AStoreThatCannotBeWrittenIsA503) {
  Store reader = Store::open(dir.path(), {.read_only = true}).value();
  AdminRequest call{.method = "PUT", .path = "/admin/v1/breakers/key/x", .caller = {"admin", AdminRole::kAdmin}};
  EXPECT_EQ(host.ask(router, reader, call, 1).status, 404) << "no such key";
  call.path = "/admin/v1/breakers/tool/x";
  EXPECT_EQ(host.ask(router, reader, call, 1).status, 503);
}

TEST_F(Breakers, MoreThanCanWaitAreTurnedAway) {
  for (std::size_t i = 0; i < kMaxAdminWork; ++i) ASSERT_TRUE(work.push([](Store&, TimeNs) {}));
  Connection client(world, "192.0.2.1", Session::Listener::kAdmin);
  client.say(request("GET", "/admin/v1/breakers", kToken));
  const Received answer = client.answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer["retry-after"], "1");
  work.run(store, 0);
  EXPECT_EQ(ask("GET", "/admin/v1/breakers").status, 200);
}

TEST_F(Breakers, WhoLeavesBeforeTheAnswerIsForgotten) {
  {
    Connection client(world, "192.0.2.1", Session::Listener::kAdmin);
    client.say(request("PUT", "/admin/v1/breakers/tool/pay", kToken));
    client.leave();
  }
  EXPECT_TRUE(work.run(store, 1));
  EXPECT_EQ(store.kill_switches()->size(), 1u) << "what was asked is done all the same";
}

}  // namespace
}  // namespace weir
