// The embedded record store: consumers, usage ledger, audit and settings in `<data>/weir.db` (SQLite, WAL).
//
//   Result<Store> store = Store::open("weir-data", {.create = true});
//   store->create_consumer(consumer, hash);
//   std::shared_ptr<const ConsumerSnapshot> keys = store->load_directory().value();
//
// One Store belongs to one thread; any number of them, in any number of processes, may work on one directory at once.
// Every call either did all of it or nothing. A busy database is waited for up to `busy_timeout_ms`.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/admin_token.h"
#include "model/alert.h"
#include "model/consumer.h"
#include "model/decision.h"
#include "model/kill_switch.h"
#include "model/override.h"
#include "model/usage.h"
#include "records/audit_chain.h"
#include "records/directory.h"
#include "records/purge.h"

namespace weir {

struct StoreOptions {
  bool create = false;  // make the directory and the database if they are missing
  bool read_only = false;
  int busy_timeout_ms = 5000;
  std::function<void(const std::string&)> say;  // hears when an older file is taken on, before and after
};

// What the ledger is asked for; `--since` and `--by` of `weir usage`.
enum class UsageBy : std::uint8_t { kKey, kTenant, kUser, kModel, kAgent, kTool, kRun, kUtcDay };
std::optional<UsageBy> usage_by_from(std::string_view name);
const char* to_string(UsageBy by);

struct UsageSum {
  std::string group;
  std::int64_t requests = 0;
  std::int64_t input_tokens = 0, output_tokens = 0, cached_tokens = 0, cache_write_tokens = 0, reasoning_tokens = 0;
  std::int64_t usd_micros = 0, reserved_tokens = 0, tool_calls = 0;
};

// Which audit rows are wanted; empty members ask for all.
struct AuditQuery {
  TimeNs since = std::numeric_limits<TimeNs>::min();
  std::optional<AuditEvent> event;
  std::string key;         // also of what an operator changed about that key
  std::int64_t limit = 0;  // the newest so many; 0: all
};

// Who changes something, for the audit.
struct Change {
  TimeNs at = 0;  // 0: of a new consumer, when it was created
  std::string by = "local";
};

struct NewConsumer {
  Consumer consumer;
  KeyHash hash{};
};

// What the ledger knows of a run that may go on.
struct RecentRun {
  std::string key, run;
  std::int64_t llm_calls = 0, tool_calls = 0, tokens = 0, usd_micros = 0;
  TimeNs last = 0;
};

inline constexpr std::size_t kMaxRecentRuns = 200'000;     // the ones used last
inline constexpr std::size_t kMaxRecentRunRows = 500'000;  // that are read for them, the newest: a start stays quick
inline constexpr std::size_t kMaxKillSwitches = 10'000;

// How often a limit refused a key in one hour or, in shadow mode, would have.
struct RefusalHour {
  std::int64_t hour = 0;  // since 1970
  std::string limit, layer, key;
  bool shadow = false;
  std::int64_t count = 0;
  bool operator==(const RefusalHour&) const = default;
};

// One change of overrides. Empty: there is none.
struct OverrideChange {
  Override::Kind kind = Override::Kind::kLimit;
  std::string name;
  std::string before, after;  // as JSON
};
enum class OverrideOutcome : std::uint8_t { kDone, kChangedMeanwhile, kTooMany };

// What a limit in shadow mode would have refused of a key.
struct ShadowCount {
  std::string limit, key;
  std::int64_t count = 0;
};
inline constexpr std::size_t kMaxRefusalGroups = 10'000;

struct NamedCount {
  std::string name;
  std::int64_t count = 0;
};

// Which consumers are wanted, and in which order; empty members ask for all.
struct ConsumerQuery {
  std::string search;  // within name, tenant or user; ASCII letters of either case
  std::string tenant, tier;
  bool tier_is_default = false;  // consumers without a tier are of `tier` too
  std::optional<ConsumerKind> kind;
  std::optional<ConsumerStatus> status;
  enum class Sort : std::uint8_t {
    kName,
    kCreated,
    kRequests,
    kTokens,
    kUsd
  } sort = Sort::kName;  // others: most first
  TimeNs since = 0;      // of the use: hours that end after it count whole
  std::string cursor;    // `next` of the page before, with the same query
  std::size_t page_size = 100;
};
struct RecentUse {
  std::int64_t requests = 0, tokens = 0, usd_micros = 0, refused = 0;
};
struct ConsumerPage {
  struct Row {
    Consumer consumer;
    RecentUse use;
  };
  std::vector<Row> rows;
  std::int64_t total = 0;  // of all pages
  std::string next;        // empty: no more
};

// How many rows there are. Of the ledger from its ids: those that were deleted between others are counted too.
struct RecordCounts {
  std::int64_t usage = 0, audit = 0;
};

struct StoredAdminToken {
  AdminToken token;
  KeyHash hash;
};
inline constexpr std::size_t kMaxAdminTokens = 200;

enum class AlertsOf : std::uint8_t { kFiring, kResolved, kAll };
struct StoredAlert {
  Alert alert;                         // without what only `members` says
  std::string members;                 // of its JSON, as they were given
  std::vector<AlertMessage> messages;  // oldest first; without bodies
};

// How far the ledger has read a journal segment.
struct DrainPosition {
  std::uint64_t sequence = 0;
  std::uint64_t offset = 0;
};

class Store {
 public:
  // Missing without `create`: an error that says what to do.
  static Result<Store> open(const std::string& dir, StoreOptions options = {});
  ~Store();
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;

