#include "app/command_usage.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "records/row_json.h"

namespace weir {
namespace {

constexpr std::size_t kMaxTableRows = 1000;  // of the form for people; --json has no bound

std::string sum_json(const UsageSum& sum, const char* by) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().key(by).string(sum.group);
  add_members(w, sum);
  w.end_object();
  return out;
}

std::string dollars(std::int64_t usd_micros) {
  return fmt::format("{}{}.{:06}", usd_micros < 0 ? "-" : "", std::abs(usd_micros / 1'000'000),
                     std::abs(usd_micros % 1'000'000));
}

std::string shown(const std::string& text) {
  return text.empty() ? "-" : text;
}

Result<void> print_rows(Store& store, TimeNs since, const CommandContext& context) {
  TextTable table({{"TIME"},
                   {"KEY"},
                   {"TENANT"},
                   {"MODEL"},
                   {"STATUS", true},
                   {"IN", true},
                   {"OUT", true},
                   {"USD", true},
                   {"SETTLED"}});
  std::int64_t rows = 0, input = 0, output_tokens = 0, usd_micros = 0;
  bool cut = false;
  const auto read = store.usage(since, [&](const UsageRow& row) {
    cut = static_cast<std::size_t>(rows) == kMaxTableRows;
    if (cut) return false;
    ++rows;
    input += row.usage.input();
    output_tokens += row.usage.output();
    usd_micros += row.usd_micros;
    table.add({format_rfc3339(row.time), shown(row.key), shown(row.tenant), shown(row.model),
               std::to_string(row.status), std::to_string(row.usage.input()), std::to_string(row.usage.output()),
               dollars(row.usd_micros), to_string(row.settled)});
    return true;
  });
  if (!read) return read;
  table.add({fmt::format("total of {}", rows), "", "", "", "", std::to_string(input), std::to_string(output_tokens),
             dollars(usd_micros), ""});
  table.print(output(context));
  if (cut) output(context) << "there are more; use --since, --by or --json\n";
  return {};
}

Result<void> print_sums(Store& store, TimeNs since, UsageBy by, bool json, const CommandContext& context) {
  const auto sums = store.usage_sums(since, by);
  if (!sums) return std::unexpected(sums.error());
  std::string title = to_string(by);
  if (json) {
    for (const UsageSum& sum : *sums) output(context) << sum_json(sum, to_string(by)) << '\n';
    return {};
  }
  for (char& c : title) c = static_cast<char>(c - 'a' + 'A');
  TextTable table({{title},
                   {"REQUESTS", true},
                   {"IN", true},
                   {"OUT", true},
                   {"CACHED", true},
                   {"USD", true},
                   {"TOOL CALLS", true}});
  UsageSum total;
  const auto add = [&](const UsageSum& sum, const std::string& name) {
    table.add({name, std::to_string(sum.requests), std::to_string(sum.input_tokens), std::to_string(sum.output_tokens),
               std::to_string(sum.cached_tokens), dollars(sum.usd_micros), std::to_string(sum.tool_calls)});
  };
  for (const UsageSum& sum : *sums) {
    add(sum, shown(sum.group));
    total.requests += sum.requests;
    total.input_tokens += sum.input_tokens;
    total.output_tokens += sum.output_tokens;
    total.cached_tokens += sum.cached_tokens;
    total.usd_micros += sum.usd_micros;
    total.tool_calls += sum.tool_calls;
  }
  if (by != UsageBy::kTool) add(total, "total");  // a request may stand under several tools
  table.print(output(context));
  return {};
}

Result<void> run(const UsageOptions& options, const CommandContext& context) {
  const auto since = parse_since_or_all(options.since, context.now());
  if (!since) return std::unexpected(since.error());
  const auto by = usage_by_from(options.by);
  if (!options.by.empty() && !by) {
    return fail("--by " + options.by + " is unknown; choose key, tenant, user, model, agent, tool, run or day");
  }
  auto store = open_store(options.store, context);
  if (!store) return std::unexpected(store.error());
  if (by) return print_sums(*store, *since, *by, options.json, context);
  if (!options.json) return print_rows(*store, *since, context);
  return store->usage(*since, [&](const UsageRow& row) {
    output(context) << row_json(row) << '\n';
    return output(context).good();
  });
}

Result<void> purge(const UsageOptions& options, const CommandContext& context) {
  if (options.subject.empty()) return fail("--purge needs --user, --key or --tenant: whose rows are to be deleted");
  auto store = open_store(options.store, context, {});
  if (!store) return std::unexpected(store.error());
  const TimeNs now = context.now();
  const auto done = store->purge_subject(options.subject, {.at = now, .by = "cli"});
  if (!done) return std::unexpected(done.error());
  if (options.json) {
    std::string out;
    JsonWriter w(out);
    w.begin_object().key("deleted").number(done->rows).key("until").string(format_rfc3339(now, 3));
    w.key("subject").string(done->mark).end_object();
    output(context) << out << '\n';
  } else {
    output(context) << fmt::format(
        "{} rows deleted; those of until {} that are still in the journal will not be booked\n"
        "the audit has it as {}\n",
        done->rows, format_rfc3339(now), done->mark);
  }
  return {};
}

}  // namespace

int run_usage(const UsageOptions& options, const CommandContext& context) {
  const auto done = options.purge ? purge(options, context) : run(options, context);
  return done ? kExitDone : could_not(context, done.error());
}

void add_usage_command(CLI::App& app, int& exit_code, const CommandContext& context) {
  auto options = std::make_shared<UsageOptions>();
  CLI::App* usage = app.add_subcommand("usage", "who used what");
  add_store_options(*usage, options->store);
  usage->add_flag("--json", options->json, "one JSON object per line");
  CLI::Option* since = usage->add_option("--since", options->since, "a time (RFC 3339) or an age: 90m, 24h, 7d");
  CLI::Option* by =
      usage->add_option("--by", options->by, "sums by key, tenant, user, model, agent, tool, run or day (UTC)");
  CLI::Option* purge = usage->add_flag("--purge", options->purge, "delete all rows of a user, key or tenant, for good");
  purge->excludes(since)->excludes(by);
  usage->add_option("--user", options->subject.user, "with --purge: of this user")->needs(purge);
  usage->add_option("--key", options->subject.key, "with --purge: of the key of this name")->needs(purge);
  usage->add_option("--tenant", options->subject.tenant, "with --purge: of this tenant")->needs(purge);
  usage->callback([options, &exit_code, context] { exit_code = run_usage(*options, context); });
}

}  // namespace weir
