#include <gtest/gtest.h>

#include <set>

#include "model/attributes.h"
#include "model/consumer.h"
#include "model/refusal.h"
#include "model/usage.h"

namespace weir {
namespace {

TEST(AttributeTest, EveryNameIsDistinctAndReadsBack) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kAttributeCount; ++i) {
    const auto attribute = static_cast<Attribute>(i);
    EXPECT_TRUE(names.insert(to_string(attribute)).second);
    EXPECT_EQ(attribute_from(to_string(attribute)), attribute);
  }
  EXPECT_EQ(to_string(Attribute::kKey), "key");
  EXPECT_EQ(to_string(Attribute::kMethod), "method");
  EXPECT_EQ(to_string(Attribute::kConversation), "conversation");
  EXPECT_FALSE(attribute_from("Key"));
  EXPECT_FALSE(attribute_from(""));
}

TEST(AttributeTest, OnlyWhatACallerCanInventIsAsserted) {
  EXPECT_TRUE(is_caller_asserted(Attribute::kConversation));
  EXPECT_TRUE(is_caller_asserted(Attribute::kDepth));
  EXPECT_FALSE(is_caller_asserted(Attribute::kKey));
  EXPECT_FALSE(is_caller_asserted(Attribute::kUser));
  EXPECT_FALSE(is_caller_asserted(Attribute::kModel));
}

TEST(AttributesTest, AbsentIsNotEmpty) {
  Attributes attributes;
  EXPECT_FALSE(attributes.has(Attribute::kUser));
  attributes.set(Attribute::kUser, "");
  EXPECT_TRUE(attributes.has(Attribute::kUser));
}

TEST(NamesTest, AreThoseOfTheLedger) {
  EXPECT_STREQ(to_string(ConsumerKind::kService), "service");
  EXPECT_STREQ(to_string(ConsumerStatus::kRevoked), "revoked");
  EXPECT_STREQ(to_string(Settled::kCounted), "counted");
  EXPECT_STREQ(to_string(AuditEvent::kStripped), "stripped");
}

TEST(MachineJsonTest, WritesEveryMember) {
  Refusal r{.limit = "tokens",
            .layer = "budget",
            .per = {{"tenant", "acme\"x"}},
            .meter = "tokens",
            .allowed = "50000",
            .used = "48210",
            .reserved = "1100",
            .requested = "2600",
            .window = "1m",
            .retry_after_s = 31.2,
            .reset_at = 1'700'000'000 * kSecond + 250 * kMillisecond,
            .also = {"spend"}};
  EXPECT_EQ(machine_json(r),
            R"({"limit":"tokens","layer":"budget","per":{"tenant":"acme\"x"},"meter":"tokens","allowed":50000,)"
            R"("window":"1m","used":48210,"reserved":1100,"requested":2600,"retry_after":31.2,)"
            R"("reset_at":"2023-11-14T22:13:20.250Z","also":["spend"]})");
}

TEST(MachineJsonTest, EmptyIsNull) {
  Refusal r;
  r.limit = "in-flight";
  r.layer = "rate";
  r.meter = "concurrency";
  EXPECT_EQ(machine_json(r),
            R"({"limit":"in-flight","layer":"rate","per":{},"meter":"concurrency","allowed":null,"window":null,)"
            R"("used":null,"reserved":null,"requested":null,"retry_after":null,"reset_at":null,"also":[]})");
}

TEST(Tools, OfARowAreNamesWithCountsEachOnce) {
  std::string tools;
  for (const char* name : {"search", "send_email", "search", "a,b", "odd*3", ""}) add_tool(tools, name);
  EXPECT_EQ(tools, "search*2,send_email,a_b,odd*3*1");
  EXPECT_EQ(tool_counts(tools), (std::vector<ToolCount>{{"search", 2}, {"send_email", 1}, {"a_b", 1}, {"odd*3", 1}}));
  EXPECT_TRUE(tool_counts("").empty());
  EXPECT_EQ(tool_counts("a*x,*"), (std::vector<ToolCount>{{"a*x", 1}, {"*", 1}}));
}

TEST(Tools, OfARowAreAtMostSixteen) {
  std::string tools;
  for (int i = 0; i < 100; ++i) add_tool(tools, "tool" + std::to_string(i));
  add_tool(tools, "tool3");
  const auto counts = tool_counts(tools);
  ASSERT_EQ(counts.size(), kMaxToolsOfRow);
  EXPECT_EQ(counts[3], (ToolCount{"tool3", 2}));
}

TEST(AuditEvents, AreReadAsTheyAreWritten) {
  EXPECT_EQ(audit_event_from("stripped"), AuditEvent::kStripped);
  EXPECT_EQ(audit_event_from("Stripped"), std::nullopt);
  for (int i = 0; i <= static_cast<int>(AuditEvent::kAdmin); ++i) {
    EXPECT_EQ(audit_event_from(to_string(static_cast<AuditEvent>(i))), static_cast<AuditEvent>(i));
  }
}

}  // namespace
}  // namespace weir
