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
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/consumer.h"
#include "model/decision.h"
#include "model/usage.h"
#include "records/directory.h"

namespace weir {

struct StoreOptions {
  bool create = false;  // make the directory and the database if they are missing
  bool read_only = false;
  int busy_timeout_ms = 5000;
};

// What the ledger is asked for; `--since` and `--by` of `weir usage`.
enum class UsageBy : std::uint8_t { kKey, kTenant, kUser, kModel, kAgent, kRun, kUtcDay };
std::optional<UsageBy> usage_by_from(std::string_view name);
const char* to_string(UsageBy by);

struct UsageSum {
  std::string group;
  std::int64_t requests = 0;
  std::int64_t input_tokens = 0, output_tokens = 0, cached_tokens = 0, cache_write_tokens = 0, reasoning_tokens = 0;
  std::int64_t usd_micros = 0, reserved_tokens = 0, tool_calls = 0;
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

  // --- consumers ----------------------------------------------------------------------------------------------------
  // Fills `consumer.id`. An error if the name is taken.
  Result<void> create_consumer(Consumer& consumer, const KeyHash& hash);
  Result<std::optional<Consumer>> find_consumer(std::string_view name);
  Result<std::vector<Consumer>> list_consumers();  // by name
  // Writes tenant, user, tier, kind and metadata of the consumer of that name; false if there is none.
  Result<bool> update_consumer(const Consumer& consumer);
  // False if there is none. Revoking again changes nothing.
  Result<bool> revoke_consumer(std::string_view name);
  Result<std::shared_ptr<const ConsumerSnapshot>> load_directory();
  // Changes whenever consumers or settings change, in whatever process. Cheap enough for four times a second.
  Result<std::uint64_t> data_version();

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
  // Inserts rows and moves the journal positions, in one transaction. A row of a decision hold replaces the one booked
  // for it before.
  Result<void> book(std::span<const UsageRow> usage, std::span<const AuditRow> audit,
                    std::span<const DrainPosition> positions, std::span<const ClosedDecision> closed = {});
  // What was closed at `since` or later, oldest first. `each` returns false to stop early.
  Result<void> closed_decisions(TimeNs since, const std::function<bool(const ClosedDecision&)>& each);
  // Deletes at most `most` that were closed before; how many went.
  Result<std::size_t> purge_closed_decisions(TimeNs before, std::size_t most);
  Result<std::vector<DrainPosition>> positions();
  Result<void> forget_positions(std::span<const std::uint64_t> sequences);
  // Deletes at most `most` rows older than given from each table; how many went. Call again while it is not zero.
  Result<std::size_t> purge(TimeNs usage_before, TimeNs audit_before, std::size_t most);

  // The file may not grow beyond so many pages: how tests meet a full disk.
  Result<void> limit_pages_for_test(int pages);

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Names of settings.
inline constexpr std::string_view kSettingAdminToken = "admin_token";           // generated token of the admin listener
inline constexpr std::string_view kSettingAdminTokenHash = "admin_token_hash";  // of the token now in force
inline constexpr std::string_view kSettingDemoKey = "demo_key_created";         // "1" once a demo key was made

}  // namespace weir
