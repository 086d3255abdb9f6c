// Which limits apply, for whom, with what amount and cost.
#include <set>

#include "policy/test_ruleset.h"

namespace weir {
namespace {

TEST_F(RulesetTest, BuiltInPolicyUsesOneSubject) {
  compile("");
  costs_.set(MeterKind::kRuns, 1, 1);
  EXPECT_EQ(names(), (Names{"runs", "runs", "requests", "tokens", "tokens", "in-flight", "spend"}));
  EXPECT_EQ(plan_.subjects().size(), 1u);  // all per caller: one record
  EXPECT_TRUE(plan_.demands()[0].hold);    // settled to 0 where another request began the run
  EXPECT_EQ(plan_.demands()[0].cost, 1);
  const auto d = plan_.demands().subspan(2);
  EXPECT_FALSE(d[0].hold);
  EXPECT_EQ(d[0].cost, 1);
  EXPECT_TRUE(d[1].hold);
  EXPECT_EQ(d[1].cost, 600);
  EXPECT_TRUE(d[3].hold);
  EXPECT_EQ(d[3].cost, 1);
  EXPECT_EQ(d[4].cost, 9'000);
  EXPECT_EQ(d[4].quota.amount, 10'000'000);
  EXPECT_EQ(d[4].quota.period_end, d[4].quota.period_start + kDay);
  EXPECT_LE(d[4].quota.period_start, kNow);
}

TEST_F(RulesetTest, CounterIdentities) {
  compile(
      "limits: [{ name: a, per: [tenant, caller], meter: tokens, allow: { free: [5/1h, 1/1m, 9/day], pro: [50/1h, 8/s "
      "burst 9] , default: 7/1m} }]");
  std::set<std::string> identities;
  for (const CounterSpec& spec : specs_) identities.insert(spec.identity);
  EXPECT_EQ(identities,
            (std::set<std::string>{"a|caller,tenant|tokens|sliding|60000ms", "a|caller,tenant|tokens|sliding|3600000ms",
                                   "a|caller,tenant|tokens|calendar|day", "a|caller,tenant|tokens|bucket|1000ms"}));
  for (const CounterSpec& spec : specs_) {
    if (spec.kind != WindowKind::kSliding) continue;
    EXPECT_EQ(spec.window, spec.identity.ends_with("|3600000ms") ? kHour : kMinute);
  }
  compile("limits: [{ name: a, per: [caller, tenant], meter: tokens, allow: 99/2m }]");
  ASSERT_EQ(specs_.size(), 1u);
  EXPECT_EQ(specs_[0].identity, "a|caller,tenant|tokens|sliding|120000ms");
}

TEST_F(RulesetTest, MatchesByValueGlobListAndNot) {
  compile(R"(
models: { "*": { provider: sim } }
limits:
  - { name: exact, per: key, meter: requests, allow: 1/1m, match: { model: gpt-4o } }
  - { name: glob, per: key, meter: requests, allow: 1/1m, match: { model: "gpt-*" } }
  - { name: list, per: key, meter: requests, allow: 1/1m, match: { model: [x, "claude-*"] } }
  - { name: not, per: key, meter: requests, allow: 1/1m, match: { model: {not: [gpt-4o]} } }
  - { name: both, per: key, meter: requests, allow: 1/1m, match: { model: gpt-4o, tier: pro } }
  - { name: meta, per: key, meter: requests, allow: 1/1m, match: { metadata.plan.name: gold } }
  - { name: head, per: key, meter: requests, allow: 1/1m, match: { header.X-Team: red } }
)");
  EXPECT_EQ(names(), (Names{"exact", "glob"}));
  attributes_.set(Attribute::kTier, "pro");
  EXPECT_EQ(names(), (Names{"exact", "glob", "both"}));
  attributes_.set(Attribute::kModel, "claude-3");
  EXPECT_EQ(names(), (Names{"list", "not"}));
  attributes_.set(Attribute::kModel, "GPT-4o");  // values are case-sensitive
  EXPECT_EQ(names(), (Names{"not"}));
  attributes_.set(Attribute::kModel, {});
  EXPECT_EQ(names(), (Names{"not"}));
  consumer_.metadata["plan.name"] = "gold";
  attributes_.header = [](std::string_view name) {
    return name == "x-team" ? std::string_view("red") : std::string_view();
  };
  EXPECT_EQ(names(), (Names{"not", "meta", "head"}));
}

TEST_F(RulesetTest, AThousandLimitsOfWhichOneMatches) {
  std::string text = "limits:\n";
  for (int i = 0; i < 1000; ++i) {
    text += "  - { name: l" + std::to_string(i) + ", per: key, meter: requests, allow: 1/1m, match: { model: m" +
            std::to_string(i) + " } }\n";
  }
  compile(text);
  attributes_.set(Attribute::kModel, "m777");
  EXPECT_EQ(names(), Names{"l777"});
  attributes_.set(Attribute::kModel, "m1000");
  EXPECT_EQ(names(), Names{});
}

TEST_F(RulesetTest, SixteenMatchAndSeventeenAreAFault) {
  const auto with = [&](int count) {
    std::string text = "limits:\n";
    for (int i = 0; i < count; ++i)
      text += "  - { name: l" + std::to_string(i) + ", per: key, meter: requests, allow: 1/1m }\n";
    compile(text);
    return plan();
  };
  EXPECT_FALSE(with(16));
  EXPECT_EQ(plan_.demands().size(), 16u);
  const auto fault = with(17);
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->kind, PlanFault::Kind::kTooManyLimits);
  EXPECT_NE(fault->message.find("17 limits"), std::string::npos);
  EXPECT_NE(fault->message.find("l16"), std::string::npos);
  EXPECT_TRUE(plan_.demands().empty());
}

TEST_F(RulesetTest, ScopesGroupByPerWhateverItsOrder) {
  compile(R"(
limits:
  - { name: a, per: [tenant, model], meter: requests, allow: 1/1m }
  - { name: b, per: caller, meter: requests, allow: 1/1m }
  - { name: c, per: [model, tenant], meter: requests, allow: 1/1m }
  - { name: d, per: global, meter: requests, allow: 1/1m }
)");
  ASSERT_EQ(names().size(), 4u);
  EXPECT_EQ(plan_.subjects().size(), 3u);
  EXPECT_EQ(plan_.demands()[0].subject, plan_.demands()[2].subject);
  EXPECT_NE(plan_.demands()[0].subject, plan_.demands()[1].subject);
  const Hash128 global = plan_.subjects()[plan_.demands()[3].subject].key;
  Consumer other{.id = 8, .name = "other", .tenant = "umbrella"};
  use(other);
  EXPECT_FALSE(plan());
  EXPECT_EQ(plan_.subjects()[plan_.demands()[3].subject].key, global);
  EXPECT_NE(plan_.subjects()[0].key, global);
}

TEST_F(RulesetTest, SubjectsNeverMeetByAccident) {
  compile("limits: [{ name: a, per: caller, meter: requests, allow: 1/1m }]");
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  const auto fresh = [&] {
    const Hash128 s = subject();
    return seen.insert({s.high, s.low}).second;
  };
  Consumer key{.id = 1, .name = "ann", .tenant = "acme"};
  use(key);
  EXPECT_TRUE(fresh());
  Consumer user{.id = 2, .name = "laptop", .tenant = "acme", .user = "ann"};
  use(user);
  EXPECT_TRUE(fresh());  // a user named like a key
  Consumer elsewhere{.id = 3, .name = "laptop2", .tenant = "umbrella", .user = "ann"};
  use(elsewhere);
  EXPECT_TRUE(fresh());  // the same user name in another tenant
  Consumer second{.id = 4, .name = "phone", .tenant = "acme", .user = "ann"};
  use(second);
  EXPECT_FALSE(fresh());  // the same user's other key: one caller
  attributes_ = {};
  attributes_.set(Attribute::kIp, "ann");
  attributes_.set(Attribute::kCaller, "ann");
  EXPECT_TRUE(fresh());
}

TEST_F(RulesetTest, AssertedValuesAreNestedUnderTheKey) {
  compile(
      "limits: [{ name: a, per: conversation, meter: requests, allow: 1/1m }, { name: b, per: key, meter: requests, "
      "allow: 9/1m }]");
  attributes_.set(Attribute::kConversation, "c1");
  const Hash128 mine = subject();
  const Hash128 owner = plan_.subjects()[0].owner;
  const Hash128 overflow = plan_.subjects()[0].overflow;
  EXPECT_TRUE(owner);
  EXPECT_TRUE(overflow);
  EXPECT_FALSE(plan_.subjects()[1].owner);  // the key's own record is nobody's child
  attributes_.set(Attribute::kConversation, "c2");
  EXPECT_NE(subject(), mine);
  EXPECT_EQ(plan_.subjects()[0].owner, owner);
  EXPECT_EQ(plan_.subjects()[0].overflow, overflow);
  Consumer other{.id = 99, .name = "other", .tenant = "acme"};
  use(other);
  attributes_.set(Attribute::kConversation, "c1");
  EXPECT_NE(subject(), mine);  // another key never reaches it
  EXPECT_NE(plan_.subjects()[0].owner, owner);
}

TEST_F(RulesetTest, AssertedUsersAreNestedOwnUsersAreNot) {
  compile("limits: [{ name: a, per: caller, meter: requests, allow: 1/1m }]");
  Consumer own{.id = 1, .name = "laptop", .tenant = "acme", .user = "ann"};
  use(own);
  const Hash128 ann = subject();
  EXPECT_FALSE(plan_.subjects()[0].owner);
  Consumer service{.id = 2, .name = "backend", .tenant = "acme", .kind = ConsumerKind::kService};
  use(service);
  attributes_.set(Attribute::kUser, "ann");
  attributes_.set(Attribute::kCaller, "ann");
  attributes_.user_asserted = true;
  EXPECT_NE(subject(), ann);
  EXPECT_TRUE(plan_.subjects()[0].owner);
  // For any other key a user in a header is only a label.
  Consumer plain{.id = 3, .name = "script", .tenant = "acme"};
  use(plain);
  attributes_.set(Attribute::kUser, "x");
  const Hash128 labelled = subject();
  EXPECT_FALSE(plan_.subjects()[0].owner);
  attributes_.set(Attribute::kUser, "script");
  EXPECT_EQ(subject(), labelled);
  // Also for a key with a user of its own: the label must not open a second bucket.
  use(own);
  attributes_.user_asserted = true;
  attributes_.set(Attribute::kUser, "bob");
  EXPECT_EQ(subject(), ann);
  EXPECT_FALSE(plan_.subjects()[0].owner);
}

TEST_F(RulesetTest, MissingAttributes) {
  const auto limit = [](const char* missing) {
    return "limits: [{ name: a, per: user, meter: requests, allow: 1/1m, missing: " + std::string(missing) + " }]";
  };
  compile(limit("skip"));
  EXPECT_EQ(names(), Names{});
  compile(limit("refuse"));
  const auto fault = plan();
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->kind, PlanFault::Kind::kMissingAttribute);
  EXPECT_EQ(
      fault->message,
      "limit `a` needs `user`, which this request does not have; send it as `X-Weir-User`, or give it to the key");
  compile(limit("shared"));
  const Hash128 mine = subject();
  EXPECT_FALSE(plan_.subjects()[0].owner);
  EXPECT_EQ(subject(), mine);
  Consumer other{.id = 8, .name = "other", .tenant = "acme"};
  use(other);
  EXPECT_NE(subject(), mine);  // shared among one key's requests only
  attributes_.set(Attribute::kUser, "");
  EXPECT_NE(subject(), mine);
}

TEST_F(RulesetTest, ZonesFollowTheTenantForItsOwnLimits) {
  compile(R"(
zone: Asia/Kolkata
tenants: { acme: { zone: Europe/Berlin } }
limits:
  - { name: a, per: caller, meter: requests, allow: 1/day }
  - { name: b, per: model, meter: requests, allow: 1/day }
)");
  ASSERT_EQ(names().size(), 2u);
  EXPECT_EQ(plan_.limits()[0].period.start % kDay, 23 * kHour);
  EXPECT_EQ(plan_.limits()[1].period.start % kDay, 18 * kHour + 30 * kMinute);
  attributes_.set(Attribute::kTenant, "umbrella");
  ASSERT_EQ(names().size(), 2u);
  EXPECT_EQ(plan_.limits()[0].period.start % kDay, 18 * kHour + 30 * kMinute);
}

TEST_F(RulesetTest, AnchoredMonthsStartOnTheKeysDay) {
  compile("limits: [{ name: a, per: key, meter: requests, allow: 10k/month anchor metadata.subscribed_at }]");
  consumer_.metadata["subscribed_at"] = "2026-01-17";
  ASSERT_EQ(names().size(), 1u);
  EXPECT_EQ(format_rfc3339(plan_.limits()[0].period.start), "2026-11-17T00:00:00Z");
  consumer_.metadata.clear();
  ASSERT_EQ(names().size(), 1u);
  EXPECT_EQ(format_rfc3339(plan_.limits()[0].period.start), "2026-11-01T00:00:00Z");
}

TEST_F(RulesetTest, TiersAndMetadataOverrides) {
  compile(
      "limits: [{ name: r, per: caller, meter: requests, allow: { pro: [100/1m, 900/1h], default: [20/1m, 200/1h] } }, "
      "{ name: g, per: model, meter: requests, allow: 5/1m }]");
  const auto amounts = [&] {
    EXPECT_FALSE(plan());
    std::vector<std::int64_t> out;
    for (const PlannedLimit& limit : plan_.limits()) out.push_back(limit.amount);
    return out;
  };
  using Amounts = std::vector<std::int64_t>;
  EXPECT_EQ(amounts(), (Amounts{20, 200, 5}));
  attributes_.set(Attribute::kTier, "pro");
  EXPECT_EQ(amounts(), (Amounts{100, 900, 5}));
  consumer_.metadata = {{"limits.r", "500/1m"}, {"limits.g", "77/1m"}};
  EXPECT_EQ(amounts(), (Amounts{500, 900, 5}));  // g has no key in its per
  consumer_.metadata = {{"limits.r.0", "7/1h"}, {"limits.r.1", "6/1m"}};
  EXPECT_EQ(amounts(), (Amounts{6, 7, 5}));
  for (const char* wrong : {"500/2m", "500", "lots", "-1/1m", "{metadata.x}/1m"}) {
    consumer_.metadata = {{"limits.r", wrong}};
    EXPECT_EQ(amounts(), (Amounts{100, 900, 5})) << wrong;
  }
  EXPECT_EQ(plan_.demands()[0].quota.amount, 100);
}

TEST_F(RulesetTest, AmountsFromMetadata) {
  compile("limits: [{ name: r, per: key, meter: requests, allow: \"{metadata.rpm}/1m\" }]");
  const auto fault = plan();
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->kind, PlanFault::Kind::kMissingAttribute);
  EXPECT_NE(fault->message.find("metadata.rpm"), std::string::npos);
  consumer_.metadata["rpm"] = "many";
  EXPECT_TRUE(plan());
  consumer_.metadata["rpm"] = "2k";
  ASSERT_EQ(names().size(), 1u);
  EXPECT_EQ(plan_.demands()[0].quota.amount, 2'000);
  compile("limits: [{ name: r, per: key, meter: requests, allow: \"{metadata.none}/1m\", missing: skip }]");
  EXPECT_EQ(names(), Names{});
}

TEST_F(RulesetTest, ACapBeyondTheAmountHoldsTheAmount) {
  compile("limits: [{ name: t, per: key, meter: tokens, allow: 300/1m }]");
  ASSERT_EQ(names().size(), 1u);
  EXPECT_EQ(plan_.demands()[0].cost, 300);  // certain 100, held 600
  costs_.set(MeterKind::kTokens, 300, 301);
  EXPECT_FALSE(plan());
  EXPECT_EQ(plan_.demands()[0].cost, 300);
  costs_.set(MeterKind::kTokens, 301, 600);  // the input alone is too much: the engine says never
  EXPECT_FALSE(plan());
  EXPECT_EQ(plan_.demands()[0].cost, 600);
}

TEST_F(RulesetTest, WeightsAddUpAndActualsFollow) {
  compile(
      "limits: [{ name: w, per: key, meter: {input_tokens: 1, output_tokens: 4}, allow: 1M/1m }, { name: r, per: key, "
      "meter: requests, allow: 5/1m }, { name: c, per: key, meter: cached_tokens, allow: 5/1m }]");
  ASSERT_EQ(names().size(), 3u);
  EXPECT_EQ(plan_.limits()[0].rule->meter_name, "input_tokens+4*output_tokens");
  EXPECT_EQ(plan_.demands()[0].cost, 100 + 4 * 500);
  EXPECT_EQ(plan_.demands()[2].cost, 0);
  Costs actual;
  actual.set(MeterKind::kInputTokens, 0, 90);
  actual.set(MeterKind::kOutputTokens, 0, 10);
  actual.set(MeterKind::kCachedTokens, 0, 40);
  std::array<std::int64_t, 3> out{};
  rules_->actuals(plan_, actual, out);
  EXPECT_EQ(out, (std::array<std::int64_t, 3>{130, 0, 40}));
  costs_.set(MeterKind::kInputTokens, kMaxAmount, kMaxAmount);
  costs_.set(MeterKind::kOutputTokens, 0, kMaxAmount);
  EXPECT_FALSE(plan());
  EXPECT_EQ(plan_.demands()[0].cost, kMaxAmount);  // saturates
}

TEST_F(RulesetTest, LimitsOfOtherTrafficDoNotApply) {
  compile(R"(
upstreams: [{ path: /api/**, kind: http, url: "http://h", meters: { rows: { response_json: n, estimate: 3 } } }]
limits:
  - { name: t, per: key, meter: tokens, allow: 9/1m }
  - { name: rows, per: key, meter: rows, allow: 9/1m }
  - { name: r, per: key, meter: requests, allow: 9/1m }
)");
  EXPECT_EQ(names(), (Names{"t", "r"}));
  attributes_.set(Attribute::kModel, {});
  costs_ = {};
  costs_.set(MeterKind::kRequests, 1, 1);
  costs_.custom = {{"rows", 3}};
  EXPECT_EQ(names(), (Names{"rows", "r"}));
  EXPECT_EQ(plan_.demands()[0].cost, 3);
  costs_ = {};  // a look without costs sees all
  EXPECT_EQ(names(), (Names{"t", "rows", "r"}));
}

}  // namespace
}  // namespace weir
