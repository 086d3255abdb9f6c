// Consumers over the admin API, asked of the router as the server does it.
#include <gtest/gtest.h>

#include "admin/overriding.h"
#include "admin/routes.h"
#include "admin/session.h"
#include "admin/test_host.h"
#include "journal/test_support.h"
#include "records/metadata.h"

namespace weir {
namespace {

using namespace stage;

constexpr TimeNs kNow = 1'795'000'000 * kSecond;

class AdminCalls : public testing::Test {
 protected:
  AdminCalls() {
    add_key_routes(router);
    add_session_routes(router);
    add_server_routes(router);
    add_welcome_routes(router);
  }
  Reply ask(std::string_view method, std::string_view path, std::string_view body = {},
            std::string_view if_match = {}) {
    const std::size_t mark = std::min(path.find('?'), path.size());
    return host.ask(router, store,
                    {.method = std::string(method),
                     .path = "/admin/v1" + std::string(path.substr(0, mark)),
                     .query = std::string(path.substr(std::min(mark + 1, path.size()))),
                     .body = std::string(body),
                     .if_match = std::string(if_match),
                     .peer = {},
                     .caller = caller,
                     .names = {}},
                    kNow);
  }
  void make(const std::string& name, std::string_view more = "") {
    ASSERT_EQ(ask("POST", "/keys", "{\"name\":\"" + name + "\"" + std::string(more) + "}").status, 201) << name;
  }
  std::vector<std::string> names(std::string_view query) {
    const Reply reply = ask("GET", "/keys?" + std::string(query));
    EXPECT_EQ(reply.status, 200) << reply.body;
    std::vector<std::string> out;
    constexpr std::string_view kMark = "{\"name\":\"";
    for (std::size_t at = 0; (at = reply.body.find(kMark, at)) != std::string::npos;) {
      at += kMark.size();
      out.push_back(reply.body.substr(at, reply.body.find('"', at) - at));
    }
    return out;
  }
  static std::string member(const Reply& reply, const std::string& name) {
    const std::size_t at = reply.body.find("\"" + name + "\":\"") + name.size() + 4;
    return reply.body.substr(at, reply.body.find('"', at) - at);
  }
  static std::string etag(const Reply& reply) {
    const std::size_t at = reply.headers.find("etag: ") + 6;
    return reply.headers.substr(at, reply.headers.find('\r', at) - at);
  }

