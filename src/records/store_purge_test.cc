// Deleting what the ledger has of somebody: all of it, also what has not arrived, and nothing of anybody else.
#include <gtest/gtest.h>

#include "journal/test_support.h"
#include "records/sqlite.h"
#include "records/store.h"

namespace weir {
namespace {

constexpr TimeNs kPurged = 1000;

UsageRow row(TimeNs time, std::string key, std::string user, std::string tenant = "acme") {
  UsageRow out{.time = time, .request_id = "req_" + std::to_string(time), .usage = {.input_uncached = 5}};
  out.key = std::move(key);
  out.user = std::move(user);
  out.tenant = std::move(tenant);
  return out;
}

PurgeSubject user(std::string name) {
  return {.key = {}, .user = std::move(name), .tenant = {}};
}

class Purge : public testing::Test {
 protected:
  void book(const std::vector<UsageRow>& rows) { ASSERT_TRUE(store.book(rows, {}, {})); }
  std::vector<TimeNs> times() {
    std::vector<TimeNs> out;
    EXPECT_TRUE(store.usage(0, [&](const UsageRow& each) {
      out.push_back(each.time);
      return true;
    }));
    return out;
  }
  std::vector<AuditRow> audit() {
    std::vector<AuditRow> rows;
    EXPECT_TRUE(store.audit(0, [&](const AuditRow& each) {
      rows.push_back(each);
      return true;
    }));
    return rows;
  }
  std::int64_t purge(const PurgeSubject& subject) {
    const auto done = store.purge_subject(subject, {.at = kPurged, .by = "cli"});
    EXPECT_TRUE(done) << done.error().message;
    return done ? done->rows : -1;
  }

  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
};

TEST_F(Purge, TakesTheRowsOfTheSubjectAndNoOthers) {
  book({row(1, "k1", "ann"), row(2, "k1", "bob"), row(3, "k2", "ann"), row(4, "k2", "Ann"), row(5, "k3", "", "other")});
  EXPECT_EQ(purge(user("ann")), 2);
  EXPECT_EQ(times(), (std::vector<TimeNs>{2, 4, 5}));
  EXPECT_EQ(purge({.key = "k2", .user = {}, .tenant = {}}), 1);
  EXPECT_EQ(purge({.key = {}, .user = {}, .tenant = "other"}), 1);
  EXPECT_EQ(times(), std::vector<TimeNs>{2});
}

TEST_F(Purge, OfSeveralNamesAllMustAgree) {
  book({row(1, "k1", "ann", "a"), row(2, "k1", "ann", "b"), row(3, "k2", "ann", "a"), row(4, "k1", "bob", "a")});
  EXPECT_EQ(purge({.key = "k1", .user = "ann", .tenant = "a"}), 1);
  EXPECT_EQ(times(), (std::vector<TimeNs>{2, 3, 4}));
  book({row(5, "k1", "ann", "a"), row(6, "k1", "ann", "b")});
  EXPECT_EQ(times(), (std::vector<TimeNs>{2, 3, 4, 6})) << "what arrives late is judged by the same names";
}

TEST_F(Purge, NobodyIsAnError) {
  book({row(1, "k1", "")});
  EXPECT_FALSE(store.purge_subject({}, {.at = kPurged, .by = "cli"}));
  EXPECT_EQ(times().size(), 1u);
}

TEST_F(Purge, WhatStillWaitsInTheJournalIsNotBookedAndWhatComesLaterIs) {
  EXPECT_EQ(purge(user("ann")), 0);
  Store server = Store::open(dir.path()).value();
  ASSERT_TRUE(server.book(std::vector{row(kPurged - 1, "k", "ann"), row(kPurged, "k", "ann"), row(1, "k", "bob"),
                                      row(kPurged + 1, "k", "ann")},
                          {}, std::vector{DrainPosition{.sequence = 1, .offset = 77}}));
  EXPECT_EQ(times(), (std::vector<TimeNs>{1, kPurged + 1}));
  EXPECT_EQ(server.positions().value().at(0).offset, 77u) << "the journal goes on all the same";
}

TEST_F(Purge, AgainIsHarmlessAndIsAuditedEachTime) {
  book({row(1, "k1", "ann")});
  EXPECT_EQ(purge(user("ann")), 1);
  EXPECT_EQ(purge(user("ann")), 0);
  const std::vector<AuditRow> rows = audit();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].event, AuditEvent::kAdmin);
  EXPECT_EQ(rows[0].limit, "purge");
  EXPECT_EQ(rows[0].evidence, "by cli: 1 rows of the ledger deleted");
  EXPECT_EQ(rows[1].evidence, "by cli: 0 rows of the ledger deleted");
  EXPECT_EQ(rows[0].per_json, R"({"subject":")" + user("ann").mark() + R"("})");
  EXPECT_TRUE(store.verify_audit().value().intact);
}

