#include "gateway/event_feed.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(EventFeed, GivesWhatWasPublishedOnce) {
  EventFeed feed;
  feed.publish({.time = 1, .what = DecisionEvent::What::kRefused});
  feed.publish({.time = 2});
  std::vector<DecisionEvent> batch;
  EXPECT_EQ(feed.take(batch), 0u);
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_STREQ(to_string(batch[0].what), "refused");
  EXPECT_EQ(batch[1].time, 2);
  batch.clear();
  feed.take(batch);
  EXPECT_TRUE(batch.empty());
}

TEST(EventFeed, CountsWhatNobodyTakes) {
  EventFeed feed;
  for (std::size_t i = 0; i < EventFeed::kMaxWaiting + 3; ++i) feed.publish({});
  std::vector<DecisionEvent> batch;
  EXPECT_EQ(feed.take(batch), 3u);
  EXPECT_EQ(batch.size(), EventFeed::kMaxWaiting);
  batch.clear();
  EXPECT_EQ(feed.take(batch), 0u);
}

}  // namespace
}  // namespace weir
