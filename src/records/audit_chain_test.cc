// What somebody with the database in his hands can do to the audit, and what of it the chain shows.
#include "records/audit_chain.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <thread>

#include "journal/test_support.h"
#include "records/sqlite.h"
#include "records/store.h"
#include "records/test_old_schema.h"

namespace weir {
namespace {

AuditRow row_at(TimeNs time) {
  AuditRow row;
  row.time = time;
  row.request_id = "req_" + std::to_string(time);
  row.key = "ann";
  row.layer = "tool";
  row.limit = "high-risk";
  row.per_json = R"({"caller":"ann"})";
  row.used = "4.20";
  row.retry_after_s = static_cast<double>(time) / 4;
  row.tool = "send_email";
  return row;
}

class Chain : public testing::Test {
 protected:
  Chain() {
    for (TimeNs time = 1; time <= 10; ++time) rows.push_back(row_at(time));
    EXPECT_TRUE(store.book({}, rows, {}));
  }
  // As somebody would who has the file and SQLite.
  void tamper(const char* sql) {
    Database db;
    ASSERT_TRUE(db.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 1000));
    const auto done = db.execute(sql);
    ASSERT_TRUE(done) << done.error().message;
  }
  void expect_broken_at(const std::string& request_id) {
    const AuditVerdict verdict = store.verify_audit().value();
    EXPECT_FALSE(verdict.intact);
    EXPECT_TRUE(verdict.broken_at_row);
    EXPECT_EQ(verdict.broken_request_id, request_id) << verdict.why;
  }

  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
  std::vector<AuditRow> rows;
};

TEST_F(Chain, WhatWasBookedIsIntactAndTellsItsHead) {
  const AuditVerdict verdict = store.verify_audit().value();
  EXPECT_TRUE(verdict.intact) << verdict.why;
  EXPECT_EQ(verdict.rows, 10);
  EXPECT_EQ(verdict.first, 1);
  EXPECT_EQ(verdict.last, 10);
  AuditHash head = kAuditGenesis;
  for (const AuditRow& row : rows) head = chained(head, row);
  EXPECT_EQ(to_hex(verdict.head), to_hex(head));
}

// docs/audit.md says how to recompute this without Weir; whoever does must find the same.
TEST_F(Chain, TheEncodingIsTheOneThatIsDocumented) {
  AuditRow row;
  row.time = 258;
  row.key = "ann";
  EXPECT_EQ(to_hex(chained(kAuditGenesis, row)), "fcd2485179e8acab7e84dcaa0d312fab6265df08c57d0c5f89f299d84b5b2c7d");
}

TEST_F(Chain, AnEmptyAuditIsIntact) {
  TempDir other;
  const AuditVerdict verdict = Store::open(other.path(), {.create = true})->verify_audit().value();
  EXPECT_TRUE(verdict.intact);
  EXPECT_EQ(verdict.rows, 0);
  EXPECT_EQ(verdict.head, kAuditGenesis);
}

TEST_F(Chain, EveryChangedFieldShows) {
  const char* const changes[] = {"time = 99",      "request_id = 'x'", "key = 'bob'",     "event = event + 256",
                                 "layer = ''",     "limit_name = 'x'", "per = '{}'",      "used = '4.2'",
                                 "reserved = '1'", "requested = '1'",  "allowed = '1'",   "retry_after = NULL",
                                 "count = 2",      "evidence = 'x'",   "user = 'x'",      "tool = 'x'",
                                 "run = 'x'",      "agent = 'x'",      "retry_after = 0", "config_version = 'x'"};
  for (const char* change : changes) {
    tamper((std::string("CREATE TABLE kept AS SELECT * FROM audit; UPDATE audit SET ") + change + " WHERE id = 5")
               .c_str());
    const AuditVerdict verdict = store.verify_audit().value();
    EXPECT_FALSE(verdict.intact) << change;
    EXPECT_EQ(verdict.rows, 4) << change;
    tamper("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DROP TABLE kept");
    EXPECT_TRUE(store.verify_audit()->intact);
  }
}

TEST_F(Chain, ARowTakenOutOfTheMiddleShows) {
  tamper("DELETE FROM audit WHERE id = 5");
  expect_broken_at("req_6");
}

TEST_F(Chain, TheFirstRowTakenOutShows) {
  tamper("DELETE FROM audit WHERE id = 1");
  expect_broken_at("req_2");
}

TEST_F(Chain, RowsThatChangedPlacesShow) {
  tamper(
      "UPDATE audit SET id = 100 WHERE id = 5; UPDATE audit SET id = 5 WHERE id = 6; "
      "UPDATE audit SET id = 6 WHERE id = 100");
  expect_broken_at("req_6");
}

TEST_F(Chain, AForgedRowAtTheEndShows) {
  tamper(
      "CREATE TABLE forged AS SELECT * FROM audit WHERE id = 10; UPDATE forged SET id = 11, request_id = 'forged'; "
      "INSERT INTO audit SELECT * FROM forged");
  expect_broken_at("forged");
}

TEST_F(Chain, AForgedRowWithoutAHashIsNotEvenTaken) {
  Database db;
  ASSERT_TRUE(db.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 1000));
  const auto done = db.execute(
      "INSERT INTO audit (time, request_id, key, event, layer, limit_name, per, used, reserved, requested, allowed, "
      "count, evidence, config_version) VALUES (1, 'forged', '', 0, '', '', '{}', '', '', '', '', 1, '', '')");
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("restart the older server"), std::string::npos) << done.error().message;
  EXPECT_TRUE(store.verify_audit()->intact);
}

