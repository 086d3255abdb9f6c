#include "app/command_kill.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "admin/breakers.h"
#include "base/strings.h"
#include "records/metadata.h"

namespace weir {
namespace {

std::string described(const KillSwitch& off) {
  return std::string(to_string(off.kind)) + " " + off.name;
}

// The name's nearest among those there are.
std::string suggestion(const std::string& name, const std::vector<std::string>& names, const char* otherwise) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  const auto near = nearest_word(name, views);
  return near ? "; did you mean " + std::string(*near) + "?" : std::string("; ") + otherwise;
}

int print_list(Store& store, bool json, const CommandContext& context) {
  const auto all = store.kill_switches();
  if (!all) return could_not(context, all.error());
  if (json) {
    for (const KillSwitch& off : *all) output(context) << kill_switch_json(off) << '\n';
    return kExitDone;
  }
  TextTable table({{"KIND"}, {"NAME"}, {"SINCE"}, {"BY"}, {"REASON"}});
  for (const KillSwitch& off : *all) {
    table.add(
        {to_string(off.kind), off.name, format_rfc3339(off.since), off.by, off.reason.empty() ? "-" : off.reason});
  }
  table.print(output(context));
  return kExitDone;
}

// What the words name; on failure, says why.
Result<KillSwitch> switch_from(const KillOptions& options) {
  const auto kind = kill_switch_kind_from(options.kind);
  if (!kind) {
    return fail(options.kind.empty() ? "say what to stop: key, agent, tool or run, and its name"
                                     : "`" + options.kind + "` cannot be stopped; choose key, agent, tool or run");
  }
  if (options.name.empty() || !is_plain_value(options.name)) {
    return fail("the name of the " + options.kind + " must be 1 to 256 bytes of UTF-8 without control characters");
  }
  if (!is_plain_value(options.reason)) {
    return fail("--reason must be UTF-8 of at most 256 bytes without control characters");
  }
  std::string name = kill_switch_name(*kind, options.name);
  if (name.empty()) {
    return fail("no tool can have this name: it has letters that nobody sees; type it again by hand");
  }
  return KillSwitch{.kind = *kind, .name = std::move(name), .reason = options.reason, .by = "cli"};
}

// Only keys are known by name; an agent, tool or run may be stopped before it shows up. Empty: go on.
Result<std::string> unknown_key(Store& store, const KillSwitch& off) {
  if (off.kind != KillSwitch::Kind::kKey) return std::string();
  const auto found = store.find_consumer(off.name);
  if (!found) return std::unexpected(found.error());
  if (*found) return std::string();
  const auto all = store.list_consumers();
  if (!all) return std::unexpected(all.error());
  std::vector<std::string> names;
  for (const Consumer& consumer : *all) names.push_back(consumer.name);
  return "there is no key named " + off.name + suggestion(off.name, names, "`weir keys list` shows all");
}

}  // namespace

int run_kill(const KillOptions& options, const CommandContext& context) {
  std::ostream& err = errors(context);
  if (options.list && !options.kind.empty()) {
    return report(err, kExitCouldNotRun, "--list takes no kind and no name; it shows all kill switches");
  }
  std::optional<KillSwitch> off;
  if (!options.list) {
    auto named = switch_from(options);
    if (!named) return could_not(context, named.error());
    off = std::move(*named);
    off->since = context.now();
  }
  auto store = open_store(options.store, context, {.read_only = options.list});
  if (!store) return could_not(context, store.error());
  if (!off) return print_list(*store, options.json, context);
  const auto unknown = unknown_key(*store, *off);
  if (!unknown) return could_not(context, unknown.error());
  if (!unknown->empty()) return report(err, kExitNo, *unknown);
  if (const auto set = store->set_kill_switch(*off); !set) return could_not(context, set.error());
  if (options.json) {
    output(context) << kill_switch_json(*off) << '\n';
  } else {
    output(context) << "stopped " << described(*off) << "; a running server refuses it within a second\n";
  }
  return kExitDone;
}

int run_unkill(const KillOptions& options, const CommandContext& context) {
  std::ostream& err = errors(context);
  const auto off = switch_from(options);
  if (!off) return could_not(context, off.error());
  auto store = open_store(options.store, context, {});
  if (!store) return could_not(context, store.error());
  const auto cleared = store->clear_kill_switch(off->kind, off->name, {.at = context.now(), .by = "cli"});
  if (!cleared) return could_not(context, cleared.error());
  if (!*cleared) {
    std::vector<std::string> names;
    if (const auto all = store->kill_switches()) {
      for (const KillSwitch& each : *all) {
        if (each.kind == off->kind) names.push_back(each.name);
      }
    }
    return report(err, kExitNo,
                  described(*off) + " is not stopped" + suggestion(off->name, names, "`weir kill --list` shows all"));
  }
  if (options.json) {
    output(context) << kill_switch_json(*off) << '\n';
  } else {
    output(context) << described(*off) << " may go on; a running server knows it within a second\n";
  }
  return kExitDone;
}

void add_kill_commands(CLI::App& app, int& exit_code, const CommandContext& context) {
  const std::tuple<const char*, const char*, int (*)(const KillOptions&, const CommandContext&)> commands[] = {
      {"kill",
       "stop a key, agent, tool or run. Names of keys, agents and runs match exactly, upper and lower case apart; a "
       "tool's look-alikes (full-width, Cyrillic, Greek letters) are stopped with it",
       run_kill},
      {"unkill", "let it go on; names match as for kill", run_unkill}};
  for (const auto& [name, what, run] : commands) {
    auto options = std::make_shared<KillOptions>();
    CLI::App* command = app.add_subcommand(name, what);
    add_store_options(*command, options->store);
    command->add_flag("--json", options->json, "one JSON object per line");
    command->add_option("KIND", options->kind, "key, agent, tool or run");
    command->add_option("NAME", options->name, "its name, whole and exact");
    if (run == run_kill) {
      command->add_option("--reason", options->reason, "why; shown to those who are refused");
      command->add_flag("--list", options->list, "what is stopped now");
    }
    command->callback([options, &exit_code, context, call = run] { exit_code = call(*options, context); });
  }
}

}  // namespace weir
