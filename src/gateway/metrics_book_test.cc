#include "gateway/metrics_book.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

class MetricsBookTest : public testing::Test {
 protected:
  std::string text() const {
    std::string out;
    metrics.write_prometheus(out);
    return out;
  }
  bool says(const std::string& line) const { return text().find(line + "\n") != std::string::npos; }
  std::size_t series(const std::string& begin) const {
    std::size_t count = 0;
    const std::string all = text();
    for (std::size_t at = all.find("\n" + begin); at != std::string::npos; at = all.find("\n" + begin, at + 1)) ++count;
    return count;
  }

  Metrics metrics;
  MetricsBook book{metrics};
};

TEST_F(MetricsBookTest, UsageIsTokensMicroDollarsAndDollars) {
  book.usage("gpt-4o", {.input_uncached = 5, .output_visible = 2}, 1'500'000);
  EXPECT_TRUE(says(R"(weir_tokens_total{kind="input",model="gpt-4o"} 5)"));
  EXPECT_TRUE(says(R"(weir_cost_usd_micros_total{model="gpt-4o"} 1500000)"));
  EXPECT_TRUE(says(R"(weir_cost_usd_total{model="gpt-4o"} 1.5)"));
}

TEST_F(MetricsBookTest, RefusalsOfToolCallsCountForTheToolToo) {
  book.refusal("budget", "daily", {});
  book.refusal("tool", "mail", "send_email");
  book.tool_calls.add("send_email", "allow");
  book.tool_calls.add("send_email", "allow");
  EXPECT_TRUE(says(R"(weir_refusals_total{layer="budget",limit="daily"} 1)"));
  EXPECT_TRUE(says(R"(weir_refusals_total{layer="tool",limit="mail"} 1)"));
  EXPECT_TRUE(says(R"(weir_tool_calls_total{tool="send_email",decision="refuse"} 1)"));
  EXPECT_TRUE(says(R"(weir_tool_calls_total{tool="send_email",decision="allow"} 2)"));
}

TEST_F(MetricsBookTest, NamesFromOutsideAreBoundedAlsoOverSeveralWorkers) {
  MetricsBook other(metrics);
  for (int i = 0; i < 2000; ++i) {
    const std::string name = "name-" + std::to_string(i);
    MetricsBook& one = i % 2 == 0 ? book : other;
    one.tool_calls.add(name, "allow");
    one.usage(name, {.input_uncached = 1}, 1);
    one.gen_ai.series(Operation::kMessages, "claude", name).input_tokens->observe(1);
    one.gen_ai.mcp_call("tools/call", name, 0.1, 200);
    one.gen_ai.mcp_call(name, {}, 0.1, 400 + i % 600);
  }
  EXPECT_EQ(series("weir_tool_calls_total{"), MetricsBook::kMaxTools + 1);
  EXPECT_EQ(series("weir_cost_usd_total{"), GenAiMetrics::kMaxModels + 1);
  EXPECT_EQ(series("gen_ai_client_token_usage_count{"), 2 * (GenAiMetrics::kMaxModels + 1));
  EXPECT_TRUE(says(R"(weir_tool_calls_total{tool="other",decision="allow"} 1900)"));
  EXPECT_TRUE(says(R"(weir_cost_usd_total{model="other"} 0.0018)"));
  EXPECT_LE(series("mcp_client_operation_duration_seconds_count{mcp_method_name=\"tools/call\""),
            GenAiMetrics::kMaxTools + 1);
  EXPECT_LE(series("mcp_client_operation_duration_seconds_count{"),
            GenAiMetrics::kMaxTools + 1 + (GenAiMetrics::kMaxMethods + 1) * (GenAiMetrics::kMaxErrors + 1));
}

TEST_F(MetricsBookTest, CallsOfModelsAreNamedAsTheConventionsSay) {
  const auto& series = book.gen_ai.series(Operation::kMessages, "claude", "sonnet");
  EXPECT_EQ(&series, &book.gen_ai.series(Operation::kMessages, "claude", "sonnet"));
  series.output_tokens->observe(60);
  book.gen_ai.model_call(series, 0.03, 200);
  book.gen_ai.model_call(series, 1, 529);
  const std::string labels =
      R"(gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",gen_ai_request_model="sonnet")";
  EXPECT_TRUE(says("gen_ai_client_token_usage_bucket{" + labels + R"(,gen_ai_token_type="output",le="64"} 1)"))
      << text();
  EXPECT_TRUE(says("gen_ai_client_operation_duration_seconds_bucket{" + labels + R"(,le="0.04"} 1)"));
  EXPECT_TRUE(says("gen_ai_client_operation_duration_seconds_count{" + labels + R"(,error_type="529"} 1)"));
  EXPECT_EQ(gen_ai_provider("gemini"), "gcp.gemini");
  EXPECT_EQ(gen_ai_provider("my-own"), "my-own");
}

}  // namespace
}  // namespace weir