TEST_F(Chain, AForgedRowThatIsChainedButNotTheRecordedEndShows) {
  AuditRow forged = row_at(11);
  const AuditHash hash = chained(store.verify_audit()->head, forged);
  tamper(
      ("CREATE TABLE forged AS SELECT * FROM audit WHERE id = 10; UPDATE forged SET id = 11, time = 11, request_id = "
       "'req_11', retry_after = 2.75, hash = x'" +
       to_hex(hash) + "'; INSERT INTO audit SELECT * FROM forged")
          .c_str());
  const AuditVerdict verdict = store.verify_audit().value();
  EXPECT_FALSE(verdict.intact);
  EXPECT_EQ(verdict.rows, 11) << "the row itself is well made";
  EXPECT_FALSE(verdict.broken_at_row);
}

TEST_F(Chain, ATailThatWasCutShows) {
  tamper("DELETE FROM audit WHERE id > 7");
  const AuditVerdict verdict = store.verify_audit().value();
  EXPECT_FALSE(verdict.intact);
  EXPECT_FALSE(verdict.broken_at_row);
  EXPECT_NE(verdict.why.find("3 of the newest rows"), std::string::npos) << verdict.why;
}

// The chain has no secret. Only a head kept elsewhere shows this.
TEST_F(Chain, ATailCutTogetherWithItsRecordShowsOnlyToWhoKeptTheHead) {
  const std::string kept = to_hex(store.verify_audit()->head);
  EXPECT_TRUE(store.verify_audit(kept)->expected_found);
  tamper(
      "DELETE FROM audit WHERE id > 7; UPDATE audit_chain SET kept = 7, head = (SELECT hash FROM audit WHERE id = 7)");
  const AuditVerdict verdict = store.verify_audit(kept).value();
  EXPECT_TRUE(verdict.intact);
  EXPECT_FALSE(verdict.expected_found);
}

TEST_F(Chain, AnEarlierHeadIsFoundAfterTheAuditGrew) {
  const std::string kept = to_hex(store.verify_audit()->head);
  ASSERT_TRUE(store.book({}, std::vector{row_at(11)}, {}));
  EXPECT_TRUE(store.verify_audit(kept)->expected_found);
  EXPECT_FALSE(store.verify_audit(std::string(64, 'f'))->expected_found);
}

// The old end is cut as by somebody who knows where the beginning is recorded.
constexpr const char* kCutOldEnd =
    "UPDATE audit_chain SET base = (SELECT hash FROM audit WHERE id = 9), purged = 9, kept = kept - 9; "
    "DELETE FROM audit WHERE id <= 9";

TEST_F(Chain, AnOldEndCutTogetherWithItsRecordShows) {
  const std::string kept = to_hex(store.verify_audit()->head);
  tamper(kCutOldEnd);
  const AuditVerdict verdict = store.verify_audit(kept).value();
  EXPECT_FALSE(verdict.intact);
  EXPECT_FALSE(verdict.broken_at_row);
  EXPECT_NE(verdict.why.find("no row says that retention deleted them"), std::string::npos) << verdict.why;
}

TEST_F(Chain, AnOldEndCutBeyondWhatRetentionDeletedShows) {
  EXPECT_EQ(store.purge_audit(5, 100, 50).value(), 4u);
  EXPECT_TRUE(store.verify_audit()->intact);
  tamper(kCutOldEnd);
  EXPECT_FALSE(store.verify_audit()->intact) << "the row states another beginning";
  tamper("UPDATE audit_chain SET purged = 4");
  EXPECT_FALSE(store.verify_audit()->intact);
}

