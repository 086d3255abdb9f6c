// What a Store holds: the connection and its prepared statements. Belongs to src/records.
//
//   impl.find.bind(1, name);
//   ResetAfter reset(impl.find);
#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "records/hour_sums.h"
#include "records/purge.h"
#include "records/sqlite.h"
#include "records/store.h"

namespace weir {

// Sorted by use, keys beyond so many that were active count as unused.
inline constexpr std::size_t kMaxRankedKeys = 200'000;

struct Store::Impl {
  std::string dir;
  Database db;
  Statement insert_consumer, find_consumer, list_consumers, update_consumer, revoke_consumer;
  Statement version, get_setting, put_setting, add_setting;
  Statement insert_usage, add_hours, reopen_day, add_run_hour, insert_audit, put_position, replace_usage, put_closed;
  Statement get_chain, put_chain, get_purges;

  // What keys used since then, as it was when `changes` were made by this connection.
  struct Ranking {
    bool read = false;
    TimeNs since = 0;
    int changes = 0;
    std::unordered_map<std::string, RecentUse> use;
  };
  static constexpr DurationNs kRankingHolds = 5 * kSecond;
  Ranking ranking;
  NotedRuns noted_runs;

  Result<void> prepare();                                                                    // every statement above
  Result<void> add_consumer(Consumer& consumer, const KeyHash& hash, const Change& change);  // inside a transaction
  Result<PurgeMarks> purge_marks();
  Result<void> book(std::span<const UsageRow> usage, std::span<const AuditRow> audit,
                    std::span<const DrainPosition> positions, std::span<const ClosedDecision> closed);
  Result<void> book_usage(std::span<const UsageRow> rows);  // inside a transaction of the caller's
  // Appends to the chain; inside a transaction of the caller's, so that no other process appends at the same time.
  Result<void> append_audit(std::span<const AuditRow> rows);
  Result<void> append_change(const Change& change, std::string what, std::string_view attribute, std::string_view name,
                             std::string evidence);
  // The same as the last step of a transaction: true.
  Result<bool> commit_change(Transaction& transaction, const Change& change, std::string what,
                             std::string_view attribute, std::string_view name, std::string evidence = {});
  Result<void> read_ranking(TimeNs since);
  // Names of the next page, and one more if there are further ones.
  Result<std::vector<std::string>> names_by_use(const ConsumerQuery& query, std::int64_t value,
                                                const std::string& after, std::int64_t& total);
  Result<ConsumerPage> consumers_by_use(const ConsumerQuery& query, std::int64_t value, const std::string& after);
  Result<ConsumerPage> consumers_in_order(const ConsumerQuery& query, std::int64_t value, const std::string& after);
  std::unexpected<Error> error(std::string_view doing) const { return db.error(doing); }
};

// Of a consumer, in the order that consumer_of() reads; the key's hash comes last.
inline constexpr std::string_view kConsumerColumns =
    "id, name, tenant, user, tier, kind, status, metadata, created_at, key_hash";
Consumer consumer_of(const Statement& s);

// Frees a statement's row and bindings at the end of a scope.
class ResetAfter {
 public:
  explicit ResetAfter(Statement& s) : s_(s) {}
  ~ResetAfter() { s_.reset(); }
  ResetAfter(const ResetAfter&) = delete;
  ResetAfter& operator=(const ResetAfter&) = delete;

 private:
  Statement& s_;
};

// In the order of the columns that sum them.
inline constexpr std::int64_t UsageSum::* kUsageSums[] = {
    &UsageSum::requests,      &UsageSum::input_tokens,       &UsageSum::output_tokens,
    &UsageSum::cached_tokens, &UsageSum::cache_write_tokens, &UsageSum::reasoning_tokens,
    &UsageSum::usd_micros,    &UsageSum::reserved_tokens,    &UsageSum::tool_calls};

// Rows of a SELECT of these columns, which come first in it.
inline constexpr int kUsageColumnCount = 33;
std::string_view usage_columns();
UsageRow usage_of(const Statement& s);
void read_usage(const Statement& s, UsageRow& row);  // every field of it
std::string_view audit_columns();                    // kAuditColumnCount
AuditRow audit_of(const Statement& s);

// Statements of the ledger, built from the lists of columns in store_ledger.cc.
std::string usage_insert_sql();
std::string audit_insert_sql();
// Chains the rows of a file that had no chain, in a transaction of the caller's.
Result<void> chain_existing_audit(Database& db);
std::string chain_select_sql();
std::string chain_update_sql();
std::string insert_sql(std::string_view table, std::string_view columns);
std::string usage_replace_sql();
std::string closed_insert_sql();

}  // namespace weir
