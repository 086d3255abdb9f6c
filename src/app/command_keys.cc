#include "app/command_keys.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <tuple>
#include <utility>

#include "app/command_keys_import.h"
#include "app/policy_source.h"
#include "base/json_writer.h"
#include "base/strings.h"
#include "policy/key_metadata.h"
#include "records/metadata.h"

namespace weir {
namespace {

void print_consumer(std::ostream& out, const Consumer& consumer) {
  const std::pair<const char*, std::string> lines[] = {
      {"name", consumer.name},
      {"tenant", consumer.tenant},
      {"user", consumer.user},
      {"tier", consumer.tier.empty() ? "(default)" : consumer.tier},
      {"kind", to_string(consumer.kind)},
      {"status", to_string(consumer.status)},
      {"metadata", consumer.metadata_json},
      {"created", format_rfc3339(consumer.created_at)},
  };
  for (const auto& [label, value] : lines) {
    out << label << std::string(10 - std::string_view(label).size(), ' ') << (value.empty() ? "-" : value) << '\n';
  }
}

Result<ConsumerKind> kind_from(std::string_view text) {
  if (const auto kind = consumer_kind_from(text)) return *kind;
  return fail("--kind " + std::string(text) + " is unknown; choose agent, human or service");
}

Result<void> set_value(std::string& member, const char* flag, const std::string& value) {
  if (!is_plain_value(value)) {
    return fail(std::string(flag) + " must be UTF-8 of at most 256 bytes without control characters");
  }
  member = value;
  return {};
}

int no_such_key(const CommandContext& context, const std::string& name) {
  return report(errors(context), kExitNo, "there is no key named " + name + "; `weir keys list` shows all");
}

void print_result(const CommandContext& context, bool json, const Consumer& consumer, const std::string& done) {
  if (json) {
    output(context) << consumer_json(consumer) << '\n';
  } else {
    output(context) << done << '\n';
  }
}

// Without -c.
void note_unchecked(const Consumer& consumer, const Consumer& before, const StoreChoice& choice,
                    const CommandContext& context) {
  if (!choice.config.empty()) return;
  std::ostream& err = errors(context);
  if (!consumer.tier.empty() && consumer.tier != before.tier) {
    err << "note: whether there is a tier " << consumer.tier << " was not checked; with -c weir.yaml it is\n";
  }
  const bool rules = std::any_of(consumer.metadata.begin(), consumer.metadata.end(), [](const auto& value) {
    return value.first.starts_with("limits.") || value.first.starts_with("tools.");
  });
  if (rules && consumer.metadata != before.metadata)
    err << "note: whether the policy knows these limits and tools was not checked; with -c weir.yaml it is\n";
}

Result<void> apply(const KeysUpdateOptions& options, Consumer& consumer) {
  if (options.kind) {
    const auto kind = kind_from(*options.kind);
    if (!kind) return std::unexpected(kind.error());
    consumer.kind = *kind;
  }
  const std::tuple<const std::optional<std::string>&, std::string&, const char*> values[] = {
      {options.tenant, consumer.tenant, "--tenant"},
      {options.user, consumer.user, "--user"},
      {options.tier, consumer.tier, "--tier"}};
  for (const auto& [given, member, flag] : values) {
    if (auto set = given ? set_value(member, flag, *given) : Result<void>(); !set) return set;
  }
  if (!options.metadata) return {};
  if (auto set = set_metadata(consumer, *options.metadata); !set) return fail("--" + set.error().message);
  return {};
}

}  // namespace

std::string consumer_json(const Consumer& consumer, const std::string& key) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  if (!key.empty()) w.key("key").string(key);
  w.key("name").string(consumer.name).key("tenant").string(consumer.tenant).key("user").string(consumer.user);
  w.key("tier").string(consumer.tier).key("kind").string(to_string(consumer.kind));
  w.key("status").string(to_string(consumer.status)).key("metadata").raw(consumer.metadata_json);
  w.key("created_at").string(format_rfc3339(consumer.created_at, 3)).end_object();
  return out;
}

Result<Consumer> consumer_from(const KeysCreateOptions& options, TimeNs now) {
  if (!is_consumer_name(options.name)) {
    return fail("--name must be 1 to 64 letters, digits, dots, dashes or underscores");
  }
  Consumer consumer;
  consumer.name = options.name;
  const auto kind = kind_from(options.kind);
  if (!kind) return std::unexpected(kind.error());
  consumer.kind = *kind;
  consumer.created_at = now;
  if (auto set = set_value(consumer.tenant, "--tenant", options.tenant); !set) return std::unexpected(set.error());
  if (auto set = set_value(consumer.user, "--user", options.user); !set) return std::unexpected(set.error());
  if (auto set = set_value(consumer.tier, "--tier", options.tier); !set) return std::unexpected(set.error());
  if (auto set = set_metadata(consumer, options.metadata); !set) return fail("--" + set.error().message);
  return consumer;
}