TEST_F(Purge, NothingThatStaysNamesTheSubject) {
  std::vector<UsageRow> rows;
  for (int i = 1; i <= 500; ++i) rows.push_back(row(i, "k1", i % 2 == 0 ? "ann-of-acme" : "bob-of-acme"));
  book(rows);
  EXPECT_EQ(purge(user("ann-of-acme")), 250);
  std::string bytes = file_bytes(dir / "weir.db") + file_bytes(dir / "weir.db-wal");
  EXPECT_EQ(bytes.find("ann-of-acme"), std::string::npos) << "overwritten, not only unlinked";
  EXPECT_NE(bytes.find("bob-of-acme"), std::string::npos) << "the search can find a name";
}

TEST_F(Purge, TheMarkIsTheOneThatIsDocumented) {
  // printf 'user\0ann\0' | openssl dgst -sha256 -hmac 'weir purge'
  EXPECT_EQ(user("ann").mark(), "1453e701ea8de3f0bcda823115e137e30744b388623b3052be5a363e71d57cdd");
  // printf 'key\0k1\0tenant\0acme\0' | openssl dgst -sha256 -hmac 'weir purge'
  EXPECT_EQ((PurgeSubject{.key = "k1", .user = {}, .tenant = "acme"}.mark()),
            "22c7a93ed7bd40fc5edcd0d87f074de19afa1c337f9b13a64dcd70950cd0c217");
  EXPECT_NE(user("ann").mark(), (PurgeSubject{.key = "ann", .user = {}, .tenant = {}}.mark()));
}

TEST_F(Purge, RemembersTheNewestSubjectsUpToItsBound) {
  ASSERT_TRUE(store.purge_subject(user("first"), {.at = 1, .by = "cli"}));
  Database db;
  ASSERT_TRUE(db.open(dir / "weir.db", SQLITE_OPEN_READWRITE, 1000));
  ASSERT_TRUE(db.execute(("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                          std::to_string(kMaxPurges) + ") INSERT INTO settings SELECT 'purged:2:' || i, '5' FROM n")
                             .c_str()));
  ASSERT_TRUE(store.purge_subject(user("last"), {.at = 9, .by = "cli"}));
  Statement count = db.prepare("SELECT count(*) FROM settings WHERE name LIKE 'purged:%'");
  ASSERT_TRUE(count.next());
  EXPECT_EQ(count.integer(0), static_cast<std::int64_t>(kMaxPurges));
  count.reset();
  book({row(1, "k", "first"), row(2, "k", "last")});
  EXPECT_EQ(times(), std::vector<TimeNs>{1}) << "the oldest was forgotten, the newest is not";
}

TEST_F(Purge, ManyRowsGoInSteps) {
  std::vector<UsageRow> rows(20'001, row(1, "k", "ann"));
  rows.push_back(row(2, "k", "bob"));
  book(rows);
  EXPECT_EQ(purge(user("ann")), 20'001);
  EXPECT_EQ(times(), std::vector<TimeNs>{2});
  EXPECT_EQ(audit().size(), 2u) << "each step says in the audit what it deleted";
}

TEST(PurgeMarks, ARowWithoutTheNameIsNobodys) {
  PurgeMarks marks;
  EXPECT_TRUE(marks.empty());
  marks.add(PurgeMarks::kUser, user("ann").mark(), 10);
  marks.add(0, user("bob").mark(), 10);
  marks.add(8, user("bob").mark(), 10);
  EXPECT_TRUE(marks.cover(row(10, "k", "ann")));
  EXPECT_FALSE(marks.cover(row(11, "k", "ann")));
  EXPECT_FALSE(marks.cover(row(1, "k", "bob")));
  EXPECT_FALSE(marks.cover(row(1, "ann", "")));
}

}  // namespace
}  // namespace weir
