// What an operator changes over the file, asked and answered as the admin API does.
#include <gtest/gtest.h>
#include <simdjson.h>

#include "admin/overriding.h"
#include "admin/routes.h"
#include "admin/test_host.h"
#include "admin/what_if_run.h"
#include "journal/test_support.h"
#include "policy/limit_words.h"
#include "records/metadata.h"
#include "records/sqlite.h"

namespace weir {
namespace {

constexpr std::string_view kPath = "/admin/v1";

class Steer : public testing::Test {
 protected:
  Steer() {
    host.on_reload = [this] { take_up(); };
    host.state->file = "weir.yaml";
    host.state->file_text = stage::kTestPolicy;
    take_up();
    add_limit_routes(router);
    add_tier_routes(router);
    add_tenant_routes(router);
    add_policy_routes(router);
    add_what_if_routes(router);
  }

  // As the server does.
  void take_up() {
    auto next = std::make_shared<PolicyState>(*host.state);
    next->overrides = store.overrides().value();
    const MergedPolicy merged = merge_overrides(next->file_text, next->file, host.variables, next->overrides);
    ASSERT_TRUE(merged.loaded.policy);
    next->yaml = merged.yaml;
    next->skipped = merged.skipped;
    world.services.rules = Ruleset::compile(merged.loaded.policy,
                                            [this](const CounterSpec& spec) { return world.limiter.define(spec); }, {});
    host.state = next;
  }

  Reply call(std::string method, const std::string& path, std::string body = {}, std::string if_match = {},
             AdminRole role = AdminRole::kAdmin) {
    AdminRequest request{.method = std::move(method), .body = std::move(body), .if_match = std::move(if_match)};
    const std::size_t query = path.find('?');
    request.path = std::string(kPath) + path.substr(0, query);
    if (query != std::string::npos) request.query = path.substr(query + 1);
    request.caller = {.name = "ops", .role = role};
    return host.ask(router, store, std::move(request), now);
  }
  std::string field(const Reply& reply, const char* pointer) {
    simdjson::dom::element root, value;
    if (parser.parse(reply.body).get(root) || root.at_pointer(pointer).get(value))
      return "(none in " + reply.body + ")";
    return simdjson::minify(value);
  }

  std::string text(const Reply& reply, const char* name) {
    std::string_view value;
    EXPECT_FALSE(parser.parse(reply.body)[name].get_string().get(value)) << reply.body;
    return std::string(value);
  }

