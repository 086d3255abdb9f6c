// Lists of consumers, and the tokens of the admin API, in the store.
#include <gtest/gtest.h>

#include "journal/test_support.h"
#include "records/sqlite.h"
#include "records/store.h"
#include "records/store_impl.h"

namespace weir {
namespace {

constexpr TimeNs kNow = 1'795'000'000 * kSecond;

class Consumers : public testing::Test {
 protected:
  void make(const std::string& name) {
    Consumer consumer{.name = name, .created_at = kNow};
    ASSERT_TRUE(store.create_consumer(consumer, KeyHasher("s").hash(name)));
  }
  // Sums as the ledger keeps them.
  void used(const std::string& key, TimeNs at, int tokens, int usd, int refused = 0) {
    Database db;
    ASSERT_TRUE(db.open(dir.path() + "/weir.db", SQLITE_OPEN_READWRITE, 1'000));
    const std::string hour = std::to_string(at / kHour);
    ASSERT_TRUE(
        db.execute(("INSERT INTO usage_hours VALUES (" + hour + ", '" + key + "', '', '', '', '', 'm', 'p', 1, " +
                    std::to_string(tokens) + ", 0, 0, 0, 0, " + std::to_string(usd) + ", 0, 0)")
                       .c_str()));
    ASSERT_TRUE(db.execute(("INSERT INTO refusal_hours VALUES (" + hour + ", 'l', 'rate', '" + key + "', 0, " +
                            std::to_string(refused) + "), (" + hour + ", 'l', 'rate', '" + key + "', 1, 90)")
                               .c_str()));
  }
  std::string names(ConsumerQuery query) {
    query.since = kNow - kDay;
    const auto page = store.consumer_page(query);
    if (!page) return page.error().message;
    std::string out;
    for (const auto& row : page->rows) out += row.consumer.name + " ";
    return out + (page->next.empty() ? "." : page->next);
  }

  TempDir dir;
  Store store = Store::open(dir.path(), {.create = true}).value();
};

TEST_F(Consumers, AreSortedByWhatTheyUsedSinceThenTheMostFirst) {
  for (const char* name : {"ada", "bob", "cy"}) make(name);
  used("bob", kNow - kHour, 7, 1, 3);
  used("cy", kNow, 5, 9);
  used("cy", kNow - 30 * kHour, 1'000, 1'000, 50);
  using Sort = ConsumerQuery::Sort;
  EXPECT_EQ(names({.sort = Sort::kTokens}), "bob cy ada .");
  EXPECT_EQ(names({.sort = Sort::kUsd}), "cy bob ada .");
  EXPECT_EQ(names({.sort = Sort::kRequests, .page_size = 2}), "bob cy 2.1.cy");
  EXPECT_EQ(names({.sort = Sort::kRequests, .cursor = "2.1.cy", .page_size = 2}), "ada .");
  const std::vector<std::string> asked = {"cy", "nobody", "bob"};
  const auto use = store.use_of_keys(asked, kNow - kDay);
  ASSERT_TRUE(use);
  EXPECT_EQ((*use)[0].tokens, 5);
  EXPECT_EQ((*use)[0].refused, 0);
  EXPECT_EQ((*use)[1].requests, 0);
  EXPECT_EQ((*use)[2].usd_micros, 1);
  EXPECT_EQ((*use)[2].refused, 3) << "what a shadow limit would have refused was not refused";
}

TEST_F(Consumers, AreSortedByUseThatIsAFewSecondsOldAtMost) {
  for (const char* name : {"ada", "bob"}) make(name);
  used("ada", kNow, 5, 1);
  const auto first = [&](TimeNs now) {
    const auto page = store.consumer_page({.sort = ConsumerQuery::Sort::kTokens, .since = now - kDay});
    return page->rows.at(0).consumer.name + " " + std::to_string(page->rows.at(0).use.tokens);
  };
  EXPECT_EQ(first(kNow), "ada 5");
  used("bob", kNow - kHour, 50, 1);
  EXPECT_EQ(first(kNow + 4 * kSecond), "ada 5") << "the order that pages were asked for in";
  EXPECT_EQ(first(kNow + 5 * kSecond), "bob 50");
  EXPECT_EQ(first(kNow - kDay), "bob 50") << "another range is read anew";
  make("cy");
  used("ada", kNow - kHour, 100, 1);
  make("dee");
  EXPECT_EQ(first(kNow), "ada 105") << "a change made here is seen at once";
}

TEST_F(Consumers, BeyondSoManyActiveKeysTheRestCountsAsUnused) {
  for (const char* name : {"k0", "z"}) make(name);
  Database db;
  ASSERT_TRUE(db.open(dir.path() + "/weir.db", SQLITE_OPEN_READWRITE, 1'000));
  const std::string insert = "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < " +
                             std::to_string(kMaxRankedKeys) + ") INSERT INTO usage_hours SELECT " +
                             std::to_string(kNow / kHour) +
                             ", 'k' || i, '', '', '', '', 'm', 'p', 1, 1, 0, 0, 0, 0, 0, 0, 0 FROM n";
  ASSERT_TRUE(db.execute(insert.c_str()));
  used("z", kNow, 50, 1);
  const auto page = store.consumer_page({.sort = ConsumerQuery::Sort::kTokens, .since = kNow - kDay});
  ASSERT_TRUE(page);
  ASSERT_EQ(page->rows.size(), 2u);
  EXPECT_EQ(page->rows[0].consumer.name, "k0");
  EXPECT_EQ(page->rows[1].use.tokens, 50) << "its own numbers are right all the same";
}

TEST_F(Consumers, ACursorOfAnotherListIsAnError) {
  for (const char* cursor : {"x", "1.5.ada", "0.ada", "0.-1.ada", "0.5."}) {
    EXPECT_EQ(names({.cursor = cursor}), "`cursor` is not one of this list; begin without it") << cursor;
  }
}

TEST_F(Consumers, CountsAreThoseOfTheLedgerAndTheAudit) {
  make("ada");
  const std::vector<UsageRow> rows(3, UsageRow{.time = kNow, .key = "ada"});
  ASSERT_TRUE(store.book(rows, {}, {}));
  EXPECT_EQ(store.record_counts()->usage, 3);
  EXPECT_EQ(store.record_counts()->audit, 1);
}

TEST_F(Consumers, TokensAreKeptListedRevokedAndAudited) {
  const KeyHasher hasher("s");
  const Change change{.at = kNow, .by = "cli"};
  const AdminToken ann{.name = "ann", .role = AdminRole::kAdmin, .created_at = kNow, .expires_at = kNow + kDay};
  const auto before = store.data_version();
  ASSERT_TRUE(store.create_admin_token(ann, hasher.hash("a"), change));
  EXPECT_NE(store.data_version().value(), before.value()) << "a running server sees it";
  const auto taken = store.create_admin_token(ann, hasher.hash("b"), change);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().message, "the name ann is taken; choose another, or revoke that token first");
  const auto all = store.admin_tokens();
  ASSERT_EQ(all->size(), 1u);
  EXPECT_TRUE(all->front().hash.same(hasher.hash("a")));
  EXPECT_EQ(all->front().token.role, AdminRole::kAdmin);
  EXPECT_EQ(all->front().token.expires_at, kNow + kDay);
  EXPECT_TRUE(store.revoke_admin_token("ann", change).value());
  EXPECT_FALSE(store.revoke_admin_token("ann", change).value());
  std::string audit;
  ASSERT_TRUE(store.audit(0, [&](const AuditRow& row) {
    audit += row.limit + ": " + row.evidence + "; ";
    return true;
  }));
  EXPECT_EQ(audit,
            "tokens create: by cli: role=admin expires=" + format_rfc3339(kNow + kDay) + "; tokens revoke: by cli; ");
}

TEST_F(Consumers, ThereAreAtMostSoManyTokens) {
  const KeyHasher hasher("s");
  for (std::size_t i = 0; i <= kMaxAdminTokens; ++i) {
    const std::string name = "t" + std::to_string(i);
    const auto made = store.create_admin_token({.name = name}, hasher.hash(name), {.at = kNow});
    EXPECT_EQ(made.has_value(), i < kMaxAdminTokens) << i;
  }
  EXPECT_EQ(store.admin_tokens()->size(), kMaxAdminTokens);
}

}  // namespace
}  // namespace weir
