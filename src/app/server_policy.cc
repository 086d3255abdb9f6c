// Server: the policy, from file and overrides, at the start and whenever one of them changes.
#include <algorithm>
#include <iostream>

#include "app/server.h"

namespace weir {

Result<void> Server::load_first_policy(const ServeOptions& options) {
  config_path_ = options.config;
  source_ = PolicySource(config_path_);
  Result<SourcedPolicy> read = source_.read();
  if (!read) return std::unexpected(read.error());
  const LoadedPolicy& loaded = read->loaded;
  print_diagnostics(loaded);
  if (!loaded.policy) return fail(config_path_ + " is not valid; nothing was started");
  std::optional<ListenerTls> tls = load_listener_tls(*loaded.policy, config_path_, Clock().now());
  if (!tls) return fail("the TLS files of " + config_path_ + " cannot be used; nothing was started");
  tls_ = std::move(*tls);
  auto policy = std::make_shared<Policy>(*loaded.policy);
  if (!options.data.empty()) policy->data = options.data;
  policy_ = policy;
  facts_.built_in_policy = config_path_.empty();
  facts_.data = policy_->data;
  if (!config_path_.empty()) {
    std::error_code ignored;
    config_loaded_ = {std::filesystem::last_write_time(config_path_, ignored),
                      std::filesystem::file_size(config_path_, ignored)};
  }
  configured_data_ = loaded.policy->data;
  policy_state_ = std::move(read->state);
  return {};
}

// Once the data folder is open. The listeners, TLS and folders are the file's: no override can change them.
void Server::take_overrides() {
  source_.use_store(policy_->data);
  Result<SourcedPolicy> read = source_.read(policy_state_.get());
  if (!read || !read->loaded.policy) return;  // the file was valid a moment ago; its text is the same
  auto policy = std::make_shared<Policy>(*read->loaded.policy);
  policy->data = policy_->data;
  for (const Diagnostic& diagnostic : read->loaded.diagnostics) {
    if (diagnostic.line == 0 && !read->state->overrides.empty()) std::cerr << to_string(diagnostic) << "\n";
  }
  policy_ = std::move(policy);
  note_overrides(*read->state);
  read->state->loaded_at = Clock().now();
  policy_state_ = std::move(read->state);
}

// Once for each that is newly left out, and when they cannot be read.
void Server::note_overrides(const PolicyState& state) {
  const TimeNs now = Clock().now();
  if (!state.overrides_fault.empty() && state.overrides_fault != policy_state_->overrides_fault) {
    log_event(LogLevel::kError, now, "overrides cannot be read, those read last go on",
              {{"because", state.overrides_fault}});
  }
  for (const SkippedOverride& skipped : state.skipped) {
    const auto same = [&](const SkippedOverride& other) {
      return other.kind == skipped.kind && other.name == skipped.name && other.why == skipped.why;
    };
    if (std::any_of(policy_state_->skipped.begin(), policy_state_->skipped.end(), same)) continue;
    log_event(LogLevel::kWarn, now, "an override does not fit and is left out",
              {{"kind", to_string(skipped.kind)}, {"name", skipped.name}, {"because", skipped.why}});
  }
}

std::shared_ptr<const Ruleset> Server::compile(std::vector<std::string>& identities, const Policy* before) {
  learned_.outputs.set_options({.quantile = policy_->reservation.quantile, .warmup = policy_->reservation.warmup});
  return Ruleset::compile(
      policy_,
      [&](const CounterSpec& spec) {
        identities.push_back(spec.identity);
        return counters_->define(spec);
      },
      secrets_.subjects, before);
}

void Server::put_in_force(std::shared_ptr<const Policy> policy, std::shared_ptr<PolicyState> state) {
  note_overrides(*state);
  state->loaded_at = clock_->now();
  policy_state_ = std::move(state);
  const std::shared_ptr<const Policy> before = std::exchange(policy_, policy);
  std::vector<std::string> identities;
  const auto rules = rules_ = compile(identities, before.get());
  snapshot_wanted_ = true;  // counters may have new names
  for (const std::string& identity : identities) {
    if (std::find(counter_identities_.begin(), counter_identities_.end(), identity) == counter_identities_.end()) {
      log_event(LogLevel::kInfo, clock_->now(), "counter starts at zero", {{"counter", identity}});
    }
  }
  counter_identities_ = std::move(identities);
  for (auto& worker : workers_) worker->use_rules(rules);
}

ReloadOutcome Server::reload(std::string_view why) {
  const MutexLock lock(policy_mutex_);
  return reload_locked(why, nullptr);
}

ReloadOutcome Server::reload_overrides() {
  const MutexLock lock(policy_mutex_);
  if (source_.overrides_differ(*policy_state_)) return reload_locked("overrides changed", policy_state_.get());
  return {.loaded = true, .version = policy_->version, .diagnostics = {}};
}

ReloadOutcome Server::reload_locked(std::string_view why, const PolicyState* known) {
  ReloadOutcome outcome{.loaded = false, .version = policy_->version, .diagnostics = {}};
  if (config_path_.empty() && !source_.overrides_differ(*policy_state_)) {
    log_event(LogLevel::kInfo, clock_->now(), "nothing to reload: the built-in policy is in use", {});
    outcome.loaded = true;
    return outcome;
  }
  Result<SourcedPolicy> read = source_.read(known);
  if (read) {
    print_diagnostics(read->loaded);
    outcome.diagnostics = read->loaded.diagnostics;
  }
  const auto refused = [&](const std::string& because) {
    log_event(LogLevel::kError, clock_->now(), "reload refused, the old policy stays",
              {{"file", config_path_}, {"because", because}});
    note_policy(because);
    if (outcome.diagnostics.empty()) {
      outcome.diagnostics.push_back({.file = config_path_, .message = because});
    }
    return outcome;
  };
  if (!read || !read->loaded.policy) return refused(read ? "it is not valid" : read.error().message);
  auto policy = std::make_shared<Policy>(*read->loaded.policy);
  const bool moved = policy->data != configured_data_;
  const std::vector<std::string> later = keep_what_needs_a_restart(*policy_, *policy);
  const std::optional<ListenerTls> tls = load_listener_tls(*policy, config_path_, clock_->now());
  if (!tls) return refused("its TLS files cannot be used");
  for (const std::string& what : later) {
    log_event(LogLevel::kWarn, clock_->now(), "takes effect at the next start", {{"key", what}});
  }
  if (moved) log_event(LogLevel::kWarn, clock_->now(), "takes effect at the next start", {{"key", "data"}});
  put_in_force(std::move(policy), std::move(read->state));
  for (auto& worker : workers_) worker->use_tls(tls->data, tls->admin);
  log_event(LogLevel::kInfo, clock_->now(), "policy loaded",
            {{"file", config_path_}, {"version", policy_->version}, {"why", why}});
  note_policy({});
  if (admin_) admin_->observer().changed("policy", policy_->version);
  if (alerts_) alerts_->use(*policy_);
  outcome.loaded = true;
  outcome.version = policy_->version;
  return outcome;
}

void Server::note_policy(const std::string& refused) {
  const MutexLock lock(reason_mutex_);
  policy_fault_ = {.reason = refused, .since = refused.empty() ? 0 : clock_->now()};
}

// A file is loaded once it has stayed as it is from one poll to the next and is not empty: an editor that truncates and
// then writes must not put half a policy, or none, in force.
void Server::poll_config() {
  if (config_path_.empty()) return;
  std::error_code error;
  const FileState seen{std::filesystem::last_write_time(config_path_, error),
                       std::filesystem::file_size(config_path_, error)};
  if (error || seen == config_loaded_) return;
  if (seen == config_seen_ && seen.size > 0) {
    config_loaded_ = seen;
    reload("file changed");
  }
  config_seen_ = seen;
}

}  // namespace weir
