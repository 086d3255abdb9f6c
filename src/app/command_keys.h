// `weir keys create|list|show|update|revoke|import`: manage consumers through the store, also while the server runs.
//
//   KeysCreateOptions options{.name = "ann", .tenant = "acme"};
//   int exit_code = run_keys_create(options, context);
//
// Each call opens the store and closes it again.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/command.h"
#include "policy/policy.h"

namespace weir {

struct KeysCreateOptions {
  StoreChoice store;
  bool json = false;
  std::string name, tenant, user, tier;
  std::string kind = "agent";
  std::string metadata = "{}";
};

struct KeysListOptions {
  StoreChoice store;
  bool json = false;
};

struct KeysNameOptions {  // show, revoke
  StoreChoice store;
  bool json = false;
  std::string name;
};

struct KeysUpdateOptions {
  StoreChoice store;
  bool json = false;
  std::string name;
  std::optional<std::string> tenant, user, tier, kind, metadata;  // absent: as it is
};

int run_keys_create(const KeysCreateOptions& options, const CommandContext& context);
int run_keys_list(const KeysListOptions& options, const CommandContext& context);
int run_keys_show(const KeysNameOptions& options, const CommandContext& context);
int run_keys_update(const KeysUpdateOptions& options, const CommandContext& context);
int run_keys_revoke(const KeysNameOptions& options, const CommandContext& context);

// What the options say, checked; an error names the option.
Result<Consumer> consumer_from(const KeysCreateOptions& options, TimeNs now);
// With -c the policy, with what was put over its file in the store of `data`; without, null.
Result<std::shared_ptr<const Policy>> known_policy(const StoreChoice& choice, const std::string& data);
// An error if the policy, where it is known, says that a consumer cannot have what `before` did not have.
Result<void> check_fits(const Policy* policy, const Consumer& consumer, const Consumer& before = {});
// As --json prints it; `key` only where it is shown.
std::string consumer_json(const Consumer& consumer, const std::string& key = {});

// Makes a consumer with a new key in an open store; the key, shown this once. Also used for the demo key.
Result<std::string> create_key(Store& store, const Secrets& secrets, const Entropy& entropy, Consumer& consumer,
                               const char* by);

void add_keys_commands(CLI::App& app, int& exit_code, const CommandContext& context);

}  // namespace weir