  World world;
  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
  FakeAdminHost host{world};
  AdminRouter router{host};
  AdminCaller caller{.name = "ann", .role = AdminRole::kAdmin};
};

using Keys = AdminCalls;
using Sessions = AdminCalls;
using Welcome = AdminCalls;
using Health = AdminCalls;

TEST_F(Keys, AreMadeShownChangedAndRevokedAndEachIsAudited) {
  const Reply made = ask("POST", "/keys", R"({"name":"ada","tenant":"a <b>","tier":"pro","metadata":{"seats":5}})");
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string key = member(made, "key");
  EXPECT_TRUE(is_well_formed_key(key));
  EXPECT_NE(store.load_directory().value()->find(host.key_hasher().hash(key)), nullptr);
  const Reply shown = ask("GET", "/keys/ada");
  EXPECT_EQ(shown.body, "{" + made.body.substr(made.body.find("\"name\""))) << "all but the key";
  EXPECT_TRUE(has(shown.body, R"("tenant":"a <b>","user":"","tier":"pro","kind":"agent","status":"active")"));
  EXPECT_EQ(ask("PATCH", "/keys/ada", R"({"tier":null,"user":"u"})").status, 200);
  EXPECT_TRUE(has(ask("GET", "/keys/ada").body, R"("user":"u","tier":"","kind")"));
  EXPECT_EQ(ask("DELETE", "/keys/ada").status, 204);
  EXPECT_EQ(ask("DELETE", "/keys/ada").status, 204) << "again is harmless";
  EXPECT_TRUE(has(ask("GET", "/keys/ada").body, R"("status":"revoked")"));
  EXPECT_EQ(host.changes, 3) << "each holds at once";
  std::vector<std::string> done;
  ASSERT_TRUE(store.audit(0, [&](const AuditRow& row) {
    done.push_back(row.limit + " " + row.evidence);
    return true;
  }));
  EXPECT_EQ(done,
            (std::vector<std::string>{"keys create by ann: kind=agent tenant=a <b> tier=pro; metadata: seats added",
                                      "keys update by ann: kind=agent tenant=a <b> user=u", "keys revoke by ann"}));
}

TEST_F(Keys, AChangeThatSaysWhatItReadFailsIfSomebodyWasFaster) {
  make("ada");
  const std::string read = etag(ask("GET", "/keys/ada"));
  EXPECT_EQ(ask("PATCH", "/keys/ada", R"({"user":"one"})", read).status, 200);
  const Reply late = ask("PATCH", "/keys/ada", R"({"user":"two"})", read);
  EXPECT_EQ(late.status, 412);
  EXPECT_EQ(etag(late), etag(ask("GET", "/keys/ada")));
  EXPECT_EQ(ask("DELETE", "/keys/ada", "", read).status, 412);
  EXPECT_TRUE(has(ask("GET", "/keys/ada").body, R"("user":"one")"));
  EXPECT_EQ(ask("PATCH", "/keys/ada", R"({"user":"two"})", etag(late)).status, 200);
  EXPECT_EQ(ask("DELETE", "/keys/ada", "", "*").status, 204);
}

TEST_F(Keys, AreFoundFilteredAndPaged) {
  make("ada", R"(,"tenant":"Acme","user":"x_1")");
  make("bob", R"(,"tenant":"acme","tier":"pro","kind":"service")");
  make("cy", R"(,"tier":"free")");
  make("dee");
  ASSERT_EQ(ask("DELETE", "/keys/dee").status, 204);
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(""), (Names{"ada", "bob", "cy"}));
  EXPECT_EQ(names("status=all"), (Names{"ada", "bob", "cy", "dee"}));
  EXPECT_EQ(names("status=revoked"), Names{"dee"});
  EXPECT_EQ(names("search=ACM"), (Names{"ada", "bob"}));
  EXPECT_EQ(names("search=X_"), Names{"ada"}) << "no pattern: an underscore is itself";
  EXPECT_EQ(names("search=%25"), Names{});
  EXPECT_EQ(names("tenant=acme"), Names{"bob"});
  EXPECT_EQ(names("tier=free"), (Names{"ada", "cy"})) << "the default tier is that of keys without one";
  EXPECT_EQ(names("kind=service&tier=pro"), Names{"bob"});
  const Reply first = ask("GET", "/keys?page_size=2");
  EXPECT_TRUE(has(first.body, R"("total":3,"next":")")) << first.body;
  EXPECT_EQ(names("page_size=2&cursor=" + member(first, "next")), Names{"cy"});
  EXPECT_TRUE(has(ask("GET", "/keys?page_size=3").body, R"("total":3,"next":null)"));
  const Reply newest = ask("GET", "/keys?page_size=1&sort=created");
  EXPECT_EQ(names("page_size=1&sort=created&cursor=" + member(newest, "next")), Names{"bob"});
  EXPECT_EQ(ask("GET", "/keys?sort=usd&cursor=" + member(newest, "next")).status, 400) << "of another list";
}

TEST_F(Keys, RefuseWhatTheyDoNotUnderstandAndSayWhy) {
  make("ada");
  struct Case {
    const char *method, *path, *body;
    int status;
  };
  const Case cases[] = {{"POST", "/keys", "{", 400},
                        {"POST", "/keys", "{}", 400},
                        {"POST", "/keys", R"({"name":"<b>"})", 400},
                        {"POST", "/keys", R"({"name":"x","key":"weir_x"})", 400},
                        {"POST", "/keys", R"({"name":"x","name":"y"})", 400},
                        {"POST", "/keys", R"({"name":"x","tier":"prro"})", 422},
                        {"POST", "/keys", R"({"name":"x","kind":"robot"})", 400},
                        {"POST", "/keys", R"({"name":"x","metadata":7})", 400},
                        {"POST", "/keys", R"({"name":"x","tenant":"a\u0000b"})", 400},
                        {"POST", "/keys", R"({"name":"ada"})", 409},
                        {"PATCH", "/keys/ada", R"({"name":"eve"})", 400},
                        {"PATCH", "/keys/nobody", "{}", 404},
                        {"DELETE", "/keys/nobody", "", 404},
                        {"GET", "/keys/nobody", "", 404},
                        {"GET", "/keys/nobody/limits", "", 404},
                        {"GET", "/keys?page_size=-1", "", 400},
                        {"GET", "/keys?page_size=99999999999999999999", "", 400},
                        {"GET", "/keys?cursor=0.x.ada", "", 400},
                        {"GET", "/keys?cursor=0.1", "", 400},
                        {"GET", "/keys?colour=red", "", 400},
                        {"GET", "/keys/%ff", "", 400},
                        {"PUT", "/keys/ada", "{}", 405}};
  for (const Case& each : cases) {
    const Reply reply = ask(each.method, each.path, each.body);
    EXPECT_EQ(reply.status, each.status) << each.method << each.path << each.body << reply.body;
    EXPECT_EQ(reply.content_type, "application/problem+json");
  }
  EXPECT_TRUE(has(ask("POST", "/keys", R"({"name":"x","tier":"prro"})").body, "did you mean `pro`?"));
  caller.role = AdminRole::kViewer;
  EXPECT_EQ(ask("PATCH", "/keys/ada", R"({"user":"u"})").status, 403);
  EXPECT_EQ(store.list_consumers()->size(), 1u);
  host.entropy_fails = true;
  caller.role = AdminRole::kAdmin;
  EXPECT_EQ(ask("POST", "/keys", R"({"name":"x"})").status, 503);
}

TEST_F(Keys, RefuseLimitsAndToolsThatThePolicyDoesNotKnowWhereTheyAreNew) {
  world.use_policy("limits: [{ name: requests, per: caller, meter: requests, allow: [20/1m, 500/1h] }]\n");
  const std::string wrong = R"("metadata":{"limits":{"reqests":"50/1m"},"note":"a"}})";
  const Reply made = ask("POST", "/keys", R"({"name":"x",)" + wrong);
  EXPECT_EQ(made.status, 422);
  EXPECT_TRUE(has(made.body, "There is no limit `reqests`; did you mean `requests`? There are requests."));
  EXPECT_TRUE(made.body.ends_with(R"(,"field":"metadata"})")) << made.body;
  make("ada");
  EXPECT_EQ(ask("PATCH", "/keys/ada", "{" + wrong).status, 422);
  EXPECT_EQ(ask("PATCH", "/keys/ada", R"({"metadata":{"limits":{"requests":"50/5m"}}})").status, 422);
  EXPECT_EQ(ask("PATCH", "/keys/ada", R"({"metadata":{"tools":{"dney":["x"]}}})").status, 422);
  EXPECT_TRUE(has(ask("GET", "/keys/ada").body, R"("metadata":{})"));
  EXPECT_EQ(ask("PATCH", "/keys/ada", R"({"metadata":{"limits":{"requests":"50/1m"}}})").status, 200);

  Consumer old{.name = "old"};
  ASSERT_TRUE(set_metadata(old, R"({"limits":{"reqests":"50/1m"}})"));
  ASSERT_TRUE(store.create_consumer(old, KeyHash{9}));
  EXPECT_EQ(ask("PATCH", "/keys/old", R"({"user":"u"})").status, 200);
  EXPECT_EQ(ask("PATCH", "/keys/old", "{" + wrong).status, 200) << "the limit is as it was";
}

TEST_F(Keys, TellTheLimitsThatHoldNowInNumbersAndWords) {
  make("ada");
  const Reply reply = ask("GET", "/keys/ada/limits");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_TRUE(reply.body.starts_with(R"({"key":"ada","tier":"free","trust":1,"limits":[{"name":")")) << reply.body;
  for (const std::string part : {R"("used":0)", R"("ratio":0.0000)", R"("shadow":false)", R"("words":")"}) {
    EXPECT_TRUE(has(reply.body, part)) << part << reply.body;
  }
}

TEST_F(Sessions, AreBegunByTokensAndCodesAndEnded) {
  const Reply by_token = ask("POST", "/session");
  ASSERT_EQ(by_token.status, 401) << "ann's token is not in the store any more";
  caller = host.own_access.caller_of("the-admin-token", kNow);
  const Reply opened = ask("POST", "/session", "{}");
  ASSERT_EQ(opened.status, 200) << opened.body;
  const AdminCaller session = host.own_access.caller_of(member(opened, "token"), kNow);
  EXPECT_EQ(session.role, AdminRole::kAdmin);
  EXPECT_EQ(ask("DELETE", "/session").status, 409) << "the caller's own token is no session";
  caller = session;
  EXPECT_TRUE(has(ask("GET", "/whoami").body, "\"expires_at\":\"2026-11-18T23:06:40.000Z\""));
  EXPECT_EQ(ask("DELETE", "/session").status, 204);
  EXPECT_EQ(host.own_access.caller_of(member(opened, "token"), kNow).role, AdminRole::kNone);
  host.own_access.add_code("code", kNow);
  caller = {};
  EXPECT_EQ(ask("POST", "/session").status, 401);
  EXPECT_EQ(ask("POST", "/session", R"({"code":"code"})").status, 200);
  EXPECT_EQ(ask("POST", "/session", R"({"code":"code"})").status, 401);
  EXPECT_EQ(ask("GET", "/whoami").status, 403) << "the router lets nobody without a role go on";
}

TEST_F(Welcome, TriesWithTheDemoKeyAndTellsTheRefusal) {
  EXPECT_EQ(ask("POST", "/try").status, 409);
  host.demo = "weir_demo";
  EXPECT_EQ(ask("POST", "/try").status, 409) << "no simulated provider: nothing is tried for money";
  EXPECT_TRUE(has(ask("GET", "/welcome").body, R"("first_run":true,"demo_key":"weir_demo")"));
  world.use_policy("providers: { sim: { simulate: {} } }\nmodels: { \"*\": { provider: sim } }\n");
  host.answer_of_try = TriedCall{.status = 429,
                                 .ms = 1.5,
                                 .tokens = "",
                                 .usd = "",
                                 .retry_after_ms = "2500",
                                 .body = R"({"error":{"message":"No <b>","weir":{"limit":"requests"}}})"};
  EXPECT_EQ(ask("POST", "/try", R"({"count":1})").body,
            R"({"answers":[{"status":429,"ms":1.5,"tokens":null,"usd_micros":null,"retry_after":2.5,)"
            R"("refusal":{"limit":"requests"},"sentence":"No <b>"}]})");
  EXPECT_EQ(ask("POST", "/try", R"({"count":2})").status, 200);
  EXPECT_NE(host.tried[1], host.tried[2]) << "breakers stop what fails again and again: the limit is to be seen";
  host.answer_of_try->body =
      R"({"error":{"message":"Limit reached","weir":{"limit":"requests","layer":"rate","per":{"caller":"demo"},)"
      R"("allowed":20,"used":20,"reserved":0,"requested":1,"retry_after":2.5}}})";
  EXPECT_TRUE(has(
      ask("POST", "/try", R"({"count":1})").body,
      R"("sentence":"demo had used 20 of 20 requests within 1 minute; this request asked for 1 more. Room again in 3 s.")"));
  host.tried.clear();
  host.answer_of_try =
      TriedCall{.status = 200, .ms = 2, .tokens = "31", .usd = "1.000413", .retry_after_ms = "", .body = "{}"};
  EXPECT_TRUE(has(ask("POST", "/try").body, R"("tokens":31,"usd_micros":1000413,"retry_after":null,"refusal":null)"));
  EXPECT_EQ(host.tried.size(), 3u) << "three unless told otherwise";
  EXPECT_EQ(ask("POST", "/try", R"({"count":51})").status, 400);
  host.answer_of_try = fail("refused");
  EXPECT_EQ(ask("POST", "/try").status, 502);
  host.tried.clear();
  host.ends = true;
  EXPECT_EQ(ask("POST", "/try").status, 503) << "fifty tries must not hold up the end of the server";
  EXPECT_TRUE(host.tried.empty());
}

TEST_F(Health, SaysWhatIsWrongSinceWhenAndWhatToDo) {
  EXPECT_TRUE(ask("GET", "/health").body.starts_with(R"({"status":"ok")"));
  host.health_now.problems = {{.what = "journal", .since = kNow, .detail = "disk full", .remedy = "free some"}};
  host.health_now.providers = {
      {.provider = "p", .model = "m", .state = ServerHealth::Provider::State::kOpen, .until = kNow}};
  const Reply reply = ask("GET", "/health");
  EXPECT_TRUE(reply.body.starts_with(R"({"status":"degraded")"));
  EXPECT_TRUE(has(reply.body, R"("problems":[{"what":"journal","since":"2026-11-18T)"));
  EXPECT_TRUE(has(reply.body, R"("detail":"disk full","do":"free some"}])"));
  EXPECT_TRUE(has(reply.body, R"({"provider":"p","model":"m","state":"open","until":")"));
  host.health_now.draining = true;
  EXPECT_TRUE(ask("GET", "/health").body.starts_with(R"({"status":"draining")"));
}

TEST_F(Health, AReloadIsAuditedAndOneThatFailsSaysWhere) {
  EXPECT_EQ(ask("POST", "/reload").status, 200);
  EXPECT_EQ(host.reloaded_because, std::vector<std::string>{"asked by ann"});
  const std::vector<Diagnostic> wrong = {
      {.error = true, .file = "f", .line = 3, .column = 5, .message = "unknown key"}};
  const Reply reply = invalid_policy("Not valid.", wrong);
  EXPECT_EQ(reply.status, 422);
  EXPECT_TRUE(
      reply.body.ends_with(R"("diagnostics":[{"line":3,"column":5,"error":true,"message":"unknown key","file":"f"}]})"))
      << reply.body;
}

}  // namespace
}  // namespace weir
