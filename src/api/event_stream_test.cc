// GET /admin/v1/events, watched through a session while requests go through another.
#include <gtest/gtest.h>

#include "admin/routes.h"
#include "admin/test_host.h"
#include "api/endpoints.h"
#include "gateway/gateway_fixture.h"
#include "journal/test_support.h"

namespace weir {
namespace {

using namespace stage;

class EventStream : public testing::Test {
 protected:
  static constexpr std::string_view kToken = "the-admin-token";
  EventStream() {
    add_live_routes(router);
    world.services.endpoints = &api;
    world.services.events = &host.observed.open_feed();
    host.observed.step(kNoon);
  }
  ~EventStream() override { api.shut_down(); }

  std::string ask(std::string_view query, std::string_view token = kToken) {
    return request("GET", std::string("/admin/v1/events").append(query), token);
  }
  // A second of ten looks passes.
  void pass_second() {
    for (int i = 0; i < 10; ++i) {
      world.pass(kSecond / 10);
      host.observed.step(world.services.now);
    }
  }

  World world;
  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
  FakeAdminHost host{world};
  AdminRouter router{host};
  AdminWork work{[] {}};
  AdminAccess access{Secret(std::string(kToken))};
  ApiOptions options{.access = &access, .router = &router, .admin = &work, .observer = &host.observed};
  Api api{options};
  Connection watcher{world, "192.0.2.1", Session::Listener::kAdmin};
};

TEST_F(EventStream, ShowsDecisionsWithSentencesAndATickEverySecond) {
  watcher.say(ask(""));
  Connection client(world);
  client.say(chat_request(world.agent));
  Connection other(world);
  other.say(chat_request(world.agent, R"({"model":"unknown","messages":[]})"));
  pass_second();
  const Received seen = watcher.answer();
  EXPECT_EQ(seen["content-type"], "text/event-stream; charset=utf-8");
  EXPECT_TRUE(
      seen.body.starts_with("retry: 2000\n\nevent: decision\ndata: {\"time\":\"2026-11-21T12:00:00.000Z\","
                            "\"what\":\"admitted\",\"request_id\":\"req_"))
      << seen.body;
  EXPECT_TRUE(has(seen.body, R"("sentence":"`agent-1` was admitted to `gpt-4o`; nearest to its amount is)"));
  EXPECT_TRUE(has(seen.body, "event: tick\ndata: {\"time\":\"2026-11-21T12:00:00Z\",\"requests\":2,"));
  host.observed.changed("policy", "v2");
  EXPECT_TRUE(has(watcher.answer().body, "event: changed\ndata: {\"what\":\"policy\",\"version\":\"v2\"}\n\n"));
  client.leave();
}

TEST_F(EventStream, ShowsOnlyWhatWasAskedFor) {
  watcher.say(ask("?only=settled,refused&key=agent-1"));
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes(json_answer(kChatAnswer));
  pass_second();
  EXPECT_TRUE(has(watcher.answer().body, "\"what\":\"settled\""));
  EXPECT_FALSE(has(watcher.answer().body, "\"what\":\"admitted\""));
}

TEST_F(EventStream, ATokenInTheQueryIsRefusedAlsoWhereAKeyIsNamed) {
  watcher.say(ask("?key=weiradmin_0123"));
  EXPECT_EQ(watcher.answer().status, 400);
  EXPECT_TRUE(has(watcher.answer().body, "never taken from the URL"));
}

TEST_F(EventStream, AsksThatMakeNoSenseAreAnsweredWithWhatIsWrong) {
  for (const auto& [query, word] : {std::pair("?only=refusals", "settled, refused"), std::pair("?keys=ann", "keys"),
                                    std::pair("?only=", "`only`")}) {
    Connection client(world, "192.0.2.1", Session::Listener::kAdmin);
    client.say(ask(query));
    EXPECT_EQ(client.answer().status, 400) << query;
    EXPECT_TRUE(has(client.answer().body, word)) << query;
  }
  watcher.say(ask("", "wrong"));
  EXPECT_EQ(watcher.answer().status, 401);
}

TEST_F(EventStream, IsForAtMost64AndAPlaceBecomesFreeWhenOneLeaves) {
  std::vector<std::unique_ptr<Connection>> all;
  for (std::size_t i = 0; i < Watchers::kMaxWatchers; ++i) {
    all.push_back(std::make_unique<Connection>(world, "192.0.2.1", Session::Listener::kAdmin));
    all.back()->say(ask(""));
    EXPECT_EQ(all.back()->answer().status, 200);
  }
  watcher.say(ask(""));
  EXPECT_EQ(watcher.answer().status, 503);
  EXPECT_EQ(watcher.answer()["retry-after"], "30");
  all.pop_back();
  EXPECT_EQ(host.observed.watchers().count(), Watchers::kMaxWatchers - 1);
  watcher.say(ask(""));
  EXPECT_EQ(watcher.answers().back().status, 200);
}

TEST_F(EventStream, AReaderThatIsTooSlowMissesDecisionsAndIsToldHowMany) {
  watcher.say(ask(""));
  Connection client(world);
  watcher.port.unsent_bytes = kMaxUnsentOfStream + 1;
  client.say(chat_request(world.agent));
  world.pass(kSecond / 10);
  host.observed.step(world.services.now);
  watcher.port.unsent_bytes = 0;
  pass_second();
  EXPECT_FALSE(has(watcher.answer().body, "event: decision"));
  EXPECT_TRUE(has(watcher.answer().body, "event: sampled\ndata: {\"shown\":0,\"of\":1}\n\n"));
  client.leave();
}

TEST_F(EventStream, ATokenThatIsTakenBackEndsItsStream) {
  AdminAccess other(Secret("another-token"));
  watcher.say(ask(""));
  options.access = &other;
  pass_second();
  EXPECT_TRUE(watcher.answer().complete);
  EXPECT_EQ(host.observed.watchers().count(), 0u);
}

TEST_F(EventStream, IsRefusedWhileTheServerEnds) {
  world.health.draining = true;
  watcher.say(ask(""));
  EXPECT_EQ(watcher.answer().status, 503);
}

TEST_F(EventStream, LiveIsARouteLikeOthers) {
  const auto live = [&](std::string_view query) {
    Connection client(world, "192.0.2.1", Session::Listener::kAdmin);
    client.say(request("GET", std::string("/admin/v1/live").append(query), kToken));
    work.run(store, world.services.now);
    return client.answer();
  };
  EXPECT_EQ(live("?seconds=2").status, 200);
  EXPECT_TRUE(has(live("?seconds=2").body, R"("step_s":1,"times":["2026-11-21T11:59:59Z","2026-11-21T12:00:00Z"])"));
  EXPECT_EQ(live("?seconds=901").status, 400);
  EXPECT_EQ(live("?second=1").status, 400);
}

}  // namespace
}  // namespace weir
