#include "app/command_replay.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <memory>
#include <type_traits>

#include "app/policy_file.h"
#include "app/progress.h"
#include "app/trace_file.h"
#include "base/strings.h"
#include "replay/agent_report.h"
#include "replay/recorded_keys.h"
#include "replay/replay.h"
#include "replay/report.h"

namespace weir {
namespace {

constexpr std::size_t kDecisionsBuffered = 1 << 20;
constexpr std::size_t kTenantsShown = 10;

// Decisions leave in large pieces. What could not be written is an error at the end, not silence.
class DecisionFile {
 public:
  Result<void> open(const std::string& path) {
    path_ = path;
    if (path.empty()) return {};
    file_.open(path, std::ios::binary | std::ios::trunc);
    return check();
  }
  void add(const ReplayedRow& row) {
    if (!path_.empty()) append_decision(buffer_, row);
    if (buffer_.size() >= kDecisionsBuffered) flush();
  }
  void add(const JudgedEvent& judged) {
    if (!path_.empty()) append_judged(buffer_, judged);
    if (buffer_.size() >= kDecisionsBuffered) flush();
  }
  Result<void> close() {
    if (path_.empty()) return {};
    flush();
    file_.close();
    return check();
  }

 private:
  void flush() {
    file_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    buffer_.clear();
  }
  Result<void> check() const {
    if (file_) return {};
    return fail("cannot write " + path_ + "; check the path given with --decisions and the room on its disk");
  }

  std::string path_, buffer_;
  std::ofstream file_;
};

// Rows and agents have little in common but the policy, so one command replays one sort of trace.
class Replays {
 public:
  Replays(std::shared_ptr<const Policy> policy, ReplayOptions options, RecordedKeys keys, DecisionFile& decisions,
          Progress& progress)
      : policy_(std::move(policy)),
        options_(std::move(options)),
        keys_(std::move(keys)),
        decisions_(decisions),
        progress_(progress) {}

  // `ordinary`: given with --train.
  Result<void> add(const std::string& path, bool ordinary) {
    const auto text = read_trace(path);
    if (!text) return std::unexpected(text.error());
    if (is_agent_trace(*text)) return add_agents(path, *text, ordinary);
    if (ordinary) {
      auto rows = open_trace(*text, path);
      if (!rows) return std::unexpected(rows.error());
      return fail(path + ":1: is no agent trace; --train teaches what agents ordinarily do, load rows teach nothing");
    }
    return add_rows(path, *text);
  }

  void finish() {
    if (rows_) rows_->finish();
    if (agents_) agents_->finish();
  }

  const AgentReplay* agents() const { return agents_.get(); }
  const Replay& rows() const { return *rows_; }
  std::string note() const {
    std::string keys = keys_.note();
    if (agents_) return keys;
    return assumption(options_.service) + (keys.empty() ? "" : " ") + keys;
  }

 private:
  Result<void> add_rows(const std::string& path, std::string_view text) {
    auto trace = open_trace(text, path);
    if (!trace) return std::unexpected(trace.error());
    if (agents_) return fail(path + ":1: has load rows, the traces before it agents; replay them by themselves");
    if (!rows_) {
      rows_ = std::make_unique<Replay>(policy_, options_, [this](const ReplayedRow& row) { decisions_.add(row); });
    }
    rows_->begin_trace(**trace);
    return replay<TraceRow>(**trace, *rows_, path, text);
  }

  Result<void> add_agents(const std::string& path, std::string_view text, bool ordinary) {
    auto trace = open_agent_trace(text, path);
    if (!trace) return std::unexpected(trace.error());
    if (rows_) return fail(path + ":1: is an agent trace, those before it are load rows; replay them by themselves");
    if (!agents_) {
      agents_ =
          std::make_unique<AgentReplay>(policy_, [this](const JudgedEvent& judged) { decisions_.add(judged); }, &keys_);
    }
    agents_->begin_file(ordinary);
    return replay<AgentEvent>(**trace, *agents_, path, text);
  }

