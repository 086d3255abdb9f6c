// Kill switches, the audit of changes, and what the ledger tells of runs and tools.
#include <gtest/gtest.h>

#include "journal/test_support.h"
#include "records/metadata.h"
#include "records/sqlite.h"
#include "records/store.h"

namespace weir {
namespace {

using Kind = KillSwitch::Kind;

class StoreChanges : public testing::Test {
 protected:
  std::vector<AuditRow> audit(const AuditQuery& query = {.event = {}, .key = {}}) {
    std::vector<AuditRow> rows;
    EXPECT_TRUE(store.audit(query, [&](const AuditRow& row) {
      rows.push_back(row);
      return true;
    }));
    return rows;
  }
  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
};

TEST_F(StoreChanges, KillSwitchesAreThrownReplacedAndCleared) {
  const KillSwitch mail{.kind = Kind::kTool, .name = "send_email", .reason = "spam", .by = "cli", .since = 5};
  KillSwitch run{.kind = Kind::kRun, .name = "send_email", .reason = "", .by = "admin", .since = 6};
  ASSERT_TRUE(store.set_kill_switch(mail));
  ASSERT_TRUE(store.set_kill_switch(run));
  run.reason = "again";
  ASSERT_TRUE(store.set_kill_switch(run));
  EXPECT_EQ(store.kill_switches().value(), (std::vector{mail, run}));
  EXPECT_TRUE(store.clear_kill_switch(Kind::kTool, "send_email", {.at = 7, .by = "cli"}).value());
  EXPECT_FALSE(store.clear_kill_switch(Kind::kTool, "send_email", {.at = 8, .by = "cli"}).value());
  EXPECT_EQ(store.kill_switches().value(), std::vector{run});
}

TEST_F(StoreChanges, OtherProcessesSeeThatSwitchesChanged) {
  Store server = Store::open(dir.path()).value();
  auto version = server.data_version().value();
  const auto changed = [&] {
    const auto now = server.data_version().value();
    return std::exchange(version, now) != now;
  };
  ASSERT_TRUE(store.set_kill_switch({.kind = Kind::kKey, .name = "ann"}));
  EXPECT_TRUE(changed());
  ASSERT_TRUE(store.set_kill_switch({.kind = Kind::kKey, .name = "ann", .reason = "because"}));
  EXPECT_TRUE(changed());
  ASSERT_TRUE(store.clear_kill_switch(Kind::kKey, "ann", {}));
  EXPECT_TRUE(changed());
  ASSERT_TRUE(store.book({}, std::vector{AuditRow{}}, {}));
  EXPECT_FALSE(changed()) << "the chain is not a reason to load all keys again";
}

TEST_F(StoreChanges, TheTableOfSwitchesIsBounded) {
  Database db;
  ASSERT_TRUE(db.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 1000));
  ASSERT_TRUE(db.execute(("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                          std::to_string(kMaxKillSwitches) +
                          ") INSERT INTO kill_switches SELECT 3, 'run' || i, '', '', 0 FROM n")
                             .c_str()));
  const auto beyond = store.set_kill_switch({.kind = Kind::kRun, .name = "one more"});
  ASSERT_FALSE(beyond);
  EXPECT_NE(beyond.error().message.find("weir unkill"), std::string::npos);
  EXPECT_TRUE(store.set_kill_switch({.kind = Kind::kRun, .name = "run7", .reason = "known ones may change"}));
  EXPECT_EQ(audit().size(), 1u);
}

TEST_F(StoreChanges, EveryChangeIsAuditedWithWhoDidIt) {
  Consumer ann{.name = "ann", .tenant = "acme", .tier = "pro", .created_at = 10};
  ASSERT_TRUE(store.create_consumer(ann, KeyHash{1}, {.at = 0, .by = "cli"}));
  ann.tier = "free";
  ASSERT_TRUE(store.update_consumer(ann, {.at = 11, .by = "cli"}).value());
  ASSERT_TRUE(store.revoke_consumer("ann", {.at = 12, .by = "cli"}).value());
  ASSERT_TRUE(
      store.set_kill_switch({.kind = Kind::kTool, .name = "pay", .reason = "loops", .by = "admin", .since = 13}));
  ASSERT_TRUE(store.clear_kill_switch(Kind::kTool, "pay", {.at = 14, .by = "admin"}).value());
  std::vector<std::tuple<TimeNs, std::string, std::string, std::string>> seen;
  for (const AuditRow& row : audit()) {
    EXPECT_EQ(row.event, AuditEvent::kAdmin);
    EXPECT_EQ(row.key, "") << "no caller did it";
    seen.emplace_back(row.time, row.limit, row.per_json, row.evidence);
  }
  const std::string key = R"({"key":"ann"})", tool = R"({"tool":"pay"})";
  EXPECT_EQ(seen, (decltype(seen){{10, "keys create", key, "by cli: kind=agent tenant=acme tier=pro"},
                                  {11, "keys update", key, "by cli: kind=agent tenant=acme tier=free"},
                                  {12, "keys revoke", key, "by cli"},
                                  {13, "kill tool", tool, "by admin: loops"},
                                  {14, "unkill tool", tool, "by admin"}}));
  EXPECT_TRUE(store.verify_audit()->intact);
}

TEST_F(StoreChanges, OfMetadataTheAuditTellsTheNamesAndWhatGrantsAlsoByValue) {
  Consumer ann{.name = "ann"};
  const auto change = [&](std::string_view metadata) {
    ASSERT_TRUE(set_metadata(ann, metadata));
    ASSERT_TRUE(store.update_consumer(ann).value());
  };
  ASSERT_TRUE(set_metadata(ann, R"({"limits":{"requests":"5/1m"},"token":"s3cret"})"));
  ASSERT_TRUE(store.create_consumer(ann, KeyHash{1}));
  change(R"({"limits":{"requests":"500/1m"},"token":"s3cret"})");
  change(R"({"limits":{"requests":"500/1m"},"token":"s4cret","lineage":"required","tools":{"deny":["pay","x"]}})");
  change(R"({"tools":{"deny":["x"]}})");
  ann.tier = "pro";
  ASSERT_TRUE(store.update_consumer(ann).value());
  std::vector<std::string> told;
  for (const AuditRow& row : audit()) told.push_back(row.evidence.substr(row.evidence.find("kind=agent") + 10));
  EXPECT_EQ(told, (std::vector<std::string>{
                      R"(; metadata: limits.requests (none) -> "5/1m", token added)",
                      R"(; metadata: limits.requests "5/1m" -> "500/1m")",
                      R"(; metadata: tools.deny (none) -> "pay, x", lineage added, token changed)",
                      R"(; metadata: limits.requests "500/1m" -> (none), tools.deny "pay, x" -> "x", lineage removed, )"
                      "token removed",
                      " tier=pro"}));
}

TEST_F(StoreChanges, WhatChangedNothingIsNotAudited) {
  Consumer ann{.name = "ann"}, again{.name = "ann"};
  ASSERT_TRUE(store.create_consumer(ann, KeyHash{1}));
  EXPECT_FALSE(store.create_consumer(again, KeyHash{2}));
  EXPECT_FALSE(store.update_consumer(Consumer{.name = "bob"}).value());
  EXPECT_FALSE(store.revoke_consumer("bob").value());
  EXPECT_FALSE(store.clear_kill_switch(Kind::kRun, "r", {}).value());
  EXPECT_EQ(audit().size(), 1u);
}

TEST_F(StoreChanges, AChangeThatCannotBeAuditedDoesNotHappen) {
  Database db;
  ASSERT_TRUE(db.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 1000));
  ASSERT_TRUE(db.execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END"));
  Consumer ann{.name = "ann"};
  EXPECT_FALSE(store.create_consumer(ann, KeyHash{1}));
  EXPECT_FALSE(store.set_kill_switch({.kind = Kind::kKey, .name = "ann"}));
  EXPECT_TRUE(store.list_consumers()->empty());
  EXPECT_TRUE(store.kill_switches()->empty());
}

TEST_F(StoreChanges, TheAuditIsAskedByEventKeyAndNewest) {
  std::vector<AuditRow> rows;
  for (TimeNs time = 1; time <= 6; ++time) {
    AuditRow row;
    row.time = time;
    row.key = time % 2 == 0 ? "ann" : "bob";
    row.event = time <= 3 ? AuditEvent::kRefused : AuditEvent::kBroken;
    rows.push_back(row);
  }
  ASSERT_TRUE(store.book({}, rows, {}));
  ASSERT_TRUE(store.set_kill_switch({.kind = Kind::kKey, .name = "ann", .reason = "", .by = "cli", .since = 7}));
  const auto times = [&](const AuditQuery& query) {
    std::vector<TimeNs> all;
    for (const AuditRow& row : audit(query)) all.push_back(row.time);
    return all;
  };
  EXPECT_EQ(times({.event = AuditEvent::kBroken, .key = {}}), (std::vector<TimeNs>{4, 5, 6}));
  EXPECT_EQ(times({.event = {}, .key = "bob"}), (std::vector<TimeNs>{1, 3, 5}));
  EXPECT_EQ(times({.event = {}, .key = "ann"}), (std::vector<TimeNs>{2, 4, 6, 7})) << "and what was done about it";
  EXPECT_EQ(times({.event = {}, .key = {}, .limit = 2}), (std::vector<TimeNs>{6, 7})) << "the newest, oldest first";
  EXPECT_EQ(times({.since = 3, .event = AuditEvent::kRefused, .key = "bob"}), (std::vector<TimeNs>{3}));
}

UsageRow call_of(const std::string& key, const std::string& run, TimeNs time, std::vector<std::string> tools) {
  UsageRow row;
  row.time = time;
  row.request_id = key + std::to_string(time);
  row.key = key;
  row.run = run;
  row.model = "gpt-4o";
  row.usage.input_uncached = 100;
  row.usage.output_visible = 10;
  row.usd_micros = 5;
  row.tool_calls = static_cast<std::int32_t>(tools.size());
  for (const std::string& tool : tools) add_tool(row.tools, tool);
  return row;
}

TEST_F(StoreChanges, RunsOfTheLedgerForARestart) {
  std::vector<UsageRow> rows = {call_of("ann", "r1", 5, {"a"}), call_of("ann", "r1", 10, {"a", "b"}),
                                call_of("bob", "r1", 11, {}), call_of("ann", "r1", 12, {}), call_of("ann", "", 13, {})};
  rows[3].model = "";  // an MCP or HTTP call
  rows[3].tool_calls = 1;
  ASSERT_TRUE(store.book(rows, {}, {}));
  const auto runs = store.recent_runs(10).value();
  ASSERT_EQ(runs.size(), 2u) << "without a name it is no run";
  EXPECT_EQ(runs[0].key, "ann");
  EXPECT_EQ(runs[0].run, "r1");
  EXPECT_EQ(runs[0].llm_calls, 1) << "older rows and calls without a model do not count";
  EXPECT_EQ(runs[0].tool_calls, 3);
  EXPECT_EQ(runs[0].tokens, 220);
  EXPECT_EQ(runs[0].usd_micros, 10);
  EXPECT_EQ(runs[0].last, 12);
  EXPECT_EQ(runs[1].key, "bob") << "another key's run of that name is another run";
  EXPECT_TRUE(store.recent_runs(100)->empty());
}

TEST_F(StoreChanges, ARestartReadsTheNewestRowsOnly) {
  std::vector<UsageRow> rows;
  for (TimeNs time = 1; time <= 9; ++time) rows.push_back(call_of("ann", time % 3 == 0 ? "r3" : "r", time, {}));
  rows.push_back(call_of("ann", "old", 0, {}));
  ASSERT_TRUE(store.book(rows, {}, {}));
  const auto runs = store.recent_runs(0, 4).value();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].run, "r3");
  EXPECT_EQ(runs[0].llm_calls, 2) << "of 9 and 6";
  EXPECT_EQ(runs[1].llm_calls, 2) << "of 8 and 7";
  EXPECT_EQ(store.recent_runs(0)->size(), 3u);
}

