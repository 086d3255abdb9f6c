// What is sent, how it is signed, and when it is sent again.
#include "alerts/messages.h"

#include <gtest/gtest.h>

#include "alerts/retries.h"
#include "alerts/tally.h"

namespace weir {
namespace {

constexpr TimeNs kNow = 1'795'000'000 * kSecond;

AlertChange change() {
  AlertChange out;
  out.alert.id = alert_id("budget", "spend of key ann", kNow);
  out.alert.rule = "budget";
  out.alert.subject = "spend of key <!channel> & co";
  out.alert.since = out.alert.told_at = kNow;
  out.alert.value = 85.5;
  out.alert.threshold = 80;
  out.alert.sentence = "Key <!channel> & co is at 85%.";
  return out;
}

TEST(AlertMessagesTest, AWebhookGetsTheAlert) {
  EXPECT_EQ(message_body(AlertTarget::Kind::kWebhook, change()),
            R"({"type":"alert","event":"firing","id":")" + hex_id(change().alert.id) +
                R"(","rule":"budget","subject":"spend of key <!channel> & co","state":"firing",)"
                R"("since":"2026-11-18T11:06:40.000Z","until":null,"value":85.5,"threshold":80,"cause":null,)"
                R"("sentence":"Key <!channel> & co is at 85%."})");
}

TEST(AlertMessagesTest, SlackGetsATextInWhichNamesAreNoMarkup) {
  const std::string body = message_body(AlertTarget::Kind::kSlack, change());
  EXPECT_TRUE(body.starts_with(R"({"text":"Alert: budget: Key &lt;!channel&gt; &amp; co is at 85%.","blocks":[)"))
      << body;
  EXPECT_EQ(body.find("<!channel>"), std::string::npos);
}

TEST(AlertMessagesTest, TheSignatureIsWhatOthersCompute) {
  // printf 'id-1.1795000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef
  EXPECT_EQ(signature("0123456789abcdef", "id-1", kNow, "{}"),
            "t=1795000000,v1=4c7cb0b5bde3ee0a02b49eebd9640ace998dc436fe120213c492895e751cb574");
}

TEST(AlertMessagesTest, IdsTellMessagesApartAndRepeatForTheSameOne) {
  AlertChange first = change(), again = change(), over = change();
  again.what = AlertChange::What::kAgain;
  again.alert.told_at += kHour;
  over.what = AlertChange::What::kResolved;
  EXPECT_EQ(message_id(first), message_id(change()));
  EXPECT_NE(message_id(first), message_id(again));
  EXPECT_NE(message_id(first), message_id(over));
  EXPECT_TRUE(message_id(over).starts_with(hex_id(over.alert.id) + "-resolved-"));
}

TEST(AlertRetriesTest, PausesGrowToHalfAnHourAndEndAfterADay) {
  TimeNs now = kNow;
  std::int64_t tries = 1;
  DurationNs longest = 0;
  for (; tries < 1'000; ++tries) {
    const TimeNs next = next_try(tries, kNow, now, static_cast<std::uint64_t>(tries) * 0x9E3779B97F4A7C15);
    if (next == 0) break;
    const DurationNs pause = next - now;
    EXPECT_GE(pause, kFirstPause * 3 / 4);
    EXPECT_LE(pause, kMaxPause * 5 / 4);
    longest = std::max(longest, pause);
    now = next;
  }
  EXPECT_GT(now, kNow + 23 * kHour);
  EXPECT_LE(now, kNow + kMaxTrying);
  EXPECT_GT(longest, 20 * kMinute);
  EXPECT_LT(tries, 100) << "not many a day";
}

DecisionEvent event(DecisionEvent::What what, const std::string& key) {
  DecisionEvent out;
  out.what = what;
  out.key = key;
  out.tenant = "acme";
  out.run = "run-" + key;
  return out;
}

TEST(AlertTallyTest, AddsUpWhatKeysDidInASecond) {
  AlertTally tally;
  tally.add(event(DecisionEvent::What::kAdmitted, "ann"));
  DecisionEvent settled = event(DecisionEvent::What::kSettled, "ann");
  settled.input_tokens = 10;
  settled.output_tokens = 5;
  settled.usd_micros = 7;
  settled.reserved_tokens = 12;
  settled.provider = "openai";
  settled.status = 502;
  tally.add(settled);
  DecisionEvent refused = event(DecisionEvent::What::kRefused, "ann");
  refused.limit = "tokens";
  tally.add(refused);
  DecisionEvent broken = event(DecisionEvent::What::kBroken, "ann");
  broken.layer = "breaker";
  broken.limit = "repeats";
  broken.evidence = "search again";
  tally.add(broken);
  DecisionEvent strange = event(DecisionEvent::What::kWarned, "ann");
  strange.layer = "breaker";
  strange.limit = "profile";
  strange.evidence = "pay was never used in 30 ordinary runs of this task";
  tally.add(strange);
  strange.evidence = "300 requests within 5 minutes, where this caller's busiest ones have about 20";
  tally.add(strange);
  DecisionEvent killed = event(DecisionEvent::What::kBroken, "ann");
  killed.layer = "breaker";
  killed.limit = "killed";
  tally.add(killed);
  AlertInput input;
  tally.close(kNow, input);
  ASSERT_EQ(input.keys.size(), 1u);
  const KeySecond& ann = input.keys[0];
  EXPECT_EQ(ann.requests, 4);
  EXPECT_EQ(ann.tokens, 15);
  EXPECT_EQ(ann.usd_micros, 7);
  EXPECT_EQ(ann.failed, 1);
  EXPECT_EQ(ann.refused, 1);
  EXPECT_EQ(ann.refused_limit, "tokens");
  EXPECT_EQ(ann.breaks, 1);
  EXPECT_EQ(ann.break_evidence, "search again");
  EXPECT_EQ(ann.anomalies, 1) << "that a caller does more is not what its agent does in its task";
  EXPECT_EQ(ann.threads.size(), 1u);
  EXPECT_EQ(input.settled_used, 15);
  EXPECT_EQ(input.settled_reserved, 12);
  AlertInput next;
  tally.close(kNow + kSecond, next);
  EXPECT_TRUE(next.keys.empty());
  EXPECT_EQ(next.tokens, 0);
}

TEST(AlertTallyTest, MoreKeysThanFitCountInTheSums) {
  AlertTally tally;
  for (std::size_t i = 0; i < AlertTally::kMaxKeys + 5; ++i) {
    tally.add(event(DecisionEvent::What::kAdmitted, "k" + std::to_string(i)));
  }
  AlertInput input;
  tally.close(kNow, input);
  EXPECT_EQ(input.keys.size(), AlertTally::kMaxKeys);
  EXPECT_EQ(input.requests, static_cast<std::int64_t>(AlertTally::kMaxKeys + 5));
}

}  // namespace
}  // namespace weir
