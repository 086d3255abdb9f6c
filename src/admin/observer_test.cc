// What the observer makes of what workers publish.
#include "admin/observer.h"

#include <gtest/gtest.h>

#include "policy/test_ruleset.h"

namespace weir {
namespace {

using What = DecisionEvent::What;

class ObserverTest : public RulesetTest {
 protected:
  ObserverTest() {
    compile(R"(
limits:
  - { name: requests, per: caller, meter: requests, allow: 10/1m }
  - { name: spend, per: caller, meter: usd, allow: 10/day, mode: shadow }
)");
  }
  DecisionEvent event(What what) {
    DecisionEvent out;
    out.time = kNow;
    out.what = what;
    out.rules = rules_;
    out.key = out.caller = "ann";
    out.tier = "pro";
    out.model = "gpt-4o";
    return out;
  }
  DecisionEvent refused() {
    DecisionEvent out = event(What::kRefused);
    out.limit = "requests";
    out.layer = "rate";
    return out;
  }
  DecisionEvent settled() {
    DecisionEvent out = event(What::kSettled);
    out.input_tokens = 10;
    out.output_tokens = 5;
    out.usd_micros = 70;
    return out;
  }

  static void publish(EventFeed& feed, const DecisionEvent& event) {
    feed.publish([&](DecisionEvent& slot) { slot = event; });
  }

  std::vector<RefusalHour> kept;
  bool takes = true;
  Observer observer{{.in_flight = [] { return std::int64_t{3}; },
                     .keep =
                         [this](const std::vector<RefusalHour>& rows) {
                           if (takes) kept.insert(kept.end(), rows.begin(), rows.end());
                           return takes;
                         }}};
};

TEST_F(ObserverTest, TellsListenersEverySecondThatIsOver) {
  std::vector<Second> seconds;
  observer.add_listener([&](const Second& second) { seconds.push_back(second); });
  EventFeed& one = observer.open_feed();
  EventFeed& two = observer.open_feed();
  observer.step(kNow);
  DecisionEvent admitted = event(What::kAdmitted);
  admitted.pressures[0] = {.limit = 0, .permille = 800, .allowed = 10};
  admitted.pressure_count = 1;
  publish(one, admitted);
  publish(two, settled());
  publish(two, refused());
  observer.step(kNow + kSecond / 2);
  EXPECT_TRUE(seconds.empty());
  observer.step(kNow + kSecond);
  ASSERT_EQ(seconds.size(), 1u);
  const Second& over = seconds[0];
  EXPECT_EQ(over.second, kNow / kSecond);
  EXPECT_EQ(over.total, (LiveCounts{.requests = 2, .refused = 1, .tokens = 15, .usd_micros = 70}));
  EXPECT_EQ(over.by_tier, (std::vector<NamedCounts>{{"pro", over.total}}));
  EXPECT_EQ(over.by_model, (std::vector<NamedCounts>{{"gpt-4o", over.total}}));
  EXPECT_EQ(over.by_key, (std::vector<NamedCounts>{{"ann", over.total}}));
  EXPECT_EQ(over.by_layer.at(0).first, "rate");
  EXPECT_EQ(over.in_flight, 3);
  ASSERT_EQ(over.hot.size(), 1u);
  EXPECT_EQ(over.hot[0].ratio, 0.8);
  EXPECT_EQ(observer.requests_per_second(), 2);
}

TEST_F(ObserverTest, CallsOfAnAdmittedRequestAreNoFurtherRequests) {
  EventFeed& feed = observer.open_feed();
  observer.step(kNow);
  DecisionEvent call = event(What::kAdmitted);
  call.of_call = true;
  publish(feed, call);
  call = refused();
  call.of_call = true;
  publish(feed, call);
  publish(feed, event(What::kWarned));
  observer.step(kNow + kSecond);
  const std::string live = observer.live(2, kNow + kSecond);
  EXPECT_NE(live.find(R"("requests":[0,0],"refused":[1,0])"), std::string::npos) << live;
}

TEST_F(ObserverTest, LiveIsInColumnsWithTheKeysOfTheLastMinute) {
  EventFeed& feed = observer.open_feed();
  observer.step(kNow);
  publish(feed, refused());
  publish(feed, settled());
  observer.step(kNow + kMillisecond);
  EXPECT_EQ(observer.live(1, kNow + kMillisecond),
            R"({"now":"2026-11-20T10:00:00.001Z","step_s":1,"times":["2026-11-20T10:00:00Z"],"requests":[1],)"
            R"("refused":[1],"tokens":[15],"usd_micros":[70],"by_tier":{"pro":{"requests":[1],"refused":[1],)"
            R"("tokens":[15],"usd_micros":[70]}},"by_model":{"gpt-4o":{"requests":[1],"refused":[1],"tokens":[15],)"
            R"("usd_micros":[70]}},"by_layer":{"rate":[1]},"in_flight":3,"top_keys":[{"key":"ann","requests":1,)"
            R"("refused":1,"tokens":15,"usd_micros":70}]})");
}

TEST_F(ObserverTest, RefusalsAndWhatShadowLimitsWouldHaveRefusedAreKeptEveryTenSeconds) {
  EventFeed& feed = observer.open_feed();
  observer.step(kNow);
  DecisionEvent shadowed = event(What::kAdmitted);
  shadowed.pressures[0] = {.limit = 0, .permille = 10, .allowed = 10};
  shadowed.pressures[1] = {.limit = 1, .permille = 1200, .allowed = 10'000'000};
  shadowed.pressure_count = 2;
  shadowed.shadow_limits = 0b10;
  shadowed.shadow = true;
  publish(feed, shadowed);
  publish(feed, refused());
  observer.step(kNow + 5 * kSecond);
  EXPECT_TRUE(kept.empty());
  takes = false;
  observer.step(kNow + Observer::kKeepEvery);
  takes = true;
  observer.step(kNow + 2 * Observer::kKeepEvery);
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0],
            (RefusalHour{.hour = kNow / kHour, .limit = "requests", .layer = "rate", .key = "ann", .count = 1}));
  EXPECT_EQ(kept[1].limit, "spend");
  EXPECT_EQ(kept[1].layer, "budget");
  EXPECT_TRUE(kept[1].shadow);
  EXPECT_EQ(observer.refused_last_hour("requests"), 1);
  EXPECT_EQ(observer.refused_last_hour("spend"), 0);
  EXPECT_EQ(observer.hot("spend").at(0).ratio, 1.2);
}

