// What watchers are shown: filters, fairness of the sample, slow readers.
#include "admin/watchers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "policy/test_ruleset.h"

namespace weir {
namespace {

constexpr TimeNs kStart = 1'795'262'400 * kSecond;
using What = DecisionEvent::What;

struct Seen {
  std::shared_ptr<WatchLoad> load = std::make_shared<WatchLoad>();
  std::string text;
  std::size_t decisions = 0, pieces = 0;
  bool reads = true;
  Watchers::Send send() {
    return [this](const Watchers::Text& piece, std::size_t count) {
      if (!reads) return;
      load->posted.fetch_sub(1);
      text += *piece;
      decisions += count;
      ++pieces;
    };
  }
  bool has(std::string_view part) const { return text.find(part) != std::string::npos; }
};

std::vector<const DecisionEvent*> pointers(const std::vector<DecisionEvent>& events) {
  std::vector<const DecisionEvent*> out;
  for (const DecisionEvent& event : events) out.push_back(&event);
  return out;
}

DecisionEvent event_of(What what, std::string key) {
  DecisionEvent event;
  event.time = kStart;
  event.what = what;
  event.key = std::move(key);
  return event;
}

TEST(Watchers, ShowOnlyWhatTheFilterTakes) {
  Watchers watchers;
  Seen seen;
  watchers.add({.only = 1u << static_cast<unsigned>(What::kRefused), .key = "ann"}, seen.load, seen.send());
  const std::vector<DecisionEvent> events = {event_of(What::kRefused, "ann"), event_of(What::kAdmitted, "ann"),
                                             event_of(What::kRefused, "bob")};
  watchers.show(pointers(events), kStart);
  EXPECT_EQ(seen.decisions, 1u);
  EXPECT_TRUE(seen.has("event: decision\ndata: {\"time\":\"2026-11-21T12:00:00.000Z\",\"what\":\"refused\""))
      << seen.text;
  EXPECT_TRUE(seen.has("\"key\":\"ann\""));
  watchers.second_over("{}", 9, kStart + kSecond);
  EXPECT_TRUE(seen.has("event: tick\ndata: {}\n\n"));
  EXPECT_FALSE(seen.has("sampled"));  // what it did not ask for is not missed
}

TEST(Watchers, AreAtMost64) {
  Watchers watchers;
  Seen seen;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < Watchers::kMaxWatchers; ++i) {
    EXPECT_NE(last = watchers.add({}, seen.load, seen.send()), 0u);
  }
  EXPECT_EQ(watchers.add({}, seen.load, seen.send()), 0u);
  watchers.remove(last);
  EXPECT_NE(watchers.add({}, seen.load, seen.send()), 0u);
}

TEST(Watchers, SeeASecondOf5000RequestsWhole) {
  Watchers watchers;
  Seen seen;
  watchers.add({}, seen.load, seen.send());
  const std::vector<DecisionEvent> events(kMaxWatchedPerSecond, event_of(What::kAdmitted, "ann"));
  watchers.show(pointers(events), kStart);
  watchers.second_over("{}", 0, kStart + kSecond);
  EXPECT_EQ(seen.decisions, events.size());
  EXPECT_FALSE(seen.has("sampled"));
}

// 5,000 decisions a second, two of each request, as they come.
TEST(Watchers, ShowOfMoreASampleInWhichEveryEventHasTheSameChance) {
  Watchers watchers;
  Seen seen;
  constexpr std::int64_t kMost = 500;
  watchers.add({.most = kMost}, seen.load, seen.send());
  std::vector<DecisionEvent> events;
  for (int i = 0; i < 250; ++i) {
    events.push_back(event_of(What::kAdmitted, i < 50 ? "early" : i < 200 ? "middle" : "late"));
    events.push_back(event_of(What::kSettled, "other"));
  }
  constexpr int kSeconds = 40;
  for (int i = 0; i < kSeconds * 10; ++i) {
    watchers.show(pointers(events), kStart + i * kSecond / 10);
    if (i % 10 == 9) watchers.second_over("{}", 0, kStart + i * kSecond / 10);
  }
  EXPECT_LE(seen.decisions, static_cast<std::size_t>((kSeconds + 1) * kMost));
  EXPECT_GE(seen.decisions, static_cast<std::size_t>((kSeconds - 1) * kMost));
  EXPECT_TRUE(seen.has(R"(event: sampled
data: {"shown":500,"of":5000})"));
  const auto share = [&](std::string_view part) {
    double count = 0;
    for (std::size_t at = 0; (at = seen.text.find(part, at)) != std::string::npos; ++at) ++count;
    return count / static_cast<double>(seen.decisions);
  };
  // Six standard deviations of so many draws.
  const auto near = [&](double found, double expected) {
    return std::abs(found - expected) < 6 * std::sqrt(expected * (1 - expected) / static_cast<double>(seen.decisions));
  };
  EXPECT_TRUE(near(share("\"what\":\"settled\""), 0.5)) << share("\"what\":\"settled\"");
  EXPECT_TRUE(near(share("\"key\":\"early\""), 0.1)) << share("\"key\":\"early\"");
  EXPECT_TRUE(near(share("\"key\":\"late\""), 0.1)) << share("\"key\":\"late\"");
}

TEST(Watchers, WhoDoesNotReadMissesEventsIsToldSoAndDelaysNobody) {
  Watchers watchers;
  Seen slow, quick;
  watchers.add({}, slow.load, slow.send());
  watchers.add({}, quick.load, quick.send());
  slow.reads = false;
  const std::vector<DecisionEvent> events = {event_of(What::kAdmitted, "ann")};
  const int many = static_cast<int>(Watchers::kMaxPosted) + 10;
  for (int i = 0; i < many; ++i) watchers.show(pointers(events), kStart + i * kMillisecond);
  EXPECT_EQ(quick.decisions, static_cast<std::size_t>(many));
  EXPECT_EQ(slow.load->posted.load(), Watchers::kMaxPosted);
  slow.load->posted = 0;
  slow.reads = true;
  watchers.second_over("{}", 0, kStart + kSecond);
  EXPECT_TRUE(slow.has("event: sampled\ndata: {\"shown\":64,\"of\":74}")) << slow.text;
  EXPECT_FALSE(quick.has("sampled"));
}

TEST(Watchers, HearTheHeartbeatEvery15SecondsAndWhatIsTold) {
  Watchers watchers;
  Seen seen;
  watchers.add({}, seen.load, seen.send());
  for (int i = 0; i <= 30; ++i) watchers.second_over("{}", 0, kStart + i * kSecond);
  std::size_t beats = 0;
  for (std::size_t at = 0; (at = seen.text.find("\n: still here\n", at)) != std::string::npos; ++at) ++beats;
  EXPECT_EQ(beats, 2u);
  watchers.tell("changed", R"({"what":"policy"})");
  EXPECT_TRUE(seen.text.ends_with("event: changed\ndata: {\"what\":\"policy\"}\n\n"));
}

TEST(Watchers, EventsThatNobodySawCountForThoseWhoWantAll) {
  Watchers watchers;
  Seen seen;
  watchers.add({}, seen.load, seen.send());
  watchers.second_over("{}", 3, kStart);
  EXPECT_TRUE(seen.has(R"({"shown":0,"of":3})"));
}

}  // namespace
}  // namespace weir