  // How long a busy database is waited for from now on.
  void set_busy_timeout(int ms);

  // Every change of consumers and kill switches writes an audit row (event admin) in the same transaction.
  // --- consumers ----------------------------------------------------------------------------------------------------
  // Fills `consumer.id`. An error if the name is taken.
  Result<void> create_consumer(Consumer& consumer, const KeyHash& hash, const Change& change = {});
  Result<void> create_consumers(std::span<NewConsumer> all, const Change& change = {});  // all or none
  Result<std::optional<Consumer>> find_consumer(std::string_view name);
  Result<std::vector<Consumer>> list_consumers();  // by name
  // Writes tenant, user, tier, kind and metadata of the consumer of that name; false if there is none.
  // With `known` also false if it is not like that any more.
  Result<bool> update_consumer(const Consumer& consumer, const Change& change = {}, const Consumer* known = nullptr);
  // False if there is none. Revoking again changes nothing.
  Result<bool> revoke_consumer(std::string_view name, const Change& change = {});
  // An error if the cursor is not one of this query.
  Result<ConsumerPage> consumer_page(const ConsumerQuery& query);
  // In the order of the names; `since` as in ConsumerQuery.
  Result<std::vector<RecentUse>> use_of_keys(std::span<const std::string> names, TimeNs since);
  Result<std::shared_ptr<const ConsumerSnapshot>> load_directory();
  // Active ones, by name of the tier or tenant; empty for those without.
  Result<std::vector<NamedCount>> consumers_by_tier();
  Result<std::vector<NamedCount>> consumers_by_tenant();
  // Changes whenever consumers, settings or kill switches change, in whatever process. Cheap enough for four times a
  // second.
  Result<std::uint64_t> data_version();

  // --- kill switches ------------------------------------------------------------------------------------------------
  // Throws it, or replaces its reason. An error when there are kMaxKillSwitches.
  Result<void> set_kill_switch(const KillSwitch& off);
  // False if it was not set.
  Result<bool> clear_kill_switch(KillSwitch::Kind kind, std::string_view name, const Change& change);
  Result<std::vector<KillSwitch>> kill_switches();  // by kind and name

  // --- overrides ----------------------------------------------------------------------------------------------------
  Result<std::vector<Override>> overrides();  // by kind and name, at most kMaxOverrides
  // All of them or none, each with an audit row: none when one is not as it was `before`, or when there were too many.
  Result<OverrideOutcome> change_overrides(std::span<const OverrideChange> changes, const Change& change);
  // Audit rows of such changes, newest first; `most` up to kMaxQueryPage + 1. Bounded like a question (queries.h).
  Result<std::vector<AuditRow>> override_changes(TimeNs since, TimeNs until, std::int64_t most, std::int64_t skip = 0);
  // By limit, the largest first; hours that began in [since, until).
  Result<std::vector<ShadowCount>> shadow_refusals(TimeNs since, TimeNs until);
  // --- tokens of the admin API --------------------------------------------------------------------------------------
  // An error if the name is taken or there are kMaxAdminTokens.
  Result<void> create_admin_token(const AdminToken& token, const KeyHash& hash, const Change& change);
  Result<bool> revoke_admin_token(std::string_view name, const Change& change);  // false if there is none
  Result<std::vector<StoredAdminToken>> admin_tokens();                          // by name

