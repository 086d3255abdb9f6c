// Who may ask the admin API: the token of the policy or the data folder, tokens of the store, and sessions that were
// begun with one of them or with a one-time code.
//
//   AdminAccess access(Secret("token of the policy"), key_secret);
//   access.use(store.admin_tokens().value());                   // whenever the store's tokens changed
//   AdminCaller caller = access.caller_of(presented, now);      // role kNone: unknown
//   access.add_code(code, now);                                 // of the link that a start prints
//   auto session = access.open_session(code, fresh_token, now);
//
// Sessions and codes are kept in memory only, as keyed hashes like everything else here: a restart ends them. A session
// ends kSessionFor after it began, not after the token it was begun with, and at once when that token is revoked.
// Thread-safe: every request to the admin listener asks it, on a worker's thread. What is looked for is a hash under a
// secret, compared in constant time. Limits: kMaxSessions, of them
// kMaxSessionsOfOne of one token, and kMaxCodes; the oldest goes first.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "admin/request.h"
#include "base/mutex.h"
#include "base/secret.h"
#include "base/time.h"
#include "records/directory.h"
#include "records/store.h"

namespace weir {

// Of the token of the policy or the data folder; no other token may be called so.
inline constexpr std::string_view kPolicyTokenName = "admin";

class AdminAccess {
 public:
  static constexpr std::size_t kMaxSessions = 256, kMaxSessionsOfOne = 64, kMaxCodes = 16;
  static constexpr DurationNs kSessionFor = 12 * kHour, kCodeFor = kHour;

  // An empty token opens nothing. `key_secret`: under which the store's tokens are hashed.
  explicit AdminAccess(const Secret& token, std::string_view key_secret = {}) : token_(token), hasher_(key_secret) {}

  AdminCaller caller_of(std::string_view presented, TimeNs now) const;

  // The store's tokens from now on; sessions of tokens that are not among them end.
  void use(std::span<const StoredAdminToken> tokens);

  // A code opens one session of the role admin.
  void add_code(std::string_view code, TimeNs now);
  bool knows_code(std::string_view code, TimeNs now) const;
  // Begins a session whose token is `fresh`; nothing if the code is not good (any more).
  std::optional<AdminCaller> open_session(std::string_view code, std::string_view fresh, TimeNs now);
  // For a caller who is known already, by a token or a session; nothing if that ended meanwhile.
  std::optional<AdminCaller> open_session(const AdminCaller& caller, std::string_view fresh, TimeNs now);
  bool end_session(std::uint64_t session);

 private:
  struct Session {
    KeyHash hash = {};
    std::optional<KeyHash> token = {};  // of the store, that it was begun with
    AdminCaller caller = {};
  };
  struct Code {
    KeyHash hash;
    TimeNs until = 0;
  };
  AdminCaller keep(Session session, std::string_view fresh, TimeNs now) WEIR_REQUIRES(mutex_);

  const Secret token_;  // of the role admin
  const KeyHasher hasher_;
  mutable Mutex mutex_;
  std::vector<StoredAdminToken> tokens_ WEIR_GUARDED_BY(mutex_);
  std::vector<Session> sessions_ WEIR_GUARDED_BY(mutex_);  // the oldest first
  std::vector<Code> codes_ WEIR_GUARDED_BY(mutex_);
  std::uint64_t last_session_ WEIR_GUARDED_BY(mutex_) = 0;
};

}  // namespace weir