TEST_F(Chain, ARecordOfRowsDeletedThatNoRowStatesShows) {
  tamper("UPDATE audit_chain SET purged = 3");
  EXPECT_FALSE(store.verify_audit()->intact);
}

TEST_F(Chain, RetentionStatesInTheChainWhatItDeleted) {
  EXPECT_EQ(store.purge_audit(5, 100, 50).value(), 4u);
  std::vector<AuditRow> told;
  ASSERT_TRUE(store.audit({.event = AuditEvent::kAdmin, .key = {}}, [&](const AuditRow& row) {
    told.push_back(row);
    return true;
  }));
  ASSERT_EQ(told.size(), 1u);
  const AuditVerdict verdict = store.verify_audit().value();
  EXPECT_EQ(told[0].time, 50);
  EXPECT_EQ(told[0].limit, "retention");
  EXPECT_EQ(told[0].per_json, R"({"base":")" + to_hex(verdict.base) + "\"}");
  EXPECT_EQ(told[0].requested, "4");
  EXPECT_EQ(told[0].used, "4");
  EXPECT_EQ(told[0].evidence, "by retention: 4 rows from before 1970-01-01T00:00:00Z deleted, 4 in all");
  EXPECT_EQ(verdict.purge_time, 50);
  EXPECT_EQ(verdict.purge_words, told[0].evidence);
}

TEST_F(Chain, RetentionMovesTheBeginningAndTheRestStaysIntact) {
  const std::string first_kept = to_hex([&] {
    AuditHash hash = kAuditGenesis;
    for (int i = 0; i < 4; ++i) hash = chained(hash, rows[static_cast<std::size_t>(i)]);
    return hash;
  }());
  EXPECT_EQ(store.purge_audit(5, 3, 50).value(), 3u) << "at most so many at once";
  EXPECT_EQ(store.purge_audit(5, 3, 51).value(), 1u);
  EXPECT_EQ(store.purge_audit(5, 3, 52).value(), 0u);
  AuditVerdict verdict = store.verify_audit(first_kept).value();
  EXPECT_TRUE(verdict.intact) << verdict.why;
  EXPECT_TRUE(verdict.expected_found) << "a head that is now the beginning";
  EXPECT_EQ(verdict.rows, 6 + 2);
  EXPECT_EQ(verdict.purged, 4);
  ASSERT_TRUE(store.book({}, std::vector{row_at(53)}, {}));
  EXPECT_EQ(store.purge_audit(100, 100, 101).value(), 9u) << "all of it";
  ASSERT_TRUE(store.book({}, std::vector{row_at(102)}, {}));
  verdict = store.verify_audit().value();
  EXPECT_TRUE(verdict.intact) << verdict.why;
  EXPECT_EQ(verdict.purged, 13);
  EXPECT_EQ(verdict.rows, 2);
  tamper("DELETE FROM audit");
  EXPECT_FALSE(store.verify_audit()->intact);
}

TEST_F(Chain, RetentionLeavesNoGapWhereTimesAreOutOfOrder) {
  ASSERT_TRUE(store.book({}, std::vector{row_at(3), row_at(20)}, {}));
  EXPECT_EQ(store.purge_audit(5, 100, 50).value(), 4u);
  EXPECT_TRUE(store.verify_audit()->intact);
  EXPECT_EQ(store.purge_audit(15, 100, 51).value(), 7u);
  EXPECT_TRUE(store.verify_audit()->intact);
}

TEST_F(Chain, AQuietAuditComesToRest) {
  EXPECT_EQ(store.purge_audit(20, 4, 50).value(), 4u);
  EXPECT_EQ(store.purge_audit(20, 100, 50).value(), 6u);
  EXPECT_EQ(store.purge_audit(1000, 100, 1000).value(), 0u) << "what is left only tells of deletions";
  AuditVerdict verdict = store.verify_audit().value();
  EXPECT_TRUE(verdict.intact) << verdict.why;
  EXPECT_EQ(verdict.rows, 2);
  EXPECT_EQ(store.purge_audit(1000, 2, 1000).value(), 2u) << "many of them do not hold back what follows";
  EXPECT_EQ(store.purge_audit(1000, 2, 1000).value(), 0u);
  verdict = store.verify_audit().value();
  EXPECT_TRUE(verdict.intact) << verdict.why;
  EXPECT_EQ(verdict.rows, 1);
}

