// What the admin API asks of the running server. Implemented by src/app, by fakes in tests. Called on the thread that
// runs admin work; everything is thread-safe on the server's side.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "admin/observer.h"
#include "base/result.h"
#include "behavior/guard.h"
#include "policy/ruleset.h"
#include "records/directory.h"

namespace weir {

struct ServerAddresses {
  std::string listen, admin;  // "http://127.0.0.1:8080"
  std::string data;           // folder
  std::string policy_source;  // path of the file; empty: the built-in policy
};

// What became of a reload, or of putting overrides in force.
struct ReloadOutcome {
  bool loaded = false;
  std::string version;                  // in force now
  std::vector<Diagnostic> diagnostics;  // also warnings of one that was loaded
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
  // Keys, switches or tokens were changed in the store: take them up now instead of at the next poll.
  virtual void records_changed() = 0;
};

}  // namespace weir