  TimeNs now = stage::kNoon;
  stage::World world;
  FakeAdminHost host{world};
  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
  AdminRouter router{host};
  simdjson::dom::parser parser;
};

TEST_F(Steer, ALimitIsChangedHoldsAtOnceAndIsGivenBack) {
  const Reply before = call("GET", "/limits/tokens");
  ASSERT_EQ(before.status, 200) << before.body;
  EXPECT_EQ(field(before, "/allow"), R"({"default":["50k/1m"]})");
  EXPECT_EQ(field(before, "/source"), "\"file\"");
  EXPECT_EQ(field(before, "/words"), "\"tokens: 50,000 tokens in any 1 minute; per caller\"");
  const Reply put = call("PUT", "/limits/tokens", R"({"allow": ["9k/1m","1M/day"], "mode":"shadow"})");
  ASSERT_EQ(put.status, 200) << put.body;
  EXPECT_EQ(field(put, "/override"), R"({"allow":["9k/1m","1M/day"],"mode":"shadow"})");
  EXPECT_EQ(field(put, "/mode"), "\"shadow\"");
  EXPECT_EQ(host.rules()->policy().limits[1].allow[0].windows[0].amount, 9'000);
  EXPECT_EQ(call("DELETE", "/limits/tokens").status, 204);
  EXPECT_EQ(call("GET", "/limits/tokens").body, before.body);
  EXPECT_EQ(call("DELETE", "/limits/tokens").status, 404);
  EXPECT_EQ(call("GET", "/limits/nope").status, 404);
}

TEST_F(Steer, WhatIsShownOfAFileWithSecretsIsADraft) {
  host.state->file_text.append(
      "alerts:\n  targets: { a: { url: https://hooks.test/x, secret: 0123456789abcdef }, b: { secret: "
      "fedcba9876543210, "
      "url: https://hooks.test/y } }\n");
  take_up();
  std::string draft;
  JsonWriter(draft).begin_object().key("yaml").string(text(call("GET", "/policy"), "yaml")).end_object();
  ASSERT_NE(draft.find(R"(secret: \"***\")"), std::string::npos) << draft;
  EXPECT_EQ(field(call("POST", "/policy/check", draft), "/diagnostics"), "[]");
  EXPECT_EQ(call("POST", "/policy/what-if", draft).status, 202);
  EXPECT_EQ(field(call("PUT", "/policy/draft", draft), "/changed"), "[]");
}

TEST_F(Steer, ADraftWithAnotherSecretIsRefusedAndSaysWhereSecretsAreChanged) {
  host.state->file_text.append(
      "admin: { token: an-admin-token-of-the-file }\n"
      "alerts:\n  targets: { a: { url: https://hooks.test/x, secret: 0123456789abcdef } }\n");
  take_up();
  const auto put = [&](std::string_view from, std::string_view to) {
    std::string yaml = text(call("GET", "/policy"), "yaml"), draft;
    if (const std::size_t at = yaml.find(from); at != std::string::npos) yaml.replace(at, from.size(), to);
    JsonWriter(draft).begin_object().key("yaml").string(yaml).end_object();
    return call("PUT", "/policy/draft", draft);
  };
  EXPECT_EQ(field(put("nothing", ""), "/changed"), "[]");
  for (const auto& [from, to] : std::vector<std::pair<std::string_view, std::string_view>>{
           {"secret: \"***\"", "secret: fedcba9876543210"}, {"https://hooks.test/***", "https://hooks.test/y"}}) {
    const Reply refused = put(from, to);
    EXPECT_EQ(refused.status, 422) << refused.body;
    EXPECT_NE(field(refused, "/diagnostics/0/message").find("secrets are changed in the file"), std::string::npos)
        << refused.body;
  }
}

TEST_F(Steer, WhatWouldNotBeValidIs422AndChangesNothing) {
  for (const auto& [path, body] : std::vector<std::pair<std::string, std::string>>{
           {"/limits/tokens", R"({"allow":"many"})"},
           {"/limits/tokens", R"({"per":null})"},
           {"/limits/fresh", R"({"allow":"5/1m"})"},
           {"/limits/Bad%20Name", R"({"per":"key","meter":"requests","allow":"5/1m"})"},
           {"/limits/tokens", R"({"match":{"model":"${HOME}"}})"},
           {"/tiers/pro", R"({"weight":0})"},
           {"/tiers/pro", R"({"amounts":{"nope":"5/1m"}})"},
           {"/tiers/default", R"({"weight":2})"},
           {"/tenants/acme", R"({"zone":"Moon/Base"})"}}) {
    const Reply reply = call("PUT", path, body);
    EXPECT_EQ(reply.status, 422) << path << body << reply.body;
    EXPECT_NE(field(reply, "/diagnostics/0/message").find("\""), std::string::npos);
    EXPECT_EQ(field(reply, "/diagnostics/0/error"), "true");
  }
  for (const char* body : {"[]", "{", R"({"allow":1,"alow":2})", R"({"allow":"1/1m","allow":"2/1m"})"}) {
    EXPECT_EQ(call("PUT", "/limits/tokens", body).status, 400) << body;
  }
  EXPECT_EQ(call("PUT", "/tiers/pro", R"({"wait":2})").status, 400);
  EXPECT_EQ(call("PUT", "/limits/tokens", "{}", {}, AdminRole::kViewer).status, 403);
  EXPECT_TRUE(store.overrides().value().empty());
  EXPECT_TRUE(host.reloaded_because.empty());
}

TEST_F(Steer, SomebodyWhoWasFasterIs412) {
  const Reply read = call("GET", "/tiers/pro");
  const std::string mine = text(read, "etag");
  EXPECT_EQ(call("PUT", "/tiers/pro", R"({"weight":8})", mine).status, 200);
  EXPECT_EQ(call("PUT", "/tiers/pro", R"({"weight":9})", mine).status, 412);
  EXPECT_EQ(call("DELETE", "/tiers/pro", "", mine).status, 412);
  EXPECT_EQ(call("PUT", "/tiers/pro", R"({"weight":9})").status, 200) << "If-Match is asked of nobody";
  EXPECT_EQ(
      call("PUT", "/limits/new", R"({"per":"key","meter":"requests","allow":"5/1m"})", "\"0123456789abcdef\"").status,
      412);
}

TEST_F(Steer, WhatAnotherProcessWroteIsTakenUpFirst) {
  const OverrideChange other{Override::Kind::kLimit, "tokens", "", R"({"allow":"7/1m"})"};
  ASSERT_EQ(store.change_overrides({&other, 1}, {.at = 1, .by = "else"}), OverrideOutcome::kDone);
  EXPECT_EQ(field(call("GET", "/limits/tokens"), "/allow/default/0"), "\"7/1m\"");
}

TEST_F(Steer, ATierShowsWhatEveryLimitAllowsItAndWhatIsSet) {
  const Reply put =
      call("PUT", "/tiers/pro", R"({"weight":8,"tools":{"deny":["rm*"]},"amounts":{"tokens":["70k/1m"]}})");
  ASSERT_EQ(put.status, 200) << put.body;
  EXPECT_EQ(field(put, "/amounts/tokens"), R"(["70k/1m"])");
  EXPECT_EQ(field(put, "/amounts/requests"), R"(["100/1m"])");
  EXPECT_EQ(field(put, "/tools/deny"), R"(["rm*"])");
  EXPECT_EQ(field(call("GET", "/tiers"), "/tiers/0/amounts/tokens"), R"(["50k/1m"])");
  EXPECT_EQ(field(call("GET", "/tiers/free"), "/default"), "true");
  // A new tier that limits name cannot go before they do.
  ASSERT_EQ(call("PUT", "/tiers/gold", R"({"weight":9})").status, 200);
  ASSERT_EQ(call("PUT", "/limits/spend", R"({"allow":{"gold":"50/day","default":"10/day"}})").status, 200);
  EXPECT_EQ(call("DELETE", "/tiers/gold").status, 422);
  EXPECT_EQ(call("DELETE", "/limits/spend").status, 204);
  EXPECT_EQ(call("DELETE", "/tiers/gold").status, 204);
  EXPECT_EQ(call("GET", "/tiers/gold").status, 404);
}

TEST_F(Steer, TenantsAreListedWithTheirZoneAndKeys) {
  for (const char* name : {"a", "b", "c"}) {
    Consumer consumer{.name = name, .tenant = std::string("T") + name, .created_at = 1};
    ASSERT_TRUE(store.create_consumer(consumer, KeyHash{{static_cast<unsigned char>(name[0])}}));
  }
  EXPECT_EQ(field(call("PUT", "/tenants/Tb", R"({"zone":"Europe/Berlin"})"), "/zone"), "\"Europe/Berlin\"");
  const Reply page = call("GET", "/tenants?page_size=2");
  EXPECT_EQ(field(page, "/tenants/1/name"), "\"Tb\"");
  EXPECT_EQ(field(page, "/tenants/1/source"), "\"override\"");
  EXPECT_EQ(field(page, "/tenants/1/keys"), "1");
  EXPECT_EQ(field(page, "/next"), "\"Tb\"");
  EXPECT_EQ(field(call("GET", "/tenants?page_size=2&cursor=Tb"), "/next"), "null");
  EXPECT_EQ(field(call("GET", "/tenants?search=tC"), "/tenants/0/name"), "\"Tc\"");
  EXPECT_EQ(call("GET", "/tenants?sort=x").status, 400);
}

TEST_F(Steer, ThePolicyIsShownAndExportedWithoutSecrets) {
  ASSERT_EQ(call("PUT", "/limits/tokens", R"({"allow":"9k/1m","match":null})").status, 200);
  const Reply policy = call("GET", "/policy");
  EXPECT_EQ(policy.body.find("sk-provider-secret"), std::string::npos);
  EXPECT_EQ(field(policy, "/overrides/0/value"), R"({"allow":"9k/1m","match":null})");
  EXPECT_EQ(field(policy, "/overrides/0/by"), "\"ops\"");
  EXPECT_NE(field(policy, "/words/1").find("9,000 tokens"), std::string::npos);
  const Reply file = call("GET", "/policy/export");
  EXPECT_EQ(file.content_type, "application/yaml");
  const LoadedPolicy again = load(file.body);
  ASSERT_TRUE(again.policy) << problems(again);
  EXPECT_EQ(policy_in_words(*again.policy), policy_in_words(host.rules()->policy()));
  EXPECT_NE(
      call("GET", "/policy/export?what=overrides").body.find("  - name: tokens\n    allow: 9k/1m\n    match: null\n"),
      std::string::npos);
  EXPECT_EQ(call("GET", "/policy/export?what=all").status, 400);
  const Reply changes = call("GET", "/policy/changes");
  EXPECT_EQ(field(changes, "/changes/0/by"), "\"ops\"");
  EXPECT_EQ(field(changes, "/changes/0/name"), "\"tokens\"");
  EXPECT_EQ(field(changes, "/next"), "null");
}

TEST_F(Steer, APageOfChangesIsNotMovedByWhatComesMeanwhile) {
  for (const char* amount : {"1/1m", "2/1m", "3/1m"}) {
    ASSERT_EQ(call("PUT", "/limits/tokens", std::string(R"({"allow":")") + amount + "\"}").status, 200);
  }
  const Reply first = call("GET", "/policy/changes?page_size=2");
  now += kMinute;
  ASSERT_EQ(call("PUT", "/limits/tokens", R"({"allow":"4/1m"})").status, 200);
  const Reply second = call("GET", "/policy/changes?page_size=2&cursor=" + text(first, "next"));
  EXPECT_EQ(field(second, "/changes/0/detail"), R"("was nothing, is {\"allow\":\"1/1m\"}")") << second.body;
  EXPECT_EQ(field(second, "/changes/1"), "(none in " + second.body + ")") << "shown on the first page";
  EXPECT_EQ(call("GET", "/policy/changes?cursor=7").status, 400);
}

TEST_F(Steer, ADraftIsLookedAtAndPutInForce) {
  std::string yaml = text(call("GET", "/policy"), "yaml");
  const auto as_body = [](const std::string& text) {
    std::string out;
    JsonWriter(out).begin_object().key("yaml").string(text).end_object();
    return out;
  };
  EXPECT_EQ(field(call("PUT", "/policy/draft", as_body(yaml)), "/changed"), "[]");
  yaml.replace(yaml.find("50k/1m"), 6, "60k/1m");
  yaml += "tiers: { free: { weight: 1 }, pro: { weight: 5 }, enterprise: { weight: 16 } }\n";
  EXPECT_EQ(field(call("POST", "/policy/check", as_body(yaml)), "/valid"), "true");
  const Reply put = call("PUT", "/policy/draft", as_body(yaml));
  EXPECT_EQ(field(put, "/changed"), R"(["limit tokens","tier pro"])") << put.body;
  EXPECT_EQ(store.overrides().value()[0].json, R"({"allow":"60k/1m"})");
  EXPECT_EQ(store.overrides().value()[1].json, R"({"weight":5})");
  yaml.replace(yaml.find("60k/1m"), 6, "50k/1m");
  EXPECT_EQ(field(call("PUT", "/policy/draft", as_body(yaml)), "/changed"), R"(["limit tokens"])");
  EXPECT_EQ(store.overrides().value().size(), 1u);
  EXPECT_EQ(call("PUT", "/policy/draft", as_body(yaml + "drain: 3s\n")).status, 422) << "only the file changes that";
  EXPECT_EQ(call("PUT", "/policy/draft", as_body("limits: 5")).status, 422);
  EXPECT_EQ(call("PUT", "/policy/draft", R"({"yaml":5})").status, 400);
  EXPECT_EQ(call("PUT", "/policy/draft", "{}").status, 400);
  EXPECT_EQ(field(call("POST", "/policy/check", as_body("limits: 5")), "/diagnostics/0/line"), "1");
}

TEST_F(Steer, NobodyReadsTheEnvironmentThroughADraft) {
  host.variables = [](std::string_view) { return std::optional<std::string>("from-the-environment"); };
  const std::string body =
      R"({"yaml":"limits:\n  - { name: a, per: key, meter: requests, allow: 5/1m, match: { model: \"${SECRET}\" } }"})";
  for (const char* call_of : {"POST /policy/check", "PUT /policy/draft", "POST /policy/what-if"}) {
    const std::string what = call_of;
    const Reply reply = call(what.substr(0, what.find(' ')), what.substr(what.find(' ') + 1), body);
    EXPECT_EQ(reply.body.find("from-the-environment"), std::string::npos) << reply.body;
    EXPECT_NE(reply.body.find("names a variable"), std::string::npos) << reply.body;
  }
}

TEST_F(Steer, ShadowRefusalsAreToldByLimitAndKey) {
  Database db;
  ASSERT_TRUE(db.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 1000));
  const std::string hour = std::to_string(stage::kNoon / kHour - 1);
  ASSERT_TRUE(db.execute(("INSERT INTO refusal_hours VALUES (" + hour + ",'a','rate','k',1,2),(" + hour +
                          ",'a','rate','l',1,3),(" + hour + ",'b','rate','l',1,7)")
                             .c_str()));
  const Reply reply = call("GET", "/policy/shadow");
  EXPECT_EQ(field(reply, "/limits/0/would_refuse"), "5");
  EXPECT_EQ(field(reply, "/limits/0/keys/0/key"), "\"l\"");
  EXPECT_EQ(field(reply, "/limits/1/would_refuse"), "7");
}

TEST_F(Steer, FiveThousandOverridesHoldAndOneMoreIsRefused) {
  Database db;
  ASSERT_TRUE(db.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 1000));
  ASSERT_TRUE(db.execute(("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                          std::to_string(kMaxOverrides) +
                          ") INSERT INTO overrides SELECT 2, 't' || i, '{\"zone\":\"Europe/Paris\"}', '', 0 FROM n")
                             .c_str()));
  EXPECT_EQ(field(call("GET", "/tenants/t5000"), "/zone"), "\"Europe/Paris\"");
  EXPECT_EQ(call("PUT", "/tenants/one-more", R"({"zone":"UTC"})").status, 422);
  EXPECT_EQ(call("DELETE", "/tenants/t1").status, 204);
  EXPECT_EQ(call("PUT", "/tenants/one-more", R"({"zone":"UTC"})").status, 200);
  EXPECT_EQ(host.rules()->policy().tenant_zones.size(), kMaxOverrides);
}

// --- what-if --------------------------------------------------------------------------------------------------------

UsageRow used(TimeNs time, std::int64_t tokens, std::string key = "k") {
  UsageRow row{.time = time, .request_id = std::to_string(time), .key = std::move(key), .model = "gpt-4o"};
  row.provider = "openai";
  row.status = 200;
  row.usage.input_uncached = tokens;
  row.usage.output_visible = 1;
  return row;
}

class WhatIf : public Steer {
 protected:
  void book(int rows) {
    std::vector<UsageRow> usage;
    for (int i = 0; i < rows; ++i) usage.push_back(used(stage::kNoon - kHour + i * kSecond, 100));
    ASSERT_TRUE(store.book(usage, {}, {}));
  }
  std::string draft(std::string_view from, std::string_view to) {
    std::string yaml(stage::kTestPolicy), out;
    yaml.replace(yaml.find(from), from.size(), to);
    JsonWriter(out).begin_object().key("yaml").string(yaml).key("hours").number(24).end_object();
    return out;
  }
};

TEST_F(WhatIf, TheDraftsRefusalsAreComparedWithThoseOfThePolicyInForce) {
  book(50);
  const Reply started = call("POST", "/policy/what-if", draft("allow: 100/1m", "allow: 10/1h"));
  ASSERT_EQ(started.status, 202) << started.body;
  EXPECT_EQ(field(started, "/state"), "\"running\"");
  EXPECT_EQ(call("POST", "/policy/what-if").status, 429) << "one at a time";
  ASSERT_EQ(host.long_work.size(), 1u);
  host.long_work[0](store, stage::kNoon);
  const std::string id = text(started, "id");
  const Reply done = call("GET", "/policy/what-if/" + id);
  EXPECT_EQ(field(done, "/state"), "\"done\"");
  EXPECT_EQ(field(done, "/result/rows"), "50");
  EXPECT_EQ(field(done, "/result/current"), R"({"allowed":50,"degraded":0,"refused":0})");
  EXPECT_EQ(field(done, "/result/draft"), R"({"allowed":10,"degraded":0,"refused":40})");
  EXPECT_EQ(field(done, "/result/newly_refused/0"), R"({"key":"k","limit":"requests","count":40})");
  EXPECT_EQ(call("DELETE", "/policy/what-if/" + id).status, 204);
  EXPECT_EQ(call("GET", "/policy/what-if/" + id).status, 404);
}

TEST_F(WhatIf, WhatWasRefusedIsAskedAgain) {
  book(3);
  const AuditRow refused{.time = stage::kNoon - kMinute,
                         .request_id = "r",
                         .key = "k",
                         .event = AuditEvent::kRefused,
                         .layer = "budget",
                         .limit = "tokens",
                         .requested = "60000",
                         .count = 4};
  const AuditRow unknown{
      .time = stage::kNoon - kMinute, .key = "stranger", .event = AuditEvent::kRefused, .limit = "requests"};
  ASSERT_TRUE(store.book({}, std::vector{refused, unknown}, {}));
  const LoadedPolicy roomy = load(
      stage::policy_with("  - { name: tokens, per: caller, meter: tokens, allow: 500k/1m }", "  - { name: tokens,"));
  const auto rules = host.rules();
  WhatIfQuestion question{{rules, &rules->policy()}, roomy.policy, stage::kNoon - kDay, stage::kNoon};
  const auto result = run_what_if(store, question, [](double) { return true; });
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->rows, 7);
  EXPECT_EQ(result->current.refused, 4);
  EXPECT_EQ(result->draft.refused, 0);
  EXPECT_EQ(result->newly_allowed.at({"k", "tokens"}), 4);
  EXPECT_NE(result->note.find("4 refused requests are asked again"), std::string::npos) << result->note;
  EXPECT_NE(result->note.find("1 refused requests are left out"), std::string::npos);
}

TEST_F(WhatIf, RequestsHoldWhatTheyHeld) {
  std::vector<UsageRow> quick;
  for (int i = 0; i < 4; ++i) {
    quick.push_back(used(stage::kNoon - kHour + i * kMillisecond, 20));
    quick.back().reserved_tokens = 30;
  }
  ASSERT_TRUE(store.book(quick, {}, {}));
  const LoadedPolicy tight = load(
      stage::policy_with("  - { name: tokens, per: caller, meter: tokens, allow: 150/1m }", "  - { name: tokens,"));
  const auto rules = host.rules();
  const auto result = run_what_if(store, {{rules, &rules->policy()}, tight.policy, stage::kNoon - kDay, stage::kNoon},
                                  [](double) { return true; });
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->draft.refused, 0) << "4 at once held 120 of 150";
}

