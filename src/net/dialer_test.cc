#include "net/dialer.h"

#include <gtest/gtest.h>

#include <string>

#include "net/clock.h"
#include "providers/simulator.h"

namespace weir {
namespace {

struct Answer final : UpstreamEvents {
  explicit Answer(Loop& its_loop) : loop(its_loop) {}
  void on_upstream_bytes(std::string_view bytes) override {
    text += bytes;
    loop.stop();
  }
  void on_upstream_eof() override { loop.stop(); }
  void on_upstream_failed(UpstreamFailure, const std::string& detail) override { on_upstream_bytes(detail); }
  void on_upstream_deadline() override { loop.stop(); }
  Loop& loop;
  std::string text;
};

// The id of the tool call that the simulator answers with to always the same request.
std::string call_id(int worker) {
  const Clock clock;
  Loop loop(clock);
  Resolver resolver;
  Metrics metrics;
  NetDialer dialer(loop, resolver, metrics.counter("opened", "…"), worker);
  const SimulatorOptions options{.first_byte = 0, .tokens_per_second = 0};
  Answer answer(loop);
  UpstreamPort* port = dialer.dial({.host = "sim", .simulate = &options}, answer, true);
  port->set_deadline(loop.now() + 30 * kSecond);
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"weir-sim: call search"}],)"
                           R"("tools":[{"type":"function","function":{"name":"search"}}]})";
  port->send("POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\ncontent-length: " + std::to_string(body.size()) +
             "\r\n\r\n" + body);
  loop.run();
  port->release(false);
  const std::size_t at = answer.text.find(R"("id":"call_)");
  return at == std::string::npos ? std::string() : answer.text.substr(at, 27);
}

TEST(NetDialer, SimulatedCallsOfTwoWorkersHaveIdsOfTheirOwn) {
  const std::string first = call_id(0);
  EXPECT_NE(first, "");
  EXPECT_EQ(first, call_id(0)) << "the same again in another process";
  EXPECT_NE(first, call_id(1));
}

}  // namespace
}  // namespace weir
