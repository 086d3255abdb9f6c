// What the metrics say of exchanges.
#include <gtest/gtest.h>

#include "gateway/agent_fixture.h"

namespace weir {
namespace {

using namespace stage;

std::string metrics_of(const World& world) {
  std::string out;
  world.metrics.write_prometheus(out);
  return out;
}

const std::string kGpt = R"({gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o")";

TEST(ExchangeMeasure, AStreamIsMeasuredPieceByPieceAndHoldsWhileItRuns) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent, kChatStream));
  EXPECT_GT(world.book.reserved_tokens.value(), 100);
  world.services.now += 300 * kMillisecond;
  world.upstream().bytes(joined({kStreamHead, chunk(kDelta1)}));
  EXPECT_EQ(world.book.active_streams.value(), 1);
  world.services.now += 30 * kMillisecond;
  world.upstream().bytes(joined({chunk(joined({kUsageEvent, kDone})), kLastChunk}));
  const std::string text = metrics_of(world);
  const std::string first = "gen_ai_client_operation_time_to_first_chunk_seconds_bucket" + kGpt;
  EXPECT_TRUE(has(text, first + R"(,le="0.16"} 0)"));
  EXPECT_TRUE(has(text, first + R"(,le="0.32"} 1)"));
  EXPECT_TRUE(has(text, "gen_ai_client_operation_time_per_output_chunk_seconds_bucket" + kGpt + R"(,le="0.04"} 1)"));
  EXPECT_TRUE(has(text, "gen_ai_client_operation_duration_seconds_bucket" + kGpt + R"(,le="0.64"} 1)"));
  EXPECT_TRUE(has(text, "gen_ai_client_token_usage_sum" + kGpt + R"(,gen_ai_token_type="input"} 11)"));
  EXPECT_TRUE(has(text, "gen_ai_client_token_usage_sum" + kGpt + R"(,gen_ai_token_type="output"} 4)"));
  EXPECT_TRUE(has(text, R"(weir_settlements_total{settled="usage"} 1)"));
  EXPECT_TRUE(has(text, R"(weir_decision_duration_seconds_count 1)"));
  EXPECT_TRUE(has(text, R"(weir_settlement_delta_tokens_count 1)"));
  world.expect_quiet();
}

TEST(ExchangeMeasure, AFailureIsTimedByItsStatusAndUsesNoTokens) {
  World world;
  Connection client(world);
  client.say(chat_request(world.agent));
  world.upstream().bytes(response("400 Bad Request", "application/json", "{}"));
  const std::string text = metrics_of(world);
  EXPECT_TRUE(has(text, "gen_ai_client_operation_duration_seconds_count" + kGpt + R"(,error_type="400"} 1)"));
  EXPECT_TRUE(has(text, "gen_ai_client_token_usage_count" + kGpt + R"(,gen_ai_token_type="input"} 0)"));
  EXPECT_TRUE(has(text, R"(weir_settlements_total{settled="none"} 1)"));
  EXPECT_FALSE(has(text, "weir_settlement_delta_tokens_count 1"));
  world.expect_quiet();
}

TEST(ExchangeMeasure, RefusalsAreCountedOnceByLayerAndLimit) {
  World world(kAgentPolicy);
  for (int i = 0; i < 3; ++i) {
    exchange_once(world, world.agent, Talk("Prompt " + std::to_string(i)), json_answer(kChatAnswer));
  }
  EXPECT_EQ(exchange_once(world, world.agent, Talk("One more"), json_answer(kChatAnswer)).status, 429);
  EXPECT_TRUE(has(metrics_of(world), R"(weir_refusals_total{layer="rate",limit="runs"} 1)"));
  EXPECT_TRUE(has(metrics_of(world), "weir_decision_duration_seconds_count 4"));
  world.expect_quiet();
}

}  // namespace
}  // namespace weir
