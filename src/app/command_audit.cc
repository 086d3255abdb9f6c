#include "app/command_audit.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "base/strings.h"
#include "records/metadata.h"
#include "records/queries.h"
#include "records/row_json.h"

namespace weir {
namespace {

constexpr std::size_t kMaxTableRows = 1000;  // of the form for people; --json has no bound

// Whom an operator's change met stands in `per`; a tool and a run have columns of their own.
std::string what_was_done(const AuditRow& row) {
  std::string out;
  if (const auto names = flatten_metadata(row.per_json)) {
    for (const auto& [attribute, name] : *names) {
      if (attribute != "base" && name != row.tool && name != row.run) out += name + " ";
    }
  }
  return out + row.evidence;
}

// What CLI11 asks before it reads --limit, whose name is also a refusal's.
std::string number_of_rows(const std::string& text) {
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  if (digits && text.size() < 19 && text != "0") return {};
  return "takes a number of rows, 1 or more; rows are chosen with --event, --key and --request, and a limit's by "
         "`limit` in what --json prints";
}

// The evidence in words, else the numbers of the refusal: used+held+asked > allowed.
std::string why(const AuditRow& row) {
  if (row.event == AuditEvent::kAdmin) return what_was_done(row);
  if (!row.evidence.empty()) return row.evidence;
  std::string out;
  for (const std::string* part : {&row.used, &row.reserved, &row.requested}) {
    if (!part->empty() && *part != "0") out += (out.empty() ? "" : "+") + *part;
  }
  if (!row.allowed.empty()) out += " > " + row.allowed;
  if (row.retry_after_s >= 0) out += fmt::format("{}wait {:.0f}s", out.empty() ? "" : ", ", row.retry_after_s);
  return out;
}

struct Asked : AuditQuery {
  std::string request;
};

// Oldest first. Of one request, at most a page: nothing has more rows than that.
Result<void> each_row(Store& store, const Asked& asked, const std::function<bool(const AuditRow&)>& row) {
  if (asked.request.empty()) return store.audit(asked, row);
  const auto size = asked.limit > 0 ? static_cast<std::size_t>(asked.limit) : kMaxQueryPage;
  const auto page = RecordQueries(store).audit(
      {.since = std::max<TimeNs>(asked.since, 0), .event = asked.event, .request_id = asked.request, .key = asked.key},
      {.size = size});
  if (!page) return std::unexpected(page.error());
  for (auto found = page->rows.rbegin(); found != page->rows.rend() && row(*found);) ++found;
  return {};
}

Result<void> print_rows(Store& store, const Asked& asked, const CommandContext& context) {
  TextTable table({{"TIME (UTC)"}, {"EVENT"}, {"KEY"}, {"LIMIT"}, {"TOOL"}, {"RUN"}, {"COUNT", true}, {"WHY"}});
  std::int64_t events = 0;
  std::size_t rows = 0;
  bool cut = false;
  const auto read = each_row(store, asked, [&](const AuditRow& row) {
    cut = rows == kMaxTableRows;
    if (cut) return false;
    ++rows;
    events += row.count;
    table.add({shown_time(row.time, true), to_string(row.event), shown_name(row.key, 14), shown(row.limit, 16),
               shown_name(row.tool, 16), shown_name(row.run, 10), std::to_string(row.count), shown(why(row))});
    return true;
  });
  if (!read) return read;
  if (rows == 0 && !asked.request.empty()) {
    output(context) << kNoSuchRequest << '\n';
    return {};
  }
  table.add({"total", "", "", "", "", "", std::to_string(events), ""});
  table.print(output(context));
  if (cut) output(context) << "there are more; use --since or --json\n";
  return {};
}

Result<Asked> query_from(const AuditOptions& options, TimeNs now) {
  Asked query{{.event = {}, .key = options.key, .limit = options.limit}, options.request};
  const auto since = parse_since_or_all(options.since, now);
  if (!since) return std::unexpected(since.error());
  query.since = *since;
  if (!options.event.empty()) {
    query.event = audit_event_from(options.event);
    if (!query.event) {
      return fail("--event " + options.event +
                  " is unknown; choose refused, warned, broken, stripped, degraded, trust or admin");
    }
  }
  return query;
}

std::string verdict_json(const AuditVerdict& verdict, bool asked) {
  std::string out;
  JsonWriter w(out);
  const auto time = [&](const char* name, TimeNs at) {
    w.key(name);
    verdict.rows == 0 ? w.null() : w.string(format_rfc3339(at, 3));
  };
  w.begin_object().key("intact").boolean(verdict.intact).key("rows").number(verdict.rows);
  time("first", verdict.first);
  time("last", verdict.last);
  w.key("purged").number(verdict.purged).key("last_purge");
  if (verdict.purge_words.empty()) {
    w.null();
  } else {
    w.begin_object().key("time").string(format_rfc3339(verdict.purge_time, 3));
    w.key("evidence").string(verdict.purge_words).end_object();
  }
  w.key("base").string(to_hex(verdict.base));
  w.key("head").string(to_hex(verdict.head)).key("expected_found");
  asked ? w.boolean(verdict.expected_found) : w.null();
  w.key("broken");
  if (verdict.intact) {
    w.null();
  } else {
    w.begin_object().key("why").string(verdict.why).key("time");
    verdict.broken_at_row ? w.string(format_rfc3339(verdict.broken_time, 3)) : w.null();
    w.key("request_id");
    verdict.broken_at_row ? w.string(verdict.broken_request_id) : w.null();
    w.end_object();
  }
  w.end_object();
  return out;
}

void print_verdict(const AuditVerdict& verdict, bool asked, std::ostream& out) {
  out << fmt::format("{} rows checked", verdict.rows);
  if (verdict.rows > 0) {
    out << fmt::format(", {} to {}", format_rfc3339(verdict.first, 3), format_rfc3339(verdict.last, 3));
  }
  if (verdict.purged > 0) out << fmt::format("; {} before them deleted by retention", verdict.purged);
  out << '\n';
  if (!verdict.purge_words.empty()) {
    out << fmt::format("last deletion {}, {}\n", format_rfc3339(verdict.purge_time), verdict.purge_words);
  }
  if (verdict.intact) {
    out << "intact\nhead " << to_hex(verdict.head) << "\n";
  } else if (verdict.broken_at_row) {
    out << fmt::format("broken at row {} ({}, request {}): {}\n", verdict.rows + 1,
                       format_rfc3339(verdict.broken_time, 3), shown(verdict.broken_request_id), verdict.why);
  } else {
    out << "broken: " << verdict.why << '\n';
  }
  if (asked) {
    out << (verdict.expected_found ? "the expected head is in the chain\n"
                                   : "the expected head is not in the kept part of the chain\n");
  } else if (verdict.intact) {
    out << "keep the head elsewhere: `weir audit --verify --expect HEAD` then also finds a chain that was rewritten "
           "or cut\n";
  }
}

Result<bool> verify(const AuditOptions& options, const CommandContext& context) {
  std::string expected = to_lower(options.expect);
  if (!expected.empty() &&
      (expected.size() != 64 || expected.find_first_not_of("0123456789abcdef") != std::string::npos)) {
    return fail("--expect takes a head as `weir audit --verify` prints it: 64 hexadecimal digits");
  }
  auto store = open_store(options.store, context);
  if (!store) return std::unexpected(store.error());
  const auto verdict = store->verify_audit(expected);
  if (!verdict) return std::unexpected(verdict.error());
  const bool asked = !expected.empty();
  if (options.json) {
    output(context) << verdict_json(*verdict, asked) << '\n';
  } else {
    print_verdict(*verdict, asked, output(context));
  }
  return verdict->intact && (!asked || verdict->expected_found);
}

Result<void> run(const AuditOptions& options, const CommandContext& context) {
  const auto query = query_from(options, context.now());
  if (!query) return std::unexpected(query.error());
  auto store = open_store(options.store, context);
  if (!store) return std::unexpected(store.error());
  if (!options.json) return print_rows(*store, *query, context);
  bool found = false;
  const auto read = each_row(*store, *query, [&](const AuditRow& row) {
    found = true;
    output(context) << row_json(row) << '\n';
    return output(context).good();
  });
  if (read && !found && !query->request.empty()) errors(context) << kNoSuchRequest << '\n';
  return read;
}

}  // namespace

int run_audit(const AuditOptions& options, const CommandContext& context) {
  if (options.verify) {
    const auto intact = verify(options, context);
    if (!intact) return could_not(context, intact.error());
    return *intact ? kExitDone : kExitNo;
  }
  const auto done = run(options, context);
  return done ? kExitDone : could_not(context, done.error());
}

void add_audit_command(CLI::App& app, int& exit_code, const CommandContext& context) {
  auto options = std::make_shared<AuditOptions>();
  CLI::App* audit = app.add_subcommand("audit", "every refusal and other event to ask about");
  add_store_options(*audit, options->store);
  audit->add_flag("--json", options->json, "one JSON object per line");
  audit->add_option("--since", options->since, "a time (RFC 3339) or an age: 90m, 24h, 7d");
  audit->add_option("--event", options->event, "refused, warned, broken, stripped, degraded, trust or admin");
  audit->add_option("--key", options->key, "of this key, and what an operator changed about it");
  audit->add_option("--request", options->request, "of this request: the X-Weir-Request-Id of its answer");
  audit->add_option("--limit", options->limit, "the newest so many")->check(number_of_rows);
  CLI::Option* verify = audit->add_flag("--verify", options->verify, "check the chain of all rows");
  audit->add_option("--expect", options->expect, "a head that --verify printed earlier must be in the chain")
      ->needs(verify);
  audit->callback([options, &exit_code, context] { exit_code = run_audit(*options, context); });
}

}  // namespace weir
