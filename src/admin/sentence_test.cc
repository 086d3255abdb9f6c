// Each kind of audit row in words.
#include "admin/sentence.h"

#include <gtest/gtest.h>

#include "policy/test_policy.h"

namespace weir {
namespace {

LimitRule limit_of(std::string name, std::string meter, WindowRule window) {
  LimitRule limit;
  limit.name = std::move(name);
  limit.meter_name = std::move(meter);
  limit.allow = {{.tier = "", .windows = {std::move(window)}}};
  return limit;
}

Policy policy() {
  Policy out;
  WindowRule minute{.kind = WindowKind::kSliding, .length = kMinute};
  minute.amount = 50'000;
  WindowRule day{.kind = WindowKind::kCalendar};
  day.calendar = "day";
  day.amount = 10'000'000;
  WindowRule bucket{.kind = WindowKind::kBucket};
  bucket.label = "10/s";
  bucket.amount = 50;
  WindowRule flight{.kind = WindowKind::kConcurrency};
  flight.amount = 4;
  out.limits = {limit_of("tokens", "tokens", minute), limit_of("spend", "usd", day),
                limit_of("burst", "requests", bucket), limit_of("in-flight", "concurrency", flight)};
  return out;
}

AuditRow refusal(std::string limit, std::string used, std::string reserved, std::string requested,
                 std::string allowed) {
  AuditRow row{.time = 1, .key = "acme-bot", .layer = "rate", .limit = std::move(limit)};
  row.per_json = R"({"key":"acme-bot"})";
  row.used = std::move(used);
  row.reserved = std::move(reserved);
  row.requested = std::move(requested);
  row.allowed = std::move(allowed);
  row.retry_after_s = 30.2;
  return row;
}

std::string said(const AuditRow& row) {
  const Policy known = policy();
  return sentence_of(row, &known);
}

TEST(Sentence, ARefusalByALimitHasItsNumbersItsWindowAndWhenThereIsRoom) {
  EXPECT_EQ(said(refusal("tokens", "48210", "1100", "2600", "50000")),
            "acme-bot had used 48,210 of 50,000 tokens within 1 minute and held 1,100; this request asked for 2,600 "
            "more. Room again in 31 s.");
  EXPECT_EQ(
      said(refusal("spend", "9.75", "0", "0.50", "10")),
      "acme-bot had used $9.75 of $10 in this calendar day; this request asked for $0.50 more. Room again in 31 s.");
  EXPECT_EQ(said(refusal("burst", "50", "0", "1", "50")),
            "acme-bot had used 50 of 50 requests at once (refilled at 10/s); this request asked for 1 more. Room again "
            "in 31 s.");
  EXPECT_EQ(said(refusal("in-flight", "4", "0", "1", "4")),
            "acme-bot had used 4 of 4 requests at once; this request asked for 1 more. Room again in 31 s.");
}

TEST(Sentence, WithoutThePolicyOrItsLimitTheNumbersStandAlone) {
  const AuditRow row = refusal("tokens", "48210", "0", "2600", "50000");
  const std::string bare = "acme-bot had used 48,210 of 50,000; this request asked for 2,600 more. Room again in 31 s.";
  EXPECT_EQ(sentence_of(row, nullptr), bare);
  AuditRow gone = row;
  gone.limit = "gone";
  EXPECT_EQ(said(gone), bare);
  EXPECT_EQ(sentence_of(refusal("x", "9.75", "0", "0.50", "10"), nullptr),
            "acme-bot had used $9.75 of $10; this request asked for $0.50 more. Room again in 31 s.");
}

TEST(Sentence, SaysWhoseAmountItIsAndHowLongToWait) {
  AuditRow row = refusal("tokens", "1", "0", "2", "2");
  row.per_json = "{}";
  row.retry_after_s = -1;
  EXPECT_EQ(sentence_of(row, nullptr),
            "everybody together had used 1 of 2; this request asked for 2 more. That can never fit.");
  row.per_json = R"({"model":"gpt-4o","key":"acme-bot"})";
  row.retry_after_s = 3 * 3600;
  EXPECT_EQ(sentence_of(row, nullptr),
            "acme-bot with model gpt-4o had used 1 of 2; this request asked for 2 more. Room again in 3 hours.");
  row.retry_after_s = 4 * 86400 + 3 * 3600 + 1;
  EXPECT_TRUE(sentence_of(row, nullptr).ends_with("Room again in 4 days 4 hours."));
  row.retry_after_s = 2 * 3600 + 61;
  EXPECT_TRUE(sentence_of(row, nullptr).ends_with("Room again in 2 hours 2 minutes."));
  row.count = 1200;
  row.retry_after_s = 0.01;
  EXPECT_TRUE(sentence_of(row, nullptr).ends_with("Room again in 1 s. It happened 1,200 times within that second."));
}

TEST(Sentence, ToolsAreDeniedStrippedOrUsedUp) {
  AuditRow row = refusal("tools", "0", "0", "1", "0");
  row.layer = "tool";
  row.tool = "send_email";
  row.retry_after_s = -1;
  EXPECT_EQ(said(row), "acme-bot may not use the tool `send_email`.");
  row.event = AuditEvent::kStripped;
  EXPECT_EQ(said(row), "The tool `send_email` was taken from the request of acme-bot: it may not be used.");
  row = refusal("mails", "3", "0", "1", "3");
  row.layer = "tool";
  row.tool = "send_email";
  EXPECT_EQ(said(row), "acme-bot had used 3 of 3; this call of `send_email` asked for 1 more. Room again in 31 s.");
}

TEST(Sentence, BreakersGiveTheirEvidence) {
  AuditRow row{.time = 1, .key = "acme-bot", .event = AuditEvent::kBroken, .layer = "breaker", .limit = "repeats"};
  row.evidence = "`search` was called 5 times with the same arguments in run r1 within 5 minutes";
  EXPECT_EQ(said(row), "Breaker `repeats` stopped acme-bot: " + row.evidence + ".");
  row.event = AuditEvent::kWarned;
  EXPECT_EQ(said(row), "Only a warning (`repeats`): " + row.evidence + ".");
  row = {.time = 1, .key = "acme-bot", .event = AuditEvent::kBroken, .layer = "breaker", .limit = "runs"};
  EXPECT_EQ(said(row), "Breaker `runs` stopped acme-bot.");
}

TEST(Sentence, KillSwitchesTrustAndLadders) {
  AuditRow row{
      .time = 1, .key = "acme-bot", .layer = "breaker", .limit = "killed", .per_json = R"({"agent":"crawler"})"};
  EXPECT_EQ(said(row), "The agent crawler is stopped by a kill switch.");
  row.evidence = "agent crawler was stopped by an operator: phishing";
  EXPECT_EQ(said(row), "agent crawler was stopped by an operator: phishing.");
  row = {.time = 1, .key = "acme-bot", .event = AuditEvent::kTrust, .layer = "breaker", .limit = "profile"};
  row.evidence = "trust 1000 to 833 of 1000: first use of send_email";
  EXPECT_EQ(said(row), "Weir trusts acme-bot less: trust 1000 to 833 of 1000: first use of send_email.");
  row = {.time = 1, .key = "acme-bot", .event = AuditEvent::kDegraded, .layer = "budget", .limit = "spend"};
  row.evidence = "spend; model=gpt-4o-mini; max_tokens=256";
  EXPECT_EQ(said(row),
            "The budget `spend` of acme-bot was running low, so that the request was answered by less: "
            "model=gpt-4o-mini, max_tokens=256.");
}

TEST(Sentence, WhatOperatorsChanged) {
  AuditRow row{.time = 1, .event = AuditEvent::kAdmin, .layer = "admin", .limit = "keys create"};
  row.per_json = R"({"key":"alice"})";
  row.evidence = "by admin: kind=human tier=pro";
  EXPECT_EQ(said(row), "admin created the key alice: kind=human tier=pro.");
  row.limit = "keys revoke";
  row.evidence = "by cli";
  EXPECT_EQ(said(row), "cli revoked the key alice.");
  row.limit = "limit set";
  row.per_json = R"({"limit":"tokens"})";
  EXPECT_EQ(said(row), "cli did `limit set` on limit tokens.");
  row.limit = "retention";
  row.per_json = R"({"base":"00"})";
  row.evidence = "by retention: 5 rows from before X deleted, 5 in all";
  EXPECT_EQ(said(row), "Retention: 5 rows from before X deleted, 5 in all.");
}

TEST(Sentence, IsOneForEveryRowHoweverBare) {
  for (int event = 0; event <= static_cast<int>(AuditEvent::kAdmin); ++event) {
    for (const char* layer : {"", "rate", "budget", "tool", "plan", "breaker", "entry", "admin"}) {
      for (const char* limit : {"", "tools", "killed", "table_full", "holds", "tool_calls"}) {
        AuditRow row{.time = 1, .event = static_cast<AuditEvent>(event), .layer = layer, .limit = limit};
        row.per_json = "broken {";
        EXPECT_TRUE(said(row).ends_with('.')) << said(row);
      }
    }
  }
}

TEST(Sentence, NamesOfCallersAreCutAndHaveNoControlCharacters) {
  AuditRow row = refusal("tokens", "1", "0", "2", "2");
  row.per_json = R"({"user":")" + std::string(500, 'x') + R"(\n\u0007"})";
  const std::string sentence = sentence_of(row, nullptr);
  EXPECT_LT(sentence.size(), 250u);
  EXPECT_EQ(sentence.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace weir
