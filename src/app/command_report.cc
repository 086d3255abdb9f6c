#include "app/command_report.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <memory>

#include "app/abuse_report.h"

namespace weir {
namespace {

constexpr std::size_t kMaxTableRows = 1000;  // of the form for people; --json has no bound

void print_table(const AbuseReport& report, std::ostream& out) {
  if (report.patterns.empty()) {
    out << "nothing was refused, warned of or broken since " << format_rfc3339(report.since) << '\n';
    return;
  }
  TextTable table(
      {{"COUNT", true}, {"EVENT"}, {"LIMIT"}, {"KEY"}, {"USER"}, {"TOOL"}, {"FIRST (UTC)"}, {"LAST (UTC)"}});
  const std::size_t rows = std::min(report.patterns.size(), kMaxTableRows);
  for (std::size_t i = 0; i < rows; ++i) {
    const AbusePattern& p = report.patterns[i];
    std::string below = shown(p.request_id, 40);
    if (!p.evidence.empty()) below += ": " + shown(p.evidence);
    table.add({std::to_string(p.count), to_string(p.event), shown(p.layer + "/" + p.limit, 24), shown_name(p.key, 16),
               shown_name(p.user, 16), shown_name(p.tool, 20), shown_time(p.first, false), shown_time(p.last, false)},
              std::move(below));
  }
  table.print(out);
  out << fmt::format("{} events in {} patterns by {} keys since {}\n", report.events, report.patterns.size(),
                     report.consumers, format_rfc3339(report.since));
  if (rows < report.patterns.size()) out << "there are more patterns; use --json\n";
}

Result<void> write_page(const std::string& path, const std::string& page) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << page;
  file.close();
  if (!file) return fail("cannot write " + path + "; name a file in a folder that can be written");
  return {};
}

Result<void> run(const ReportOptions& options, const CommandContext& context) {
  const TimeNs now = context.now();
  const auto since = parse_since(options.since.empty() ? "7d" : options.since, now);
  if (!since) return std::unexpected(since.error());
  auto store = open_store(options.store, context);
  if (!store) return std::unexpected(store.error());
  const auto report = gather_abuse(*store, *since, now);
  if (!report) return std::unexpected(report.error());
  std::ostream& out = output(context);
  if (!options.html.empty()) {
    if (auto written = write_page(options.html, abuse_html(*report)); !written) return written;
    out << "wrote " << options.html << '\n';
    return {};
  }
  if (!options.json) {
    print_table(*report, out);
    return {};
  }
  for (const AbusePattern& pattern : report->patterns) out << abuse_json(pattern) << '\n';
  return {};
}

}  // namespace

int run_report(const ReportOptions& options, const CommandContext& context) {
  const auto done = run(options, context);
  return done ? kExitDone : could_not(context, done.error());
}

void add_report_command(CLI::App& app, int& exit_code, const CommandContext& context) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* command = app.add_subcommand("report", "abuse patterns: who met which limit or breaker, how often");
  add_store_options(*command, options->store);
  CLI::Option* week = command->add_flag("--week", options->week, "of the last seven days (default)");
  command->add_option("--since", options->since, "a time (RFC 3339) or an age: 90m, 24h, 7d")->excludes(week);
  CLI::Option* json = command->add_flag("--json", options->json, "one JSON object per line");
  command->add_option("--html", options->html, "write one page for a browser to this file")->excludes(json);
  command->callback([options, &exit_code, context] { exit_code = run_report(*options, context); });
}

}  // namespace weir
