#include "gateway/event_feed.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

void publish(EventFeed& feed, TimeNs time, std::string key = {}) {
  feed.publish([&](DecisionEvent& event) {
    event.time = time;
    event.key = key;
  });
}

TEST(EventFeed, GivesWhatWasPublishedOnce) {
  EventFeed feed;
  publish(feed, 1, "ann");
  publish(feed, 2);
  EventBatch batch;
  EXPECT_EQ(feed.take(batch), 0u);
  ASSERT_EQ(batch.count, 2u);
  EXPECT_STREQ(to_string(batch.events()[0].what), "admitted");
  EXPECT_EQ(batch.events()[0].key, "ann");
  EXPECT_EQ(batch.events()[1].time, 2);
  feed.take(batch);
  EXPECT_TRUE(batch.events().empty());
}

TEST(EventFeed, ASlotThatIsUsedAgainKeepsNothingOfItsLastEvent) {
  EventFeed feed;
  EventBatch batch;
  feed.publish([](DecisionEvent& event) {
    event.what = DecisionEvent::What::kRefused;
    event.key = event.limit = event.evidence = event.conversation = "x";
    event.audited = std::make_shared<const AuditRow>();
    event.retry_after_s = 3;
    event.pressure_count = 2;
    event.shadow_limits = 3;
    event.status = 429;
  });
  feed.take(batch);
  publish(feed, 1);
  feed.take(batch);  // the slot comes back with the one after
  publish(feed, 2);
  feed.take(batch);
  ASSERT_EQ(batch.count, 1u);
  const DecisionEvent& event = batch.events()[0];
  EXPECT_EQ(event.what, DecisionEvent::What::kAdmitted);
  EXPECT_EQ(event.key + event.limit + event.evidence + event.conversation, "");
  EXPECT_EQ(event.audited, nullptr);
  EXPECT_EQ(event.retry_after_s, -1);
  EXPECT_EQ(event.pressure_count + event.shadow_limits + static_cast<std::uint32_t>(event.status), 0u);
}

TEST(EventFeed, CountsWhatNobodyTakes) {
  EventFeed feed;
  for (std::size_t i = 0; i < EventFeed::kMaxWaiting + 3; ++i) publish(feed, 1);
  EventBatch batch;
  EXPECT_EQ(feed.take(batch), 3u);
  EXPECT_EQ(batch.count, EventFeed::kMaxWaiting);
  EXPECT_EQ(feed.take(batch), 0u);
}

}  // namespace
}  // namespace weir