TEST_F(WhatIf, KeysHaveTheAmountsOfTheirMetadata) {
  Consumer key{.name = "k"};
  ASSERT_TRUE(set_metadata(key, R"({"limits":{"requests":"30/1m"}})"));
  ASSERT_TRUE(store.create_consumer(key, KeyHash{}));
  book(50);
  const LoadedPolicy tight = load_policy("limits: [{ name: requests, per: caller, meter: requests, allow: 10/1m }]",
                                         "weir.yaml", [](std::string_view) { return std::nullopt; });
  const auto result =
      run_what_if(store, {tight.policy, tight.policy, stage::kNoon - kDay, stage::kNoon}, [](double) { return true; });
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->current.allowed, 30);
  EXPECT_EQ(result->draft.allowed, 30);
  EXPECT_EQ(result->note,
            "Counters start empty, and each answer's output is the recorded one. Nothing records how long answers "
            "took: 0.5 s and 0.02 s per output token are assumed, on which limits of concurrency depend. The metadata "
            "of 1 key was used, as it is now.");
}

TEST_F(WhatIf, LimitsOfRunsAreTriedAsTheServerCountsThem) {
  std::vector<UsageRow> usage;
  for (int i = 0; i < 12; ++i) {
    usage.push_back(used(stage::kNoon - kHour + i * kSecond, 100));
    usage.back().run = "run-" + std::to_string(i / 2);
  }
  ASSERT_TRUE(store.book(usage, {}, {}));
  const LoadedPolicy tight =
      load(stage::policy_with("  - { name: runs, per: caller, meter: runs, allow: 4/1h }", "  - { name: tokens,"));
  const auto rules = host.rules();
  const auto result = run_what_if(store, {{rules, &rules->policy()}, tight.policy, stage::kNoon - kDay, stage::kNoon},
                                  [](double) { return true; });
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->draft.allowed, 8) << "four runs of two requests";
  EXPECT_EQ(result->newly_refused.at({"k", "runs"}), 4);
  EXPECT_EQ(result->note.find("not tried"), std::string::npos) << result->note;
}