TEST_F(Chain, RetentionKeepsRowsBehindABrokenOneAndTheLedgerDoesNotWaitForIt) {
  UsageRow usage;
  usage.time = 1;
  ASSERT_TRUE(store.book(std::vector{usage}, {}, {}));
  tamper("UPDATE audit SET hash = x'00' WHERE id = 2");
  const auto audit = store.purge_audit(5, 100, 50);
  ASSERT_FALSE(audit);
  EXPECT_NE(audit.error().message.find("weir audit --verify"), std::string::npos) << audit.error().message;
  EXPECT_EQ(store.purge_usage(5, 100).value(), 1u);
  EXPECT_FALSE(store.verify_audit()->intact);
}

TEST_F(Chain, ProcessesThatAppendAtTheSameTimeMakeOneChain) {
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([&, w] {
      Store own = Store::open(dir.path(), {.busy_timeout_ms = 60'000}).value();
      for (int i = 0; i < 10; ++i) {
        if (w == 0) {
          EXPECT_TRUE(own.set_kill_switch({.kind = KillSwitch::Kind::kTool, .name = "t" + std::to_string(i)}));
        } else {
          EXPECT_TRUE(own.book({}, std::vector{row_at(100 * w + i), row_at(1000 * w + i)}, {}));
        }
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const AuditVerdict verdict = store.verify_audit().value();
  EXPECT_TRUE(verdict.intact) << verdict.why;
  EXPECT_EQ(verdict.rows, 10 + 10 + 3 * 20);
}

TEST_F(Chain, WhatIsNotBookedWholeLeavesTheChainAsItWas) {
  const AuditHash before = store.verify_audit()->head;
  tamper("CREATE TRIGGER full BEFORE INSERT ON drained BEGIN SELECT RAISE(ABORT, 'full'); END");
  const DrainPosition position{.sequence = 1, .offset = 1};
  EXPECT_FALSE(store.book({}, std::vector{row_at(11)}, {&position, 1}));
  const AuditVerdict verdict = store.verify_audit().value();
  EXPECT_TRUE(verdict.intact);
  EXPECT_EQ(verdict.head, before);
}

TEST_F(Chain, AStoreFromBeforeTheChainIsChainedWhenItIsTakenOn) {
  tamper(kDropVersion4And5);
  tamper(
      "DROP TRIGGER audit_chained; DROP TABLE audit_chain; DROP TABLE kill_switches; "
      "ALTER TABLE usage DROP COLUMN tools; ALTER TABLE audit DROP COLUMN user; ALTER TABLE audit DROP COLUMN tool; "
      "ALTER TABLE audit DROP COLUMN run; ALTER TABLE audit DROP COLUMN agent; ALTER TABLE audit DROP COLUMN hash; "
      "PRAGMA user_version = 2");
  Store now = Store::open(dir.path()).value();
  ASSERT_TRUE(now.book({}, std::vector{row_at(11)}, {}));
  AuditVerdict verdict = now.verify_audit().value();
  EXPECT_TRUE(verdict.intact) << verdict.why;
  EXPECT_EQ(verdict.rows, 11);
  tamper("UPDATE audit SET count = 7 WHERE id = 2");
  verdict = now.verify_audit().value();
  EXPECT_EQ(verdict.broken_request_id, "req_2");
}

RC_GTEST_PROP(AuditChain, AnyRowVerifiesAfterItWasStored, ()) {
  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
  AuditRow row;
  row.time = *rc::gen::arbitrary<std::int64_t>();
  for (std::string* text : {&row.request_id, &row.key, &row.layer, &row.limit, &row.per_json, &row.evidence, &row.user,
                            &row.tool, &row.run, &row.agent}) {
    *text = *rc::gen::arbitrary<std::string>();
  }
  row.count = *rc::gen::arbitrary<std::int64_t>();
  row.retry_after_s = *rc::gen::element(-1.0, -0.0, 0.0, 1.0, 31.2, 1e300, std::numeric_limits<double>::quiet_NaN());
  RC_ASSERT(store.book({}, std::vector{row, row}, {}).has_value());
  const AuditVerdict verdict = store.verify_audit().value();
  RC_ASSERT(verdict.intact && verdict.rows == 2);
  RC_ASSERT(verdict.head == chained(chained(kAuditGenesis, row), row));
}

}  // namespace
}  // namespace weir