  template <class Item, class Trace, class Into>
  Result<void> replay(Trace& trace, Into& into, const std::string& path, std::string_view text) {
    const double lines = lines_of(text);
    Item item;
    while (true) {
      const auto more = trace.next(item);
      if (!more) return std::unexpected(more.error());
      if (!*more) return {};
      if constexpr (std::is_same_v<Item, TraceRow>) keys_.complete(item);
      if (auto added = into.add(item); !added) {
        return fail(path + ":" + std::to_string(item.line) + ": " + added.error().message);
      }
      progress_.show(path, static_cast<double>(item.line) / lines);
    }
  }

  std::shared_ptr<const Policy> policy_;
  ReplayOptions options_;
  RecordedKeys keys_;
  DecisionFile& decisions_;
  Progress& progress_;
  std::unique_ptr<Replay> rows_;
  std::unique_ptr<AgentReplay> agents_;
};

Result<ReplayOptions> options_of(const ReplayCommand& command) {
  ReplayOptions options;
  if (!command.mode.empty()) {
    if (command.mode != "reserve" && command.mode != "estimate") {
      return fail("--mode " + command.mode + " is unknown; choose reserve or estimate");
    }
    options.whole_cap = command.mode == "reserve";
  }
  const auto service = parse_service_time(command.service_time);
  if (!service) return std::unexpected(service.error());
  options.service = *service;
  const auto most = parse_decimal(command.max_tokens);
  if (!most || *most > kMaxRowTokens) {
    return fail("--max-tokens " + command.max_tokens + " is not a whole number from 0 to 100000000");
  }
  options.max_tokens = *most;
  return options;
}

void print_table(std::ostream& out, const ReplaySummary& sums, DurationNs wall) {
  TextTable table({{"REPLAYED"}, {"", true}, {""}});
  const auto share = [&](std::int64_t part, std::int64_t whole) {
    return whole == 0 ? std::string()
                      : fmt::format("{:.1f}%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
  };
  table.add({"rows", std::to_string(sums.rows), ""});
  table.add({"allowed", std::to_string(sums.allowed), share(sums.allowed, sums.rows)});
  if (sums.degraded > 0) table.add({"  degraded", std::to_string(sums.degraded), share(sums.degraded, sums.rows)});
  table.add({"refused", std::to_string(sums.refused), share(sums.refused, sums.rows)});
  table.add({"tokens asked", std::to_string(sums.tokens_asked), ""});
  table.add({"tokens used", std::to_string(sums.tokens_used), share(sums.tokens_used, sums.tokens_asked)});
  table.add({"top-ups", std::to_string(sums.top_ups), fmt::format("{} did not fit", sums.debts)});
  table.add({"open reservations", std::to_string(sums.open_reservations), "at the end"});
  table.add({"virtual time", fmt::format("{:.3f}", static_cast<double>(sums.last - sums.first) / 1e9), "s"});
  table.add({"wall time", fmt::format("{:.3f}", static_cast<double>(wall) / 1e9), "s"});
  table.print(out);
  if (sums.refused == 0) return;
  const auto print_refusals = [&](std::string title, const auto& counts, std::size_t most) {
    std::vector<std::pair<std::string, std::int64_t>> sorted(counts.begin(), counts.end());
    std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
      return a.second != b.second ? a.second > b.second : a.first < b.first;
    });
    TextTable refusals({{std::move(title)}, {"REFUSED", true}, {""}});
    for (std::size_t i = 0; i < std::min(most, sorted.size()); ++i) {
      const auto& [name, count] = sorted[i];
      refusals.add({name.empty() ? "-" : name, std::to_string(count), share(count, sums.refused)});
    }
    out << '\n';
    refusals.print(out);
    if (sorted.size() > most) out << fmt::format("and {} more\n", sorted.size() - most);
  };
  print_refusals("LIMIT", sums.refusals_by_limit, kTenantsShown);
  print_refusals("TENANT", sums.refusals_by_tenant, kTenantsShown);
}

void print_table(std::ostream& out, const AgentSummary& sums, DurationNs wall) {
  TextTable table({{"REPLAYED"}, {"", true}, {""}});
  const std::int64_t lines = sums.allowed + sums.warned + sums.broken + sums.refused + sums.anomalies;
  const auto add = [&](std::string_view name, std::int64_t count) {
    const double share = lines == 0 ? 0 : 100.0 * static_cast<double>(count) / static_cast<double>(lines);
    table.add({std::string(name), std::to_string(count), fmt::format("{:.1f}%", share)});
  };
  table.add({"traces", std::to_string(sums.traces), ""});
  table.add({"events", std::to_string(sums.events), ""});
  add("allow", sums.allowed);
  add("warn", sums.warned);
  add("break", sums.broken);
  add("refuse", sums.refused);
  add("anomaly", sums.anomalies);
  table.add({"wall time", fmt::format("{:.3f}", static_cast<double>(wall) / 1e9), "s"});
  table.print(out);
}

Result<void> run(const ReplayCommand& command, const CommandContext& context) {
  const TimeNs began = context.now();
  const auto options = options_of(command);
  if (!options) return std::unexpected(options.error());
  const std::string& tried = command.policy.empty() ? command.config : command.policy;
  const auto policy = load_usable_policy(tried);
  if (!policy) return std::unexpected(policy.error());
  DecisionFile decisions;
  if (auto opened = decisions.open(command.decisions); !opened) return opened;
  Progress progress(terminal_of_stderr(), context.now);
  const StoreChoice store{.config = command.config.empty() ? tried : command.config, .data = {}};
  Replays replays(*policy, *options, keys_of(store, context), decisions, progress);
  for (const std::string& path : command.train) {
    if (auto taught = replays.add(path, true); !taught) return taught;
  }
  for (const std::string& path : command.traces) {
    if (auto replayed = replays.add(path, false); !replayed) return replayed;
  }
  replays.finish();
  progress.clear();
  if (auto closed = decisions.close(); !closed) return closed;
  std::ostream& out = output(context);
  const DurationNs wall = context.now() - began;
  const std::string note = replays.note();
  if (const AgentReplay* agents = replays.agents()) {
    command.json ? void(out << summary_json(agents->summary(), note) << '\n')
                 : print_table(out, agents->summary(), wall);
  } else {
    const ReplaySummary& sums = replays.rows().summary();
    command.json ? void(out << summary_json(sums, note) << '\n') : print_table(out, sums, wall);
  }
  if (!command.json && !note.empty()) out << '\n' << note << '\n';
  return {};
}

constexpr std::string_view kFooter =
    "Traces are load rows (CSV with the columns timestamp_s,tenant,session,turn,model,input_tokens,output_tokens)\n"
    "or lines of `weir usage --json`, or of agents: events (JSON Lines with trace,step,kind,...) and transcripts\n"
    "(JSON Lines with trace,messages). Several are replayed one after the other. Every load row is a stream.\n"
    "Limits per key or caller take the tenant of a load row for both (`trace` if it has none), in the default tier;\n"
    "rows of a ledger have their own key, user and tier.";

}  // namespace

