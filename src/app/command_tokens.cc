#include "app/command_tokens.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>

#include "admin/access.h"
#include "base/json_writer.h"
#include "policy/amounts.h"
#include "records/metadata.h"

namespace weir {
namespace {

// Names under which the audit knows others than tokens.
constexpr std::array<std::string_view, 4> kReserved = {kPolicyTokenName, "cli", "local", "escalation"};
constexpr DurationNs kMostExpiry = 10 * 365 * kDay;

std::string token_json(const AdminToken& token, TimeNs now, const std::string& secret = {}) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  if (!secret.empty()) w.key("token").string(secret);
  w.key("name").string(token.name).key("role").string(to_string(token.role));
  w.key("created_at").string(format_rfc3339(token.created_at, 3)).key("expires_at");
  token.expires_at == 0 ? w.null() : w.string(format_rfc3339(token.expires_at, 3));
  w.key("expired").boolean(token.expired(now)).end_object();
  return out;
}

Result<AdminToken> token_from(const TokensOptions& options, TimeNs now) {
  if (!is_consumer_name(options.name)) {
    return fail("--name must be 1 to 64 letters, digits, dots, dashes or underscores");
  }
  if (std::find(kReserved.begin(), kReserved.end(), options.name) != kReserved.end()) {
    return fail("--name " + options.name + " would be mistaken for somebody else in the audit; choose another");
  }
  AdminToken token{.name = options.name, .role = AdminRole::kViewer, .created_at = now};
  if (options.role == to_string(AdminRole::kAdmin)) {
    token.role = AdminRole::kAdmin;
  } else if (options.role != to_string(AdminRole::kViewer)) {
    return fail("--role " + options.role + " is unknown; choose viewer or admin");
  }
  if (options.expires.empty()) return token;
  const auto after = parse_duration(options.expires);
  if (!after || *after <= 0 || *after > kMostExpiry) {
    return fail("--expires must be a time from now such as 12h or 30d, of at most ten years");
  }
  token.expires_at = now + *after;
  return token;
}

}  // namespace

int run_tokens_create(const TokensOptions& options, const CommandContext& context) {
  const auto token = token_from(options, context.now());
  if (!token) return could_not(context, token.error());
  const auto dir = data_directory(options.store, context);
  if (!dir) return could_not(context, dir.error());
  // A folder that nobody named is not made: the token would be for a server that does not exist.
  auto store = Store::open(*dir, {});
  const bool fresh = !store;
  if (fresh && !(options.store.config.empty() && options.store.data.empty())) {
    store = Store::open(*dir, {.create = true});
  }
  if (!store) return could_not(context, store.error());
  const auto secrets = load_or_create_secrets(*dir, context.entropy);
  if (!secrets) return could_not(context, secrets.error());
  const auto all = store->admin_tokens();
  if (!all) return could_not(context, all.error());
  const bool taken = std::any_of(all->begin(), all->end(),
                                 [&](const StoredAdminToken& each) { return each.token.name == token->name; });
  if (taken) {
    return report(errors(context), kExitNo,
                  "the name " + token->name + " is taken; choose another, or revoke that token first");
  }
  std::array<unsigned char, 24> random{};
  if (!context.entropy(random)) {
    return report(errors(context), kExitCouldNotRun, "the system gives no random bytes; try again");
  }
  const std::string secret = make_admin_token(random);
  const Change change{.at = token->created_at, .by = "cli"};
  if (auto made = store->create_admin_token(*token, KeyHasher(secrets->key_hash).hash(secret), change); !made) {
    return could_not(context, made.error());
  }
  errors(context) << "token for the store in " << *dir << (fresh ? " (new)" : "") << '\n';
  if (options.json) {
    output(context) << token_json(*token, token->created_at, secret) << '\n';
  } else {
    output(context) << secret << "\n\nThe token of " << token->name << " (" << to_string(token->role)
                    << "). Keep it: it is shown only this once. A running server takes it within a second.\n";
  }
  return kExitDone;
}

int run_tokens_list(const TokensOptions& options, const CommandContext& context) {
  auto store = open_store(options.store, context);
  if (!store) return could_not(context, store.error());
  const auto all = store->admin_tokens();
  if (!all) return could_not(context, all.error());
  const TimeNs now = context.now();
  if (options.json) {
    for (const auto& [token, hash] : *all) output(context) << token_json(token, now) << '\n';
    return kExitDone;
  }
  TextTable table({{"NAME"}, {"ROLE"}, {"CREATED"}, {"EXPIRES"}});
  for (const auto& [token, hash] : *all) {
    const std::string until = token.expires_at == 0 ? "never" : format_rfc3339(token.expires_at);
    table.add({token.name, to_string(token.role), format_rfc3339(token.created_at),
               token.expired(now) ? until + " (expired)" : until});
  }
  table.print(output(context));
  return kExitDone;
}

int run_tokens_revoke(const TokensOptions& options, const CommandContext& context) {
  auto store = open_store(options.store, context, {});
  if (!store) return could_not(context, store.error());
  const auto revoked = store->revoke_admin_token(options.name, {.at = context.now(), .by = "cli"});
  if (!revoked) return could_not(context, revoked.error());
  if (!*revoked) {
    return report(errors(context), kExitNo,
                  "there is no token named " + options.name + "; `weir tokens list` shows all");
  }
  if (options.json) {
    std::string out;
    JsonWriter(out).begin_object().key("name").string(options.name).key("revoked").boolean(true).end_object();
    output(context) << out << '\n';
  } else {
    output(context) << "revoked " << options.name
                    << "; a running server refuses the token and its sessions within a second\n";
  }
  return kExitDone;
}

void add_tokens_commands(CLI::App& app, int& exit_code, const CommandContext& context) {
  CLI::App& tokens = *app.add_subcommand("tokens", "manage who may use the admin API, also while the server runs");
  tokens.require_subcommand(1);
  using Run = int (*)(const TokensOptions&, const CommandContext&);
  const std::tuple<const char*, const char*, Run> commands[] = {{"create", "make a token", run_tokens_create},
                                                                {"list", "all tokens", run_tokens_list},
                                                                {"revoke", "end a token", run_tokens_revoke}};
  for (const auto& [name, what, run] : commands) {
    auto options = std::make_shared<TokensOptions>();
    CLI::App* command = tokens.add_subcommand(name, what);
    add_store_options(*command, options->store);
    command->add_flag("--json", options->json, "one JSON object per line");
    if (run == run_tokens_create) {
      command->add_option("--name", options->name, "unique; letters, digits, dots, dashes, underscores")->required();
      command->add_option("--role", options->role, "viewer (reads) or admin (everything)")->capture_default_str();
      command->add_option("--expires", options->expires, "time from now, such as 30d; default: never");
    } else if (run == run_tokens_revoke) {
      command->add_option("NAME", options->name)->required();
    }
    command->callback([options, &exit_code, context, call = run] { exit_code = call(*options, context); });
  }
}

}  // namespace weir
