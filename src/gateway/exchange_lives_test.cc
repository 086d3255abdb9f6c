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

// Whatever order events come in, everything that was held is settled exactly once and nothing stays open.
RC_GTEST_PROP(ExchangeLives, EveryLifeEndsClean, ()) {
  const auto seed = *rc::gen::inRange(0u, 1'000'000u);
  const auto deferred = *rc::gen::arbitrary<bool>();
  std::minstd_rand random(seed + 1);
  World world;
  world.counters.deferred = deferred;
  const std::string stream = joined({kStreamHead, chunk(kDelta1), chunk(joined({kUsageEvent, kDone})), kLastChunk});
  const std::string whole = json_answer(kChatAnswer);
  std::vector<std::unique_ptr<Connection>> clients;
  std::map<FakeUpstream*, std::size_t> played;
  for (int step = 0; step < 40; ++step) {
    const auto choice = random() % 12;
    if (choice < 2 && clients.size() < 6) {
      clients.push_back(std::make_unique<Connection>(world));
      clients.back()->session->on_bytes(chat_request(world.agent, random() % 2 == 0 ? kChat : kChatStream));
    } else if (choice == 2 && !clients.empty()) {
      const auto victim = clients.begin() + static_cast<std::ptrdiff_t>(random() % clients.size());
      (*victim)->session->on_closed();
      clients.erase(victim);
    } else if (choice == 3 && world.counters.waiting() > 0) {
      world.counters.answer();
    } else if (choice == 4) {
      world.journal.flush(random() % 8 != 0);
    } else if (choice == 5) {
      world.clean();
    } else if (!world.dialed.empty()) {
      FakeUpstream& call = *world.dialed[random() % world.dialed.size()];
      if (call.released) continue;
      const std::string& text = call.sent.find("\"stream\":true") != std::string::npos ? stream : whole;
      std::size_t& at = played[&call];
      const auto fate = random() % 20;
      if (fate == 0) {
        call.eof_within_turn();
      } else if (fate == 1) {
        call.expire();
      } else if (fate == 2) {
        call.fail(UpstreamFailure::kReset);
      } else if (at < text.size()) {
        const std::size_t size = std::min<std::size_t>(1 + random() % 200, text.size() - at);
        at += size;
        call.bytes_within_turn(std::string_view(text).substr(at - size, size));
      }
    }
  }
  clients.clear();
  while (world.counters.waiting() > 0 || world.journal.pending()) {
    if (world.counters.waiting() > 0) world.counters.answer();
    world.turn();
  }
  world.expect_quiet();
  RC_ASSERT(!testing::Test::HasFailure());
}

}  // namespace
}  // namespace weir
