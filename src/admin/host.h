// What the admin API asks of the running server. Implemented by src/app, by fakes in tests. Called on the thread that
// runs admin work; everything is thread-safe on the server's side.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/access.h"
#include "admin/observer.h"
#include "admin/work.h"
#include "base/result.h"
#include "behavior/guard.h"
#include "policy/overrides.h"
#include "policy/ruleset.h"
#include "records/directory.h"

namespace weir {

struct ServerAddresses {
  std::string listen, admin;  // "http://127.0.0.1:8080"
  std::string data;           // folder
  std::string policy_source;  // path of the file; empty: the built-in policy
};

// The policy in force as texts. Immutable.
struct PolicyState {
  std::string file;       // its name for diagnostics
  std::string file_text;  // empty: the built-in policy
  std::string yaml;       // file and overrides together, with the file's secrets
  std::vector<Override> overrides;
  std::vector<SkippedOverride> skipped;
  std::string overrides_fault;  // why the file holds alone, if so
  TimeNs loaded_at = 0;
};

// What became of a reload, or of putting overrides in force.
struct ReloadOutcome {
  bool loaded = false;
  std::string version;                  // in force now
  std::vector<Diagnostic> diagnostics;  // also warnings of one that was loaded
};

// What does not work, or soon will not, for whoever is woken by it.
struct HealthProblem {
  std::string what;    // "journal"
  TimeNs since = 0;    // 0: not known
  std::string detail;  // what happened and what it means
  std::string remedy;  // what to do
};

struct ServerHealth {
  std::string version;
  TimeNs started_at = 0;
  bool draining = false;
  std::vector<HealthProblem> problems;
  std::vector<HealthProblem> notes;  // good to know; the server is well
  std::int64_t subjects = 0, counter_bytes = 0, open_reservations = 0;
  bool journal_healthy = true, ledger_healthy = true;
  std::int64_t journal_bytes = 0;
  int workers = 0;
  std::int64_t open_connections = 0, requests_in_flight = 0;
  struct Provider {
    std::string provider, model;
    enum class State : std::uint8_t { kClosed, kHalfOpen, kOpen } state = State::kClosed;
    TimeNs until = 0;  // kOpen: asked again then
  };
  std::vector<Provider> providers;  // that were asked lately
  double events_per_second = 0;
  std::int64_t events_dropped = 0, watchers = 0, alerts_firing = 0;
  struct Skipped {
    std::string kind, name, why;
  };
  std::int64_t overrides = 0;
  std::vector<Skipped> overrides_skipped;  // that no longer fit the file
};

// The answer of the data listener to a request of our own.
struct TriedCall {
  int status = 0;
  double ms = 0;
  std::string tokens, usd, retry_after_ms;  // as its headers say; empty: they do not
  std::string body;
};

// What became of a test message to an alert target.
struct TriedTarget {
  bool ok = false;
  int status = 0;  // 0: no answer
  std::string detail;
};

class AdminHost {
 public:
  virtual ~AdminHost() = default;
  virtual std::shared_ptr<const Ruleset> rules() const = 0;
  virtual std::shared_ptr<const ConsumerSnapshot> consumers() const = 0;
  virtual const SubjectSecret& subject_secret() const = 0;
  virtual ServerAddresses addresses() const = 0;
  // State of the counters of a plan, charging nothing. An error if the counter store cannot be reached.
  virtual Result<Decision> peek(const Plan& plan, TimeNs now) = 0;
  virtual Guard& guard() = 0;
  virtual Observer& observer() = 0;
  // Reads the file and the overrides again. All or nothing.
  virtual ReloadOutcome reload(std::string_view why) = 0;
  // Reads the overrides again, over the file as it was loaded.
  virtual ReloadOutcome overrides_changed() = 0;
  virtual std::shared_ptr<const PolicyState> policy_state() const = 0;
  virtual const Environment& environment() const = 0;
  // Work of many seconds, one piece after another on a thread of its own; false if too much is waiting. `stopping()` of
  // a server that ends must be obeyed within a fraction of a second.
  virtual bool start_long_work(AdminWork::Piece piece) = 0;
  virtual bool stopping() const = 0;
  // Keys, switches or tokens were changed in the store: take them up now instead of at the next poll.
  virtual void records_changed() = 0;

  virtual AdminAccess& access() = 0;
  virtual const KeyHasher& key_hasher() const = 0;
  virtual bool entropy(std::span<unsigned char> out) = 0;  // random bytes of the system
  virtual ServerHealth health() = 0;
  virtual std::string demo_key() const = 0;  // empty unless this process made it
  // POST /v1/chat/completions at the data listener with the demo key. Blocks: for the thread of long work.
  virtual Result<TriedCall> try_chat(const std::string& body) = 0;
  // In the order of the targets. Blocks likewise.
  virtual std::vector<TriedTarget> try_alert_targets(const std::vector<AlertTarget>& targets, TimeNs now) = 0;
};

}  // namespace weir