Result<std::shared_ptr<const Policy>> known_policy(const StoreChoice& choice, const std::string& data) {
  if (choice.config.empty()) return nullptr;
  PolicySource source(choice.config);
  source.use_store(data);
  const auto read = source.read();
  if (!read) return std::unexpected(read.error());
  if (!read->loaded.policy) return fail(choice.config + " is not valid; `weir check " + choice.config + "` says why");
  return read->loaded.policy;
}

Result<void> check_fits(const Policy* policy, const Consumer& consumer, const Consumer& before) {
  const auto unfit = policy != nullptr ? unfit_for(*policy, consumer, before) : std::nullopt;
  return unfit ? fail(fmt::format("--{}: {}", unfit->field, unfit->why)) : Result<void>();
}

Result<std::string> create_key(Store& store, const Secrets& secrets, const Entropy& entropy, Consumer& consumer,
                               const char* by) {
  std::array<unsigned char, 24> random{};
  if (!entropy(random)) return fail("the system gives no random bytes; try again");
  std::string key = make_key(random);
  if (auto created = store.create_consumer(consumer, KeyHasher(secrets.key_hash).hash(key), {.at = 0, .by = by});
      !created) {
    return std::unexpected(created.error());
  }
  return key;
}

int run_keys_create(const KeysCreateOptions& options, const CommandContext& context) {
  std::ostream& err = errors(context);
  auto consumer = consumer_from(options, context.now());
  if (!consumer) return could_not(context, consumer.error());
  const auto dir = data_directory(options.store, context);
  if (!dir) return could_not(context, dir.error());
  const auto policy = known_policy(options.store, *dir);
  if (!policy) return could_not(context, policy.error());
  if (const auto fits = check_fits(policy->get(), *consumer); !fits) {
    return could_not(context, fits.error());
  }
  auto store = Store::open(*dir, {.create = true});
  if (!store) return could_not(context, store.error());
  const auto secrets = load_or_create_secrets(*dir, context.entropy);
  if (!secrets) return could_not(context, secrets.error());
  if (const auto taken = store->find_consumer(consumer->name); taken && *taken) {
    return report(err, kExitNo, "the name " + consumer->name + " is taken; choose another");
  }
  const auto key = create_key(*store, *secrets, context.entropy, *consumer, "cli");
  if (!key) return could_not(context, key.error());
  note_unchecked(*consumer, {}, options.store, context);
  if (options.json) {
    output(context) << consumer_json(*consumer, *key) << '\n';
  } else {
    output(context) << *key << "\n\nThe key of " << consumer->name << ". Keep it: it is shown only this once.\n";
  }
  return kExitDone;
}

int run_keys_list(const KeysListOptions& options, const CommandContext& context) {
  auto store = open_store(options.store, context);
  if (!store) return could_not(context, store.error());
  const auto all = store->list_consumers();
  if (!all) return could_not(context, all.error());
  std::ostream& out = output(context);
  if (options.json) {
    for (const Consumer& consumer : *all) out << consumer_json(consumer) << '\n';
    return kExitDone;
  }
  TextTable table({{"NAME"}, {"TENANT"}, {"USER"}, {"TIER"}, {"KIND"}, {"STATUS"}, {"CREATED"}});
  for (const Consumer& c : *all) {
    const auto shown = [](const std::string& value) { return value.empty() ? std::string("-") : value; };
    table.add({c.name, shown(c.tenant), shown(c.user), shown(c.tier), to_string(c.kind), to_string(c.status),
               format_rfc3339(c.created_at)});
  }
  table.print(out);
  return kExitDone;
}

int run_keys_show(const KeysNameOptions& options, const CommandContext& context) {
  auto store = open_store(options.store, context);
  if (!store) return could_not(context, store.error());
  const auto found = store->find_consumer(options.name);
  if (!found) return could_not(context, found.error());
  if (!*found) return no_such_key(context, options.name);
  if (options.json) {
    output(context) << consumer_json(**found) << '\n';
  } else {
    print_consumer(output(context), **found);
  }
  return kExitDone;
}

