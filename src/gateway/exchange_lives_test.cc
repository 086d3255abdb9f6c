// Random lives: whatever order events come in, all that was held is settled exactly once and nothing stays open.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <random>

#include "gateway/exchange.h"
#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

using namespace stage;

class Lives {
 public:
  Lives(unsigned seed, bool late_counters) : random_(seed + 1) { world.counters.deferred = late_counters; }

  void step() {
    switch (random_() % 14) {
      case 0:
      case 1:
        arrive();
        return;
      case 2:
        leave();
        return;
      case 3:
        if (world.counters.waiting() > 0) world.counters.answer();
        return;
      case 4:
        world.journal.flush(random_() % 8 != 0);
        return;
      case 5:
        world.clean();
        return;
      case 6:
        pace();
        return;
      case 7:
        world.pool_has_one = true;
        return;
      default:
        play();
    }
  }

  void end() {
    clients_.clear();
    while (world.counters.waiting() > 0 || world.journal.pending()) {
      if (world.counters.waiting() > 0) world.counters.answer();
      world.turn();
    }
    world.expect_quiet();
  }

  World world;

 private:
  void arrive() {
    if (clients_.size() >= 6) return;
    clients_.push_back(std::make_unique<Connection>(world));
    const auto kind = random_() % 5;
    const std::string text = kind < 2   ? chat_request(world.agent, kChatStream)
                             : kind < 4 ? chat_request(world.agent)
                                        : request("POST", "/api/x", world.agent, "{}");
    const std::size_t at = random_() % text.size();
    clients_.back()->session->on_bytes(text.substr(0, at));
    clients_.back()->session->on_bytes(text.substr(at) + (random_() % 3 == 0 ? text : std::string()));
  }

  void leave() {
    if (clients_.empty()) return;
    const auto who = clients_.begin() + static_cast<std::ptrdiff_t>(random_() % clients_.size());
    random_() % 2 == 0 ? (*who)->session->on_closed() : (*who)->session->on_eof();
    clients_.erase(who);
  }

  void pace() {
    if (clients_.empty()) return;
    Connection& client = *clients_[random_() % clients_.size()];
    client.port.unsent_bytes = client.port.unsent_bytes == 0 ? 1 << 20 : 0;
    if (client.port.unsent_bytes == 0) client.session->on_drained();
  }

  void play() {
    std::vector<FakeUpstream*> open;
    for (const auto& call : world.dialed) {
      if (!call->released) open.push_back(call.get());
    }
    if (open.empty()) return;
    FakeUpstream& call = *open[random_() % open.size()];
    const std::string& text = call.sent.find("\"stream\":true") != std::string::npos ? stream_ : whole_;
    std::size_t& at = played_[&call];
    switch (random_() % 24) {
      case 0:
        call.eof_within_turn();
        return;
      case 1:
        call.expire();
        return;
      case 2:
        call.fail(UpstreamFailure::kReset);
        return;
      case 3:
        call.bytes_within_turn("garbage\r\n\r\n");
        return;
      default:
        break;
    }
    const std::size_t size = std::min<std::size_t>(1 + random_() % 300, text.size() - at);
    at += size;
    call.bytes_within_turn(std::string_view(text).substr(at - size, size));
  }

  std::minstd_rand random_;
  // After the end marker the provider leaves the body open for a while.
  const std::string stream_ =
      joined({kStreamHead, chunk(kDelta1), chunk(joined({kUsageEvent, kDone})), chunk(": bye\n\n"), kLastChunk});
  const std::string whole_ = json_answer(kChatAnswer);
  std::vector<std::unique_ptr<Connection>> clients_;
  std::map<FakeUpstream*, std::size_t> played_;
};

RC_GTEST_PROP(ExchangeLives, EveryLifeEndsClean, ()) {
  Lives lives(*rc::gen::resize(1'000'000, rc::gen::inRange(0u, 1'000'000u)), *rc::gen::arbitrary<bool>());
  for (int step = 0; step < 120; ++step) lives.step();
  lives.end();
  RC_ASSERT(!testing::Test::HasFailure());
}

}  // namespace
}  // namespace weir
