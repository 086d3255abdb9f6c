#include "network.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::sim {
namespace {

struct End final : WireEvents {
  std::unique_ptr<Wire> wire;
  std::string bytes;
  int opened = 0, eofs = 0, resets = 0, drained = 0;
  bool refused = false;
  std::vector<std::size_t> pieces;
  void on_wire_open() override { ++opened; }
  void on_wire_bytes(std::string_view more) override {
    bytes += more;
    pieces.push_back(more.size());
  }
  void on_wire_eof() override { ++eofs; }
  void on_wire_reset(bool was_refused) override {
    ++resets;
    refused = was_refused;
  }
  void on_wire_drained() override { ++drained; }
};

struct Server final : Listener {
  End end;
  WireEvents* on_accept(std::unique_ptr<Wire> wire) override {
    end.wire = std::move(wire);
    return &end;
  }
};

class NetworkTest : public testing::Test {
 protected:
  void run(DurationNs time = kMinute) {
    const TimeNs until = schedule.now() + time;
    while (schedule.step(until)) continue;
  }
  void connect() {
    network.listen("server", server);
    client.wire = network.connect("client", "server", client);
    run();
    ASSERT_EQ(client.opened, 1);
  }
  Schedule schedule{1'000 * kSecond};
  Trace trace;
  Network network{schedule, Random(7), trace};
  Server server;
  End client;
};

TEST_F(NetworkTest, BytesArriveInOrderWhateverTheSegmentsAndLosses) {
  network.set_link("client", "server", {.latency_max = 50 * kMillisecond, .loss_permille = 100, .segment = 3});
  connect();
  std::string sent;
  for (int i = 0; i < 200; ++i) {
    const std::string piece = std::to_string(i) + ";";
    client.wire->send(piece);
    sent += piece;
  }
  run();
  EXPECT_EQ(server.end.bytes, sent);
  EXPECT_GT(server.end.pieces.size(), 50u);
}

TEST_F(NetworkTest, NothingIsDeliveredFromWithinACall) {
  connect();
  client.wire->send("hello");
  EXPECT_EQ(server.end.bytes, "");
  run();
  EXPECT_EQ(server.end.bytes, "hello");
}

TEST_F(NetworkTest, AConnectionToNobodyIsRefused) {
  client.wire = network.connect("client", "nowhere", client);
  run();
  EXPECT_EQ(client.resets, 1);
  EXPECT_TRUE(client.refused);
  EXPECT_EQ(client.opened, 0);
}

TEST_F(NetworkTest, FinishedBytesAreReadBeforeTheEnd) {
  connect();
  client.wire->send("last words");
  client.wire->finish();
  client.wire.reset();
  run();
  EXPECT_EQ(server.end.bytes, "last words");
  EXPECT_EQ(server.end.eofs, 1);
  EXPECT_EQ(server.end.resets, 0);
}

TEST_F(NetworkTest, AnEndThatGoesWithoutAWordResetsTheOther) {
  connect();
  client.wire.reset();
  run();
  EXPECT_EQ(server.end.resets, 1);
  EXPECT_EQ(client.resets, 0);
}

TEST_F(NetworkTest, AReaderThatDoesNotReadStopsTheSender) {
  network.set_link("client", "server", {.window = 1000});
  connect();
  server.end.wire->want_read(false);
  client.wire->send(std::string(5000, 'x'));
  run();
  EXPECT_EQ(server.end.bytes, "");
  EXPECT_EQ(client.wire->unsent(), 4000u);
  server.end.wire->want_read(true);
  run();
  EXPECT_EQ(server.end.bytes.size(), 5000u);
  EXPECT_EQ(client.wire->unsent(), 0u);
  EXPECT_EQ(client.drained, 1);
}

TEST_F(NetworkTest, APartitionDelaysAndLosesNothing) {
  connect();
  network.partition("client", "server", schedule.now() + 10 * kSecond);
  client.wire->send("through");
  run(9 * kSecond);
  EXPECT_EQ(server.end.bytes, "");
  run();
  EXPECT_EQ(server.end.bytes, "through");
}

TEST_F(NetworkTest, AClogIsOneDirectionOnly) {
  connect();
  network.clog("client", "server", schedule.now() + 10 * kSecond);
  client.wire->send("there");
  server.end.wire->send("back");
  run(9 * kSecond);
  EXPECT_EQ(server.end.bytes, "");
  EXPECT_EQ(client.bytes, "back");
}

TEST_F(NetworkTest, AResetIsToldToBothEndsOnce) {
  connect();
  EXPECT_EQ(network.reset_all("client", "*"), 1u);
  run();
  EXPECT_EQ(client.resets, 1);
  EXPECT_EQ(server.end.resets, 1);
  EXPECT_EQ(network.reset_all("*", "*"), 0u);
}

TEST(Network, TheSameSeedGivesTheSameSegments) {
  const auto pieces = [](std::uint64_t seed) {
    Schedule schedule(0);
    Trace trace;
    Network network(schedule, Random(seed), trace);
    network.set_link("*", "*", {.latency_max = kSecond, .loss_permille = 50, .segment = 9});
    Server server;
    End client;
    network.listen("server", server);
    client.wire = network.connect("client", "server", client);
    client.wire->send(std::string(1000, 'x'));
    while (schedule.step(kHour)) continue;
    return server.end.pieces;
  };
  EXPECT_EQ(pieces(1), pieces(1));
  EXPECT_NE(pieces(1), pieces(2));
}

TEST(ScheduleTest, WorkOfOneInstantRunsInTheOrderInWhichItWasAskedFor) {
  Schedule schedule(0);
  std::vector<int> ran;
  schedule.at(5, [&] {
    ran.push_back(1);
    schedule.at(5, [&] { ran.push_back(3); });
  });
  schedule.at(5, [&] { ran.push_back(2); });
  schedule.at(4, [&] { ran.push_back(0); });
  while (schedule.step(10)) continue;
  EXPECT_EQ(ran, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(schedule.now(), 10);
}

TEST(ScheduleTest, ATimerThatIsMovedOrGoneDoesNotRing) {
  Schedule schedule(0);
  int rang = 0;
  {
    Timer gone(schedule, [&] { rang += 100; });
    gone.set(1);
  }
  Timer timer(schedule, [&] { ++rang; });
  timer.set(2);
  timer.set(6);
  while (schedule.step(5)) continue;
  EXPECT_EQ(rang, 0);
  while (schedule.step(7)) continue;
  EXPECT_EQ(rang, 1);
  EXPECT_FALSE(timer.is_set());
}

TEST(RandomTest, GapsAverageToAboutWhatIsAskedFor) {
  Random random(3);
  std::int64_t sum = 0;
  for (int i = 0; i < 100'000; ++i) sum += random.gap(1'000'000);
  EXPECT_NEAR(static_cast<double>(sum) / 100'000, 1e6, 6e4);
}

TEST(RandomTest, WhatOneForkDrawsChangesNothingForAnother) {
  const Random root(9);
  Random a = root.fork("a"), b = root.fork("b");
  for (int i = 0; i < 10; ++i) a.next();
  Random again = root.fork("b");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(b.next(), again.next());
}

}  // namespace
}  // namespace weir::sim