TEST_F(ObserverTest, GaugesShowTheFullestOfEachTierAndWhatWasDropped) {
  EventFeed& feed = observer.open_feed();
  DecisionEvent admitted = event(What::kAdmitted);
  admitted.pressures[0] = {.limit = 0, .permille = 455, .allowed = 10};
  admitted.pressure_count = 1;
  for (std::size_t i = 0; i < EventFeed::kMaxWaiting + 2; ++i) publish(feed, admitted);
  observer.step(kNow);
  Metrics metrics;
  observer.write_gauges(metrics, observer.hot("requests"));
  std::string out;
  metrics.write_prometheus(out);
  EXPECT_NE(out.find("weir_limit_utilisation_ratio{limit=\"requests\",tier=\"pro\"} 0.455\n"), std::string::npos)
      << out;
  EXPECT_NE(out.find("weir_events_dropped_total 2\n"), std::string::npos) << out;
  EXPECT_NE(out.find("weir_events_watchers 0\n"), std::string::npos) << out;
  observer.step(kNow + HotLimits::kKept);
  observer.write_gauges(metrics, observer.hot("requests"));
  out.clear();
  metrics.write_prometheus(out);
  EXPECT_NE(out.find("weir_limit_utilisation_ratio{limit=\"requests\",tier=\"pro\"} 0\n"), std::string::npos) << out;
}

TEST_F(ObserverTest, TheGaugesHaveABoundedNumberOfLabels) {
  EventFeed& feed = observer.open_feed();
  observer.step(kNow);
  for (std::size_t i = 0; i < Observer::kMaxUtilisations + 44; ++i) {
    DecisionEvent admitted = event(What::kAdmitted);
    admitted.tier = "t" + std::to_string(i);
    admitted.caller = "c" + std::to_string(i);
    admitted.pressures[0] = {.limit = 0, .permille = 455, .allowed = 10};
    admitted.pressure_count = 1;
    publish(feed, admitted);
    Metrics metrics;
    if (i % 50 != 49) continue;
    // Fifty at a time are hot; the next fifty come when those are forgotten.
    observer.step(kNow + static_cast<TimeNs>(i) * HotLimits::kKept);
    observer.write_gauges(metrics, observer.hot("requests"));
  }
  Metrics metrics;
  observer.write_gauges(metrics, observer.hot("requests"));
  std::string out;
  metrics.write_prometheus(out);
  std::size_t series = 0;
  for (std::size_t at = 0; (at = out.find("weir_limit_utilisation_ratio{", at)) != std::string::npos; ++at) ++series;
  EXPECT_GT(series, Observer::kMaxUtilisations - 10);
  EXPECT_LE(series, Observer::kMaxUtilisations + 1);
  EXPECT_NE(out.find("limit=\"other\""), std::string::npos);
}

TEST_F(ObserverTest, WhoHasNoKeyAskedAndWasNotRefusedAsInTheMetrics) {
  EventFeed& feed = observer.open_feed();
  observer.step(kNow);
  DecisionEvent stranger = event(What::kRejected);
  stranger.key.clear(), stranger.tier.clear(), stranger.model.clear();
  stranger.layer = "entry";
  publish(feed, stranger);
  publish(feed, refused());
  observer.step(kNow + kMillisecond);
  const std::string live = observer.live(1, kNow + kMillisecond);
  EXPECT_NE(live.find(R"("requests":[2],"refused":[1],)"), std::string::npos) << live;
  EXPECT_NE(live.find(R"("by_layer":{"rate":[1],"entry":[1]})"), std::string::npos) << live;
}

TEST_F(ObserverTest, SaysInOneSentenceWhatHappened) {
  DecisionEvent admitted = event(What::kAdmitted);
  admitted.pressures[0] = {.limit = 0, .permille = 500, .allowed = 10};
  admitted.pressures[1] = {.limit = 1, .permille = 1000, .allowed = 10};
  admitted.pressure_count = 2;
  admitted.shadow_limits = 2;
  EXPECT_EQ(sentence_of(admitted),
            "`ann` was admitted to `gpt-4o`; nearest to its amount is `spend` at 100 %; `spend` would have refused.");
  EXPECT_NE(event_json(admitted).find(R"("shadow_limits":["spend"])"), std::string::npos);
  DecisionEvent over = refused();
  over.audited = std::make_shared<const AuditRow>(AuditRow{.event = AuditEvent::kRefused,
                                                           .layer = "rate",
                                                           .limit = "requests",
                                                           .per_json = R"({"key":"ann"})",
                                                           .used = "9",
                                                           .requested = "1",
                                                           .allowed = "9",
                                                           .retry_after_s = 6});
  EXPECT_EQ(sentence_of(over),
            "ann had used 9 of 9 requests within 1 minute; this request asked for 1 more. Room again in 6 s.");
  DecisionEvent markup = event(What::kRejected);
  markup.evidence = "<script>\n";
  EXPECT_EQ(event_json(markup).find('\n'), std::string::npos);  // a line feed would end the event
}

}  // namespace
}  // namespace weir