int run_keys_update(const KeysUpdateOptions& options, const CommandContext& context) {
  std::ostream& err = errors(context);
  if (!options.tenant && !options.user && !options.tier && !options.kind && !options.metadata) {
    return report(err, kExitCouldNotRun, "nothing to change; give --tenant, --user, --tier, --kind or --metadata");
  }
  const auto dir = data_directory(options.store, context);
  if (!dir) return could_not(context, dir.error());
  auto store = Store::open(*dir, {});
  if (!store) return could_not(context, store.error());
  auto found = store->find_consumer(options.name);
  if (!found) return could_not(context, found.error());
  if (!*found) return no_such_key(context, options.name);
  Consumer& consumer = **found;
  const Consumer before = consumer;
  auto applied = apply(options, consumer);
  if (applied && (consumer.tier != before.tier || consumer.metadata != before.metadata)) {
    const auto policy = known_policy(options.store, *dir);
    applied = policy ? check_fits(policy->get(), consumer, before) : std::unexpected(policy.error());
  }
  if (!applied) return could_not(context, applied.error());
  const auto updated = store->update_consumer(consumer, {.at = context.now(), .by = "cli"});
  if (!updated) return could_not(context, updated.error());
  note_unchecked(consumer, before, options.store, context);
  const std::string gone = members_gone(before, consumer);
  print_result(context, options.json, consumer,
               "updated " + consumer.name + (gone.empty() ? "" : " (metadata no longer has: " + gone + ")"));
  return kExitDone;
}

int run_keys_revoke(const KeysNameOptions& options, const CommandContext& context) {
  auto store = open_store(options.store, context, {});
  if (!store) return could_not(context, store.error());
  const auto revoked = store->revoke_consumer(options.name, {.at = context.now(), .by = "cli"});
  if (!revoked) return could_not(context, revoked.error());
  if (!*revoked) return no_such_key(context, options.name);
  const auto consumer = store->find_consumer(options.name);
  if (!consumer) return could_not(context, consumer.error());
  if (!*consumer) return no_such_key(context, options.name);
  print_result(context, options.json, **consumer,
               "revoked " + options.name + "; a running server refuses the key within a second");
  return kExitDone;
}

namespace {

CLI::App* add_command(CLI::App& parent, const char* name, const char* what, StoreChoice& store, bool& json) {
  CLI::App* command = parent.add_subcommand(name, what);
  add_store_options(*command, store);
  command->add_flag("--json", json, "one JSON object per line");
  return command;
}

void add_create(CLI::App& keys, int& exit_code, const CommandContext& context) {
  auto options = std::make_shared<KeysCreateOptions>();
  CLI::App* create = add_command(keys, "create", "make a consumer and its key", options->store, options->json);
  create->add_option("--name", options->name, "unique; letters, digits, dots, dashes, underscores")->required();
  create->add_option("--tenant", options->tenant, "organisation it belongs to");
  create->add_option("--user", options->user, "user it belongs to");
  create->add_option("--tier", options->tier, "default: the policy's default_tier");
  create->add_option("--kind", options->kind, "agent, human or service")->capture_default_str();
  create->add_option("--metadata", options->metadata, "JSON object");
  create->callback([options, &exit_code, context] { exit_code = run_keys_create(*options, context); });
}

void add_update(CLI::App& keys, int& exit_code, const CommandContext& context) {
  auto options = std::make_shared<KeysUpdateOptions>();
  CLI::App* update = add_command(keys, "update", "change what is known of a consumer", options->store, options->json);
  update->add_option("NAME", options->name)->required();
  update->add_option("--tenant", options->tenant);
  update->add_option("--user", options->user);
  update->add_option("--tier", options->tier);
  update->add_option("--kind", options->kind, "agent, human or service");
  update->add_option("--metadata", options->metadata, "JSON object; replaces the old one");
  update->callback([options, &exit_code, context] { exit_code = run_keys_update(*options, context); });
}

}  // namespace

void add_keys_commands(CLI::App& app, int& exit_code, const CommandContext& context) {
  CLI::App& keys = *app.add_subcommand("keys", "manage consumers and their keys, also while the server runs");
  keys.require_subcommand(1);
  add_create(keys, exit_code, context);
  add_update(keys, exit_code, context);
  auto import = std::make_shared<KeysImportOptions>();
  CLI::App* from_file = add_command(keys, "import", "many consumers at once, all or none", import->store, import->json);
  from_file->add_option("FILE", import->file, "a JSON object per line, as create and list print them")->required();
  from_file->callback([import, &exit_code, context] { exit_code = run_keys_import(*import, context); });

  auto list = std::make_shared<KeysListOptions>();
  add_command(keys, "list", "all consumers", list->store, list->json)->callback([list, &exit_code, context] {
    exit_code = run_keys_list(*list, context);
  });
  const std::tuple<const char*, const char*, int (*)(const KeysNameOptions&, const CommandContext&)> by_name[] = {
      {"show", "one consumer", run_keys_show}, {"revoke", "refuse a key from now on", run_keys_revoke}};
  for (const auto& [name, what, run] : by_name) {
    auto options = std::make_shared<KeysNameOptions>();
    CLI::App* command = add_command(keys, name, what, options->store, options->json);
    command->add_option("NAME", options->name)->required();
    command->callback([options, &exit_code, context, call = run] { exit_code = call(*options, context); });
  }
}

}  // namespace weir