TEST_F(WhatIf, ItIsBoundedAndCanBeGivenUp) {
  book(600);
  const auto rules = host.rules();
  WhatIfQuestion question{{rules, &rules->policy()}, {rules, &rules->policy()}, stage::kNoon - kDay, stage::kNoon, 20};
  const auto some = run_what_if(store, question, [](double) { return true; });
  ASSERT_TRUE(some);
  EXPECT_EQ(some->rows, 20);
  EXPECT_EQ(some->until, stage::kNoon - kHour + 19 * kSecond);
  EXPECT_NE(some->note.find("Only the first 20"), std::string::npos);
  question.most_rows = kMaxWhatIfRows;
  const auto none = run_what_if(store, question, [](double) { return false; });
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "cancelled");
  const Reply started = call("POST", "/policy/what-if", R"({"hours":24})");
  const std::string id = text(started, "id");
  EXPECT_EQ(call("DELETE", "/policy/what-if/" + id).status, 204);
  host.long_work.back()(store, stage::kNoon);
  EXPECT_EQ(field(call("GET", "/policy/what-if/" + id), "/state"), "\"failed\"");
  EXPECT_EQ(call("POST", "/policy/what-if", R"({"hours":0})").status, 400);
  EXPECT_EQ(call("POST", "/policy/what-if", R"({"yaml":"limits: 5"})").status, 422);
}

}  // namespace
}  // namespace weir
