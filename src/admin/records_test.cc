// The calls about records, as the router answers them.
#include <gtest/gtest.h>

#include "admin/routes.h"
#include "admin/test_host.h"
#include "journal/test_support.h"

namespace weir {
namespace {

constexpr TimeNs kNow = 1'795'000'000 * kSecond;  // 2026-11-18T11:06:40Z

class AdminRecords : public testing::Test {
 protected:
  AdminRecords() {
    add_usage_routes(router);
    add_audit_routes(router);
    add_spend_routes(router);
    add_run_routes(router);
  }
  static UsageRow row(TimeNs time, std::string key, std::int64_t usd_micros) {
    UsageRow out{.time = time, .request_id = "req_" + std::to_string(kNow - time)};
    out.key = std::move(key);
    out.usage.input_uncached = 5;
    out.usd_micros = usd_micros;
    return out;
  }
  Reply ask(std::string path, std::string query = {}) {
    AdminRequest request{.method = "GET", .path = "/admin/v1/" + path, .query = std::move(query)};
    request.caller = {.name = "viewer", .role = AdminRole::kViewer};
    return host.ask(router, store, request, kNow);
  }
  std::string body(const std::string& path, const std::string& query = {}) {
    const Reply reply = ask(path, query);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.body;
  }

  stage::World world;
  TempDir dir{memory_directory()};
  Store store = Store::open(dir.path(), {.create = true}).value();
  FakeAdminHost host{world};
  AdminRouter router{host};
};

TEST_F(AdminRecords, UsageIsPagedNewestFirstFromTheLastDay) {
  ASSERT_TRUE(
      store.book({{row(kNow - 2 * kDay, "ann", 1), row(kNow - kHour, "ann", 2), row(kNow - 5, "bob", 3)}}, {}, {}));
  const std::string first = body("usage", "page_size=1");
  EXPECT_TRUE(first.starts_with(R"({"rows":[{"time":"2026-11-18T11:06:39.999Z","request_id":"req_5","key":"bob")"))
      << first;
  const std::size_t at = first.find(R"("next":")");
  ASSERT_NE(at, std::string::npos) << first;
  const std::string cursor = first.substr(at + 8, first.find('"', at + 8) - at - 8);
  const std::string second = body("usage", "page_size=1&cursor=" + cursor);
  EXPECT_NE(second.find(R"("key":"ann")"), std::string::npos);
  EXPECT_TRUE(second.ends_with(R"("next":null})")) << second;
  EXPECT_EQ(body("usage", "key=nobody"), R"({"rows":[],"next":null})");
}

TEST_F(AdminRecords, SumsAndSeriesNameTheRestOther) {
  ASSERT_TRUE(store.book({{row(kNow - kHour, "ann", 20), row(kNow - 5, "bob", 3), row(kNow - 4, "cid", 1)}}, {}, {}));
  const std::string sums = body("usage/sums", "by=key&top=1");
  EXPECT_TRUE(sums.starts_with(R"({"sums":[{"group":"ann","requests":1,"input_tokens":5,)")) << sums;
  EXPECT_NE(sums.find(R"({"group":"other","requests":2,)"), std::string::npos) << sums;
  EXPECT_NE(sums.find(R"("total":{"requests":3,)"), std::string::npos) << sums;
  EXPECT_EQ(body("usage/series", "since=1h&by=key&top=1"),
            R"({"step":"hour","times":["2026-11-18T10:00:00Z","2026-11-18T11:00:00Z"],"series":[)"
            R"({"group":"ann","requests":[1,0],"tokens":[5,0],"usd_micros":[20,0],"refused":[0,0]},)"
            R"({"group":"other","requests":[0,2],"tokens":[0,10],"usd_micros":[0,4],"refused":[0,0]}]})");
  EXPECT_EQ(body("usage/series", "since=1h&step=day&tier=pro"),
            R"({"step":"day","times":["2026-11-18T00:00:00Z"],"series":[)"
            R"({"group":"all","requests":[0],"tokens":[0],"usd_micros":[0],"refused":null}]})");
}

TEST_F(AdminRecords, WhatBelongsToNoTenantCanBeAskedFor) {
  UsageRow acme = row(kNow - 3, "ann", 20), nobodys = row(kNow - 2, "bob", 3), users = row(kNow - kHour, "bob", 5);
  acme.tenant = "acme", users.user = "u";
  ASSERT_TRUE(store.book({{users, acme, nobodys}}, {}, {}));
  EXPECT_TRUE(body("usage/sums", "by=key&without=tenant").starts_with(R"({"sums":[{"group":"bob","requests":2,)"));
  const std::string one = body("usage", "without=tenant,user");
  EXPECT_NE(one.find(R"("request_id":"req_2")"), std::string::npos) << one;
  EXPECT_EQ(one.find("req_3"), std::string::npos) << one;
  EXPECT_TRUE(one.ends_with(R"("next":null})")) << one;
  const std::string hours = body("usage/series", "since=1h&without=user");
  EXPECT_NE(hours.find(R"("requests":[0,2])"), std::string::npos) << hours;
  EXPECT_TRUE(body("usage/sums", "by=key&without=key").starts_with(R"({"sums":[],)"));
}

TEST_F(AdminRecords, AuditRowsExplainThemselves) {
  AuditRow refused{.time = kNow - 5, .request_id = "req_5", .key = "ann", .layer = "tool", .limit = "tools"};
  refused.tool = "send_email", refused.allowed = "0";
  ASSERT_TRUE(store.book({}, {{refused}}, {}));
  const std::string rows = body("audit", "event=refused&tool=send_email");
  EXPECT_TRUE(rows.ends_with(R"("sentence":"ann may not use the tool `send_email`."}],"next":null})")) << rows;
  EXPECT_EQ(body("audit/sums", "by=layer"), R"({"sums":[{"group":"tool","count":1}]})");
  EXPECT_EQ(body("audit", "event=broken"), R"({"rows":[],"next":null})");
  EXPECT_EQ(body("audit", "request_id=req_5"), rows);
  const std::string none = body("audit", "request_id=req_6");
  EXPECT_TRUE(none.starts_with(R"({"rows":[],"next":null,"note":"not found)")) << none;
  ASSERT_TRUE(
      store.book({}, {{{.time = kNow - 4, .event = AuditEvent::kAdmin, .layer = "admin", .limit = "reload"}}}, {}));
  EXPECT_EQ(body("audit", "event=decisions"), rows) << "what operators changed is no decision";
  EXPECT_EQ(body("audit/sums", "by=layer&event=decisions"), R"({"sums":[{"group":"tool","count":1}]})");
}

TEST_F(AdminRecords, ARunIsATreeOfItsRequestsWithItsEvidence) {
  UsageRow root = row(kNow - 2 * kSecond, "ann", 20), child = row(kNow - kSecond, "ann", 3);
  root.run = child.run = "nightly";
  root.agent = "planner", root.node = 0xabc, root.model = child.model = "m";
  child.agent = "<b>", child.node = 0xdef, child.parent = 0xabc, child.depth = 1, child.tools = "search*2";
  AuditRow broken{.time = kNow - 1, .key = "ann", .event = AuditEvent::kBroken, .layer = "breaker", .limit = "repeats"};
  broken.run = "nightly", broken.evidence = "The same call came 5 times";
  ASSERT_TRUE(store.book({{root, child}}, {{broken}}, {}));
  const std::string run =
      R"({"run":"nightly","key":"ann","tenant":"","user":"","agent":"planner","live":true,"first":"2026-11-18T11:06:38.000Z",)"
      R"("last":"2026-11-18T11:06:39.000Z","llm_calls":2,"tool_calls":0,"tokens":10,"usd_micros":23,"requests":2,"depth":1,)"
      R"("flags":["repeats"])";
  EXPECT_EQ(body("runs"), R"({"runs":[)" + run + R"(}],"ranked_since":null,"next":null})");
  EXPECT_EQ(body("runs", "flagged=true&state=live&agent=planner&single=false&sort=cost"),
            R"({"runs":[)" + run + R"(}],"ranked_since":null,"next":null})");
  host.too_much_waits = true;
  EXPECT_EQ(ask("runs", "sort=cost").status, 503) << "it is made on the thread for long work";
  EXPECT_EQ(ask("runs").status, 200);
  EXPECT_EQ(body("runs", "state=ended"), R"({"runs":[],"ranked_since":null,"next":null})");
  const std::string tree = body("runs/nightly");
  EXPECT_TRUE(tree.starts_with(run + R"(,"calls":[{"time":)")) << tree;
  EXPECT_NE(tree.find(R"("agent":"planner","node":"00000abc","parent":null,"depth":0,)"), std::string::npos) << tree;
  EXPECT_NE(tree.find(R"("agent":"<b>","node":"00000def","parent":"00000abc","depth":1,)"), std::string::npos) << tree;
  EXPECT_NE(tree.find(R"("evidence":[{"time":"2026-11-18T11:06:39.999Z")"), std::string::npos) << tree;
  EXPECT_NE(tree.find("The same call came 5 times"), std::string::npos) << tree;
  EXPECT_EQ(ask("runs/other").status, 404);
}

TEST_F(AdminRecords, TheForecastIsOfThePeriodThatRuns) {
  std::vector<UsageRow> rows;
  for (TimeNs at = kNow / kHour * kHour - 48 * kHour; at <= kNow; at += kHour) rows.push_back(row(at, "ann", 100));
  ASSERT_TRUE(store.book(rows, {}, {}));
  // 12 hours of today so far; 12 and 53 minutes 20 seconds of an hour are to come.
  const std::string text = body("spend/forecast", "period=day");
  EXPECT_TRUE(
      text.starts_with(R"({"period":{"start":"2026-11-18T00:00:00Z","end":"2026-11-19T00:00:00Z","zone":"UTC"},)"
                       R"("spent_usd_micros":1200,"forecast_usd_micros":2489,"low_usd_micros":1200,)"))
      << text;
  EXPECT_TRUE(text.ends_with(R"("days_seen":2})")) << text;
  const std::string none = body("spend/forecast", "tenant=nobody");
  EXPECT_NE(
      none.find(R"("spent_usd_micros":0,"forecast_usd_micros":null,"low_usd_micros":null,"high_usd_micros":null,)"),
      std::string::npos)
      << none;
}

TEST_F(AdminRecords, BadQuestionsAreToldWhatIsWrong) {
  for (const auto& [path, query] : std::vector<std::pair<std::string, std::string>>{
           {"runs", "state=asleep"},
           {"runs", "flagged=1"},
           {"runs", "sort=name"},
           {"usage", "without=colour"},
           {"usage/sums", "by=key&without=tenant,"},
           {"runs", "cursor=u1.1"},
           {"runs/r", "since=500d"},
           {"usage", "nonsense=1"},
           {"usage", "page_size=0"},
           {"usage", "page_size=1001"},
           {"usage", "cursor=u1"},
           {"usage", "since=500d"},
           {"usage", "since=1h&until=2h"},
           {"usage/sums", ""},
           {"usage/sums", "by=colour"},
           {"usage/sums", "by=key&top=1001"},
           {"usage/series", "top=51"},
           {"usage/series", "step=minute"},
           {"usage/series", "since=400d&by=key"},
           {"audit", "event=odd"},
           {"audit", "cursor=u1.1"},
           {"audit/sums", "by=tenant"},
           {"audit/sums", "event=refused"},
           {"spend/forecast", "period=year"},
       }) {
    const Reply reply = ask(path, query);
    EXPECT_EQ(reply.status, 400) << path << "?" << query << reply.body;
    EXPECT_EQ(reply.content_type, "application/problem+json");
  }
}

}  // namespace
}  // namespace weir
