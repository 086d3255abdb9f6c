#include "app/command_alerts.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "admin/alerts.h"
#include "app/alert_sender.h"
#include "app/policy_file.h"
#include "base/json_writer.h"
#include "policy/suggest.h"

namespace weir {
namespace {

Result<std::vector<AlertTarget>> targets_of(const AlertsTestOptions& options) {
  const Result<LoadedPolicy> loaded = load_policy_file(options.config);
  if (!loaded) return std::unexpected(loaded.error());
  if (!loaded->policy) return fail(options.config + " is not valid; `weir check " + options.config + "` says why");
  std::vector<AlertTarget> targets = loaded->policy->alerts.targets;
  if (targets.empty()) {
    return fail(options.config + " names no alert targets; add `alerts: { targets: … }`, see docs/alerts.md");
  }
  if (options.target.empty()) return targets;
  std::vector<std::string> names;
  for (const AlertTarget& target : targets) names.push_back(target.name);
  const std::vector<std::string_view> views(names.begin(), names.end());
  std::erase_if(targets, [&](const AlertTarget& target) { return target.name != options.target; });
  if (targets.empty())
    return fail("there is no alert target `" + options.target + "`" + did_you_mean(options.target, views));
  return targets;
}

std::string result_json(const AlertTarget& target, const SendResult& result) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("target").string(target.name).key("ok").boolean(result.ok).key("status");
  result.status == 0 ? json.null() : json.number(result.status);
  json.key("detail").string(result.detail).end_object();
  return out;
}

}  // namespace

int run_alerts_test(const AlertsTestOptions& options, const CommandContext& context) {
  const auto targets = targets_of(options);
  if (!targets) return could_not(context, targets.error());
  const std::vector<SendResult> results = send_tests(*targets, context.now());
  bool all = true;
  for (std::size_t i = 0; i < results.size(); ++i) {
    all = all && results[i].ok;
    if (options.json) {
      output(context) << result_json((*targets)[i], results[i]) << '\n';
    } else {
      output(context) << (results[i].ok ? "arrived      " : "NOT ARRIVED  ") << (*targets)[i].name << " ("
                      << (*targets)[i].host << "): " << results[i].detail << '\n';
    }
  }
  return all ? kExitDone : kExitNo;
}

int run_alerts_list(const AlertsListOptions& options, const CommandContext& context) {
  AlertsOf which = AlertsOf::kAll;
  if (options.state == "firing") {
    which = AlertsOf::kFiring;
  } else if (options.state == "resolved") {
    which = AlertsOf::kResolved;
  } else if (options.state != "all") {
    return report(errors(context), kExitCouldNotRun,
                  "--state " + options.state + " is unknown; choose firing, resolved or all");
  }
  auto store = open_store(options.store, context);
  if (!store) return could_not(context, store.error());
  const auto alerts = store->alerts(which, kMaxAlertsShown);
  if (!alerts) return could_not(context, alerts.error());
  if (options.json) {
    for (const StoredAlert& stored : *alerts) output(context) << stored_alert_json(stored) << '\n';
    return kExitDone;
  }
  TextTable table({{"SINCE"}, {"STATE"}, {"RULE"}, {"SUBJECT"}, {"TOLD", true}});
  for (const auto& [alert, members, messages] : *alerts) {
    table.add({shown_time(alert.since, true), alert.firing() ? "firing" : "resolved", alert.rule,
               shown(alert.subject, 60), std::to_string(messages.size())});
  }
  table.print(output(context));
  return kExitDone;
}

void add_alerts_commands(CLI::App& app, int& exit_code, const CommandContext& context) {
  CLI::App& alerts = *app.add_subcommand("alerts", "do alerts arrive, and what fires");
  alerts.require_subcommand(1);
  auto test_options = std::make_shared<AlertsTestOptions>();
  CLI::App* test = alerts.add_subcommand("test", "send a test message to the targets of a policy");
  test->add_option("-c,--config", test_options->config, "weir.yaml that names the targets")->required();
  test->add_option("--target", test_options->target, "only this one");
  test->add_flag("--json", test_options->json, "one JSON object per line");
  test->callback([=, &exit_code] { exit_code = run_alerts_test(*test_options, context); });
  auto list_options = std::make_shared<AlertsListOptions>();
  CLI::App* list = alerts.add_subcommand("list", "the newest 500 alerts");
  add_store_options(*list, list_options->store);
  list->add_option("--state", list_options->state, "firing, resolved or all")->capture_default_str();
  list->add_flag("--json", list_options->json, "one JSON object per line");
  list->callback([=, &exit_code] { exit_code = run_alerts_list(*list_options, context); });
}

}  // namespace weir