  // --- alerts -------------------------------------------------------------------------------------------------------
  // Writes the alert as it is now, and messages that tell of it. One whose id is there already is not written again.
  Result<void> put_alert(const Alert& alert, std::string_view members, std::span<const AlertMessage> messages);
  Result<std::vector<StoredAlert>> alerts(AlertsOf which, std::size_t most);  // last begun first
  // What is not done yet, oldest first, with the rule of each.
  Result<std::vector<AlertMessage>> waiting_alert_messages(std::size_t most);
  Result<void> update_alert_message(const AlertMessage& message);  // tries, next_at, done_at, result
  // Deletes at most `most` alerts that ended before, with their messages; how many went.
  Result<std::size_t> purge_alerts(TimeNs before, std::size_t most);

  // --- the server ---------------------------------------------------------------------------------------------------
  // An audit row of what was done that changes no table: {attribute: name}.
  Result<void> note_change(const Change& change, std::string_view what, std::string_view attribute,
                           std::string_view name);
  Result<RecordCounts> record_counts();

  // --- settings -----------------------------------------------------------------------------------------------------
  Result<std::optional<std::string>> setting(std::string_view name);
  Result<void> set_setting(std::string_view name, std::string_view value);
  // Writes it if there is none yet; the value that holds afterwards.
  Result<std::string> setting_or_set(std::string_view name, std::string_view value);

  // --- ledger and audit ---------------------------------------------------------------------------------------------
  // Oldest first. `row` returns false to stop early.
  Result<void> usage(TimeNs since, const std::function<bool(const UsageRow&)>& row);
  Result<std::vector<UsageSum>> usage_sums(TimeNs since, UsageBy by);  // by group
  Result<void> audit(TimeNs since, const std::function<bool(const AuditRow&)>& row);
  Result<void> audit(const AuditQuery& query, const std::function<bool(const AuditRow&)>& row);
  // Walks the chain from the first kept row on, in one snapshot of the store. `expected`: a head printed earlier, in
  // hexadecimal.
  Result<AuditVerdict> verify_audit(std::string_view expected = {});
  // Runs of the newest `most_rows` rows since then, last used first.
  Result<std::vector<RecentRun>> recent_runs(TimeNs since, std::size_t most_rows = kMaxRecentRunRows);
  // Inserts rows and moves the journal positions, in one transaction. A row of a decision hold replaces the one booked
  // for it before.
  Result<void> book(std::span<const UsageRow> usage, std::span<const AuditRow> audit,
                    std::span<const DrainPosition> positions, std::span<const ClosedDecision> closed = {});
  // Adds to what is counted already, all or nothing.
  Result<void> add_refusal_hours(std::span<const RefusalHour> counts);
  // Sums days (UTC) that are over and not summed yet, at most `most`, oldest first; how many. Questions about months
  // read these instead of hours.
  Result<std::size_t> sum_days(TimeNs now, std::size_t most);
  // What was closed at `since` or later, oldest first. `each` returns false to stop early.
  Result<void> closed_decisions(TimeNs since, const std::function<bool(const ClosedDecision&)>& each);
  // Deletes at most `most` that were closed before; how many went.
  Result<std::size_t> purge_closed_decisions(TimeNs before, std::size_t most);
  Result<std::vector<DrainPosition>> positions();  // ascending
  Result<void> forget_positions(std::span<const std::uint64_t> sequences);
  // Retention. Each deletes at most `most` rows older than `before`; how many went. Call again while it is not zero.
  Result<std::size_t> purge_usage(TimeNs before, std::size_t most);
  // Deletes what the ledger has of a subject, and leaves out what of it still waits in a journal. Safe beside a running
  // server; again is harmless. The audit keeps its rows: a chain has no gaps.
  Result<PurgeDone> purge_subject(const PurgeSubject& subject, const Change& change);
  // In the order of the chain: one that is out of order in time goes with its neighbours. Appends a row of the time
  // `now` that states what was deleted and where the chain begins; such rows alone are no reason for another one.
  Result<std::size_t> purge_audit(TimeNs before, std::size_t most, TimeNs now);

  // The file may not grow beyond so many pages: how tests meet a full disk.
  Result<void> limit_pages_for_test(int pages);

 private:
  friend class RecordQueries;
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Names of settings.
inline constexpr std::string_view kSettingAdminToken = "admin_token";    // generated token of the admin listener
inline constexpr std::string_view kSettingDemoKey = "demo_key_created";  // "1" once a demo key was made

}  // namespace weir