int run_replay(const ReplayCommand& command, const CommandContext& context) {
  const auto done = run(command, context);
  return done ? kExitDone : could_not(context, done.error());
}

void add_replay_command(CLI::App& app, int& exit_code, const CommandContext& context) {
  auto command = std::make_shared<ReplayCommand>();
  CLI::App* replay = app.add_subcommand("replay", "what a policy would have done to recorded traffic, in virtual time");
  replay->add_option("TRACE", command->traces, "files of load rows, ledger lines or agent traces, in order")
      ->required();
  replay->add_option("-c,--config", command->config, "weir.yaml (default: the built-in policy)");
  replay->add_option("--policy", command->policy, "weir.yaml to try instead of -c");
  replay->add_option("--train", command->train, "agent trace that teaches what is ordinary; repeatable")
      ->allow_extra_args(false);
  replay->add_option("--mode", command->mode, "reserve | estimate (default: reservation.mode of the policy)");
  replay->add_option("--service-time", command->service_time, "seconds an answer takes")->capture_default_str();
  replay->add_option("--max-tokens", command->max_tokens, "cap of a row, unless its output is larger")
      ->capture_default_str();
  replay->add_option("--decisions", command->decisions, "file for one JSON line per row or tool call");
  replay->add_flag("--json", command->json, "sums as one JSON object");
  replay->footer(std::string(kFooter));
  replay->callback([command, &exit_code, context] { exit_code = run_replay(*command, context); });
}

}  // namespace weir
