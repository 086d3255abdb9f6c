// Who is asking: the presented key, the client's address, and what the request asserts about its end user.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/http1.h"
#include "gateway/services.h"
#include "model/attributes.h"

namespace weir {

// The socket's address, or the one a trusted proxy names in X-Forwarded-For. IPv6 is cut to its /64.
std::string client_ip(std::string_view peer, const Headers& headers, const std::vector<Cidr>& trusted);

// From Authorization: Bearer, x-api-key, api-key or x-goog-api-key; null data if none is present.
std::string_view presented_key(const Headers& headers);
bool is_credential_header(std::string_view lower_name);

enum class IdentityStatus : std::uint8_t { kOk, kMissing, kWrong, kRevoked, kBlocked, kBadAssertion };

// Lives as long as the request; Attributes point into it.
struct Identity {
  IdentityStatus status = IdentityStatus::kOk;
  std::string problem;                       // for the caller, when not kOk
  DurationNs retry_after = 0;                // kBlocked
  std::shared_ptr<const Consumer> consumer;  // null: anonymous
  std::string ip, user, tenant, tier, kind, caller, conversation, agent, run, task;
  bool user_asserted = false;
};

// Looks up the key and reads X-Weir-User, -Tenant, -Tier, -Conversation, -Agent, -Run, -Task. Wrong keys count against
// the address.
Identity identify(Services& services, const Headers& headers, std::string_view peer);

// A wrong key or token was shown by this address: counts it. How long it has to wait, if it has shown too many.
std::optional<DurationNs> count_auth_failure(Services& services, std::string_view ip);

// As if `consumer` itself had asked: for `kind: service` keys that name an end consumer.
void act_for(const Policy& policy, std::shared_ptr<const Consumer> consumer, Identity& identity);
// Finds the caller again after `user` was set by such a key.
void set_caller(Identity& identity);

// Whose history a call belongs to: the tenant's, or the caller's own without one.
std::string history_owner(const Identity& identity);

// What the caller asserts is nested under this: the verified key, or the address.
Hash128 owner_of(const Identity& identity, const SubjectSecret& secret);
// Who is counted.
Hash128 caller_of(const Identity& identity, const SubjectSecret& secret);

// Takes the end user from the dialect's own field if no header asserted one. False (with `problem`) if it is unusable.
void adopt_dialect_user(Identity& identity, const std::string& user);

// Fills key tenant user caller tier kind ip team app conversation agent and header access.
void fill_attributes(const Identity& identity, const Headers& headers, Attributes& out);

}  // namespace weir