TEST_F(StoreChanges, RunsOfARestartAreBounded) {
  Database db;
  ASSERT_TRUE(db.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 1000));
  ASSERT_TRUE(store.book(std::vector{call_of("ann", "r", 1, {})}, {}, {}));
  ASSERT_TRUE(
      db.execute(("CREATE TABLE one AS SELECT * FROM usage; UPDATE one SET id = NULL; "
                  "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= " +
                  std::to_string(kMaxRecentRuns) +
                  " + 10) INSERT INTO usage (time, run, request_id, key, tenant, user, tier, kind, conversation, "
                  "agent, model, provider, route, status, input_uncached, cache_read, cache_write, "
                  "output_visible, reasoning, audio_in, audio_out, usd_micros, reserved_tokens, tool_calls, "
                  "degraded, attempts, settled) SELECT i, 'run' || i, request_id, key, tenant, user, tier, kind, "
                  "conversation, agent, model, provider, route, status, input_uncached, cache_read, "
                  "cache_write, output_visible, reasoning, audio_in, audio_out, usd_micros, reserved_tokens, "
                  "tool_calls, degraded, attempts, settled FROM n, one")
                     .c_str()));
  const auto runs = store.recent_runs(0).value();
  ASSERT_EQ(runs.size(), kMaxRecentRuns);
  EXPECT_EQ(runs.front().run, "run" + std::to_string(kMaxRecentRuns + 11));
  EXPECT_EQ(runs.back().last, 12) << "the ones used last";
}

TEST_F(StoreChanges, UsageByTool) {
  std::vector<UsageRow> rows = {call_of("ann", "r", 1, {"search", "search", "mail"}), call_of("ann", "r", 2, {"mail"}),
                                call_of("ann", "r", 3, {})};
  rows[1].tool_calls = 3;  // two that the row does not name
  ASSERT_TRUE(store.book(rows, {}, {}));
  std::vector<std::tuple<std::string, std::int64_t, std::int64_t>> seen;
  const std::vector<UsageSum> sums = store.usage_sums(0, UsageBy::kTool).value();
  for (const UsageSum& sum : sums) {
    seen.emplace_back(sum.group, sum.requests, sum.tool_calls);
  }
  EXPECT_EQ(seen, (decltype(seen){{"", 1, 2}, {"mail", 2, 2}, {"search", 1, 2}}));
}

}  // namespace
}  // namespace weir
