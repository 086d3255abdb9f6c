// Alerts and their messages: written once, found again, deleted together.
#include <gtest/gtest.h>

#include "journal/test_support.h"
#include "records/store.h"

namespace weir {
namespace {

constexpr TimeNs kNow = 1'795'000'000 * kSecond;

class StoreAlerts : public testing::Test {
 protected:
  static Alert alert(const std::string& subject, TimeNs since = kNow) {
    Alert out;
    out.id = alert_id("budget", subject, since);
    out.rule = "budget";
    out.subject = subject;
    out.since = out.told_at = since;
    return out;
  }
  static AlertMessage message(const Alert& of, const std::string& what, const std::string& target = "ops") {
    AlertMessage out;
    out.id = hex_id(of.id) + "-" + what + "@" + target;
    out.alert = of.id;
    out.rule = of.rule;
    out.target = target;
    out.body = "{}";
    out.created_at = out.next_at = of.since + kSecond;
    return out;
  }

  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
};

TEST_F(StoreAlerts, AMessageOfTheSameIdIsTheSameMessage) {
  const Alert ann = alert("ann");
  const std::vector<AlertMessage> both = {message(ann, "firing"), message(ann, "firing", "chat")};
  ASSERT_TRUE(store.put_alert(ann, R"("id":"x")", both));
  AlertMessage sent = both[0];
  sent.tries = 1;
  sent.done_at = kNow + 2 * kSecond;
  sent.result = "200";
  ASSERT_TRUE(store.update_alert_message(sent));
  ASSERT_TRUE(store.put_alert(ann, R"("id":"x")", both));
  const auto waiting = store.waiting_alert_messages(10);
  ASSERT_EQ(waiting->size(), 1u);
  EXPECT_EQ(waiting->at(0).target, "chat");
  EXPECT_EQ(waiting->at(0).rule, "budget");
  EXPECT_EQ(waiting->at(0).body, "{}");
  const auto all = store.alerts(AlertsOf::kAll, 10);
  ASSERT_EQ(all->size(), 1u);
  EXPECT_EQ(all->at(0).members, R"("id":"x")");
  ASSERT_EQ(all->at(0).messages.size(), 2u);
  EXPECT_EQ(all->at(0).alert.told_at, kNow + kSecond);
}

TEST_F(StoreAlerts, AreFoundByStateLastBegunFirst) {
  Alert ann = alert("ann"), bob = alert("bob", kNow + kMinute);
  ASSERT_TRUE(store.put_alert(ann, "", {}));
  ASSERT_TRUE(store.put_alert(bob, "", {}));
  ann.until = kNow + kHour;
  ASSERT_TRUE(store.put_alert(ann, "", {}));
  EXPECT_EQ(store.alerts(AlertsOf::kFiring, 10)->at(0).alert.subject, "bob");
  EXPECT_EQ(store.alerts(AlertsOf::kResolved, 10)->at(0).alert.subject, "ann");
  const auto all = store.alerts(AlertsOf::kAll, 10);
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ(all->at(0).alert.subject, "bob");
  EXPECT_EQ(store.alerts(AlertsOf::kAll, 1)->size(), 1u);
}

TEST_F(StoreAlerts, WhatIsOverGoesWithItsMessages) {
  Alert ann = alert("ann"), bob = alert("bob");
  const std::vector<AlertMessage> of_ann = {message(ann, "firing")}, of_bob = {message(bob, "firing")};
  ann.until = kNow + kHour;
  ASSERT_TRUE(store.put_alert(ann, "", of_ann));
  ASSERT_TRUE(store.put_alert(bob, "", of_bob));
  EXPECT_EQ(store.purge_alerts(kNow + kHour, 10).value(), 0u);
  EXPECT_EQ(store.purge_alerts(kNow + kDay, 10).value(), 1u);
  EXPECT_EQ(store.alerts(AlertsOf::kAll, 10)->at(0).alert.subject, "bob");
  EXPECT_EQ(store.waiting_alert_messages(10)->size(), 1u);
}

}  // namespace
}  // namespace weir
