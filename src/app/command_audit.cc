#include "app/command_audit.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "base/json_writer.h"
#include "records/metadata.h"

namespace weir {
namespace {

constexpr std::size_t kMaxTableRows = 1000;  // of the form for people; --json has no bound

// -?digits[.digits], which is also a JSON number; anything else becomes null.
bool is_decimal(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const auto all_digits = [](std::string_view part) {
    return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  if (!all_digits(whole) || (whole.size() > 1 && whole[0] == '0')) return false;
  return point == std::string_view::npos || all_digits(text.substr(point + 1));
}

void add_decimal(JsonWriter& w, const char* name, const std::string& text) {
  w.key(name);
  if (is_decimal(text)) {
    w.raw(text);
  } else {
    w.null();
  }
}

std::string row_json(const AuditRow& row) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().key("time").string(format_rfc3339(row.time, 3)).key("request_id").string(row.request_id);
  w.key("key").string(row.key).key("event").string(to_string(row.event)).key("layer").string(row.layer);
  w.key("limit").string(row.limit).key("per").raw(one_line_json(row.per_json));
  add_decimal(w, "used", row.used);
  add_decimal(w, "reserved", row.reserved);
  add_decimal(w, "requested", row.requested);
  add_decimal(w, "allowed", row.allowed);
  w.key("retry_after");
  if (row.retry_after_s < 0) {
    w.null();
  } else {
    w.real(row.retry_after_s);
  }
  w.key("count").number(row.count).key("evidence").string(row.evidence);
  w.key("config_version").string(row.config_version).end_object();
  return out;
}

std::string shown(const std::string& text) {
  return text.empty() ? "-" : text;
}

Result<void> print_rows(Store& store, TimeNs since, const CommandContext& context) {
  TextTable table({{"TIME"},
                   {"EVENT"},
                   {"KEY"},
                   {"LAYER"},
                   {"LIMIT"},
                   {"USED", true},
                   {"HELD", true},
                   {"ASKED", true},
                   {"ALLOWED", true},
                   {"RETRY", true},
                   {"COUNT", true}});
  std::int64_t events = 0;
  std::size_t rows = 0;
  bool cut = false;
  const auto read = store.audit(since, [&](const AuditRow& row) {
    cut = rows == kMaxTableRows;
    if (cut) return false;
    ++rows;
    events += row.count;
    table.add({format_rfc3339(row.time), to_string(row.event), shown(row.key), shown(row.layer), shown(row.limit),
               shown(row.used), shown(row.reserved), shown(row.requested), shown(row.allowed),
               row.retry_after_s < 0 ? "-" : fmt::format("{:.1f}s", row.retry_after_s), std::to_string(row.count)});
    return true;
  });
  if (!read) return read;
  table.add({"total", "", "", "", "", "", "", "", "", "", std::to_string(events)});
  table.print(output(context));
  if (cut) output(context) << "there are more; use --since or --json\n";
  return {};
}

Result<void> run(const AuditOptions& options, const CommandContext& context) {
  TimeNs since = std::numeric_limits<TimeNs>::min();
  if (!options.since.empty()) {
    const auto parsed = parse_since(options.since, context.now());
    if (!parsed) return std::unexpected(parsed.error());
    since = *parsed;
  }
  const auto dir = data_directory(options.store, context);
  if (!dir) return std::unexpected(dir.error());
  auto store = Store::open(*dir, {.read_only = true});
  if (!store) return std::unexpected(store.error());
  if (!options.json) return print_rows(*store, since, context);
  return store->audit(since, [&](const AuditRow& row) {
    output(context) << row_json(row) << '\n';
    return output(context).good();
  });
}

}  // namespace

int run_audit(const AuditOptions& options, const CommandContext& context) {
  const auto done = run(options, context);
  return done ? kExitDone : report(errors(context), kExitCouldNotRun, done.error().message);
}

void add_audit_command(CLI::App& app, int& exit_code, const CommandContext& context) {
  auto options = std::make_shared<AuditOptions>();
  CLI::App* audit = app.add_subcommand("audit", "every refusal and other event to ask about");
  CLI::Option* config = audit->add_option("-c,--config", options->store.config, "weir.yaml that names the data folder");
  audit->add_option("--data", options->store.data, "data folder (default ./weir-data)")->excludes(config);
  audit->add_flag("--json", options->json, "one JSON object per line");
  audit->add_option("--since", options->since, "a time (RFC 3339) or an age: 90m, 24h, 7d");
  audit->callback([options, &exit_code, context] { exit_code = run_audit(*options, context); });
}

}  // namespace weir
