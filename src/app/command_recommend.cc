#include "app/command_recommend.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "app/policy_file.h"
#include "app/recommend_rows.h"
#include "app/recommend_table.h"
#include "app/trace_file.h"

namespace weir {
namespace {

Result<RecordedRows> rows_of(const RecommendCommand& command, const CommandContext& context) {
  if (!command.traces.empty()) {
    if (!command.since.empty()) return fail("--since is for the ledger; cut the trace itself instead");
    return rows_of_traces(command.traces, std::make_shared<RecordedKeys>(keys_of(command.store, context)));
  }
  const TimeNs now = context.now();
  const auto since = parse_since_or_all(command.since, now);
  if (!since) return std::unexpected(since.error());
  if (*since > now) {
    return fail("--since " + command.since + " is in the future, where nothing was recorded; now is " +
                format_rfc3339(now));
  }
  const auto dir = data_directory(command.store, context);
  if (!dir) return std::unexpected(dir.error());
  return rows_of_ledger(*dir, *since, now);
}

void print(std::ostream& out, const RecommendCommand& command, const Recommendation& r) {
  if (command.json) {
    out << recommendation_json(r);
  } else if (command.yaml) {
    out << recommendation_yaml(r);
  } else {
    print_recommendation(out, r);
  }
}

// False: there is nothing to recommend from.
Result<bool> run(const RecommendCommand& command, const CommandContext& context) {
  if (!command.against.empty() && command.against != "current") {
    return fail("--against " + command.against +
                " is unknown; write --against current for the policy of -c, or the "
                "built-in one without");
  }
  const auto policy = load_usable_policy(command.store.config);
  if (!policy) return std::unexpected(policy.error());
  const auto rows = rows_of(command, context);
  if (!rows) return std::unexpected(rows.error());
  Progress progress(context.err == nullptr ? terminal_of_stderr() : nullptr, context.now);
  UseBook book(**policy);
  std::int64_t excluded = 0;
  const auto legitimate = [&](auto use) {
    return [&rows, &excluded, use](const TraceRow& row) -> Result<void> {
      if (!rows->excluded.has(row)) return use(row);
      ++excluded;
      return {};
    };
  };
  const auto read = rows->each(progress, "measuring", legitimate([&](const TraceRow& row) { return book.add(row); }));
  if (!read) return std::unexpected(read.error());
  if (book.requests() == 0) return false;
  book.finish();
  const std::int64_t left_out = excluded;
  auto trial = Trial::make(**policy, book);
  if (!trial) return std::unexpected(trial.error());
  const auto tried =
      rows->each(progress, "replaying", legitimate([&](const TraceRow& row) { return (*trial)->add(row); }));
  if (!tried) return std::unexpected(tried.error());
  (*trial)->finish();
  progress.clear();
  Recommendation r{.policy = **policy, .book = book, .trial = **trial, .excluded = left_out};
  r.notes = notes_on(**policy, book, **trial, rows->excluded, left_out);
  if (std::string keys = rows->keys->note(); !keys.empty()) {
    keys.pop_back();  // notes are sentences without their stop
    r.notes.push_back(std::move(keys));
  }
  if (!command.against.empty()) r.current = compare(**policy, book);
  print(output(context), command, r);
  return true;
}

constexpr std::string_view kFooter =
    "Without TRACE it reads the ledger of -c or --data. Traces are load rows (CSV) or lines of `weir usage --json`, "
    "as\n"
    "`weir replay` reads them. Amounts are 4 to 10 times the p95 of what consumers use per minute, hour and day; each\n"
    "choice is replayed over the same requests. -c is also the policy whose prices, tiers and limits are meant.";

}  // namespace

int run_recommend(const RecommendCommand& command, const CommandContext& context) {
  const auto done = run(command, context);
  if (!done) return could_not(context, done.error());
  if (*done) return kExitDone;
  return report(errors(context), kExitNo,
                std::string("there are no requests to recommend from") +
                    (command.since.empty() ? "" : " since " + command.since) +
                    "; let traffic pass through `weir serve` first, or name a recorded TRACE");
}

void add_recommend_command(CLI::App& app, int& exit_code, const CommandContext& context) {
  auto command = std::make_shared<RecommendCommand>();
  CLI::App* recommend =
      app.add_subcommand("recommend", "limits per tier from recorded use, and what they would refuse");
  recommend->add_option("TRACE", command->traces, "files of load rows or ledger lines instead of the ledger, in order");
  recommend->add_option("-c,--config", command->store.config, "weir.yaml: the policy, and the data folder it names");
  recommend->add_option("--data", command->store.data, "data folder (default: that of -c, else ./weir-data)");
  recommend->add_option("--since", command->since, "a time (RFC 3339) or an age: 90m, 24h, 7d");
  recommend->add_option("--against", command->against, "current: what to tighten or loosen in the policy of -c");
  CLI::Option* json = recommend->add_flag("--json", command->json, "one JSON object per finding and line");
  recommend->add_flag("--yaml", command->yaml, "a limits section for weir.yaml")->excludes(json);
  recommend->footer(std::string(kFooter));
  recommend->callback([command, &exit_code, context] { exit_code = run_recommend(*command, context); });
}

}  // namespace weir
