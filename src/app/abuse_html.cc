// The report as one page: everything that came from outside is escaped, nothing runs and nothing is loaded.
#include <fmt/format.h>

#include <algorithm>

#include "app/abuse_report.h"

namespace weir {
namespace {

constexpr std::string_view kHead = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Weir: abuse patterns</title>
<style>
:root { color-scheme: light dark; --paper: #f7f8f9; --sheet: #fff; --ink: #16202a; --soft: #5a6872; --line: #dde3e7;
  --bar: #cfe3f2; --refused: #8a4b00; --broken: #b3261e; --warned: #6b5d00; --other: #2b5c8a; }
@media (prefers-color-scheme: dark) { :root { --paper: #11161b; --sheet: #191f26; --ink: #e6ebef; --soft: #9aa7b1;
  --line: #2c353d; --bar: #23445f; --refused: #f0b36b; --broken: #ff8a80; --warned: #e3d26f; --other: #8ec3f0; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 32px 24px 48px; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
main { max-width: 1280px; margin: 0 auto; }
h1 { font-size: 24px; margin: 0 0 4px; }
p { margin: 0 0 16px; color: var(--soft); }
dl { display: flex; flex-wrap: wrap; gap: 12px; margin: 20px 0; }
dl div { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; padding: 10px 18px; }
dt { color: var(--soft); font-size: 13px; }
dd { margin: 0; font-size: 22px; font-variant-numeric: tabular-nums; }
.frame { overflow-x: auto; background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 9px 12px; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
th { font-size: 13px; color: var(--soft); font-weight: 600; white-space: nowrap; }
.count { text-align: right; font-variant-numeric: tabular-nums; min-width: 96px; }
.bar { display: block; height: 4px; margin: 5px 0 0 auto; border-radius: 2px; background: var(--bar); }
.event { font-weight: 600; color: var(--other); }
.refused { color: var(--refused); } .broken { color: var(--broken); } .warned { color: var(--warned); }
.time { white-space: nowrap; font-variant-numeric: tabular-nums; }
.name { overflow-wrap: anywhere; min-width: 84px; }
.why { overflow-wrap: anywhere; min-width: 220px; }
code { font: 13px ui-monospace, monospace; color: var(--soft); overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
)html";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
    }
  }
  return out;
}

std::string shown(std::string_view text) {
  return text.empty() ? "–" : escaped(text);
}

std::string row_html(const AbusePattern& p, std::int64_t most) {
  std::string out = fmt::format(R"(<tr><td class="count">{}<span class="bar" style="width:{}%"></span></td>)", p.count,
                                std::clamp<std::int64_t>(p.count * 100 / std::max<std::int64_t>(most, 1), 1, 100));
  out += fmt::format(R"(<td><span class="event {0}">{0}</span></td><td class="name">{1}<br><code>{2}</code></td>)",
                     to_string(p.event), shown(p.limit), escaped(p.layer));
  out += fmt::format(R"(<td class="name">{}</td><td class="name">{}</td><td class="name">{}</td>)", shown(p.key),
                     shown(p.user), shown(p.tool));
  out += fmt::format(R"(<td class="time">{}<br>{}</td><td class="why">{}<br><code>{}</code></td></tr>)",
                     format_rfc3339(p.first), format_rfc3339(p.last), shown(p.evidence), escaped(p.request_id));
  return out += '\n';
}

}  // namespace

std::string abuse_html(const AbuseReport& report) {
  std::string out(kHead);
  out += fmt::format("<h1>Abuse patterns</h1>\n<p>Refusals, warnings, breaks and losses of trust, {} to {}.</p>\n",
                     format_rfc3339(report.since), format_rfc3339(report.until));
  out += fmt::format(
      "<dl><div><dt>Events</dt><dd>{}</dd></div><div><dt>Patterns</dt><dd>{}</dd></div>"
      "<div><dt>Keys</dt><dd>{}</dd></div></dl>\n",
      report.events, report.patterns.size(), report.consumers);
  if (report.patterns.empty()) {
    return out += "<p>Nothing was refused, warned of or broken in this time.</p>\n</main>\n</body>\n</html>\n";
  }
  out +=
      R"(<div class="frame"><table><thead><tr><th class="count">Count</th><th>Event</th><th>Limit</th><th>Key</th>)"
      "<th>User</th><th>Tool</th><th>First and last (UTC)</th><th>Evidence and a request</th></tr></thead>\n<tbody>\n";
  const std::size_t rows = std::min(report.patterns.size(), kMaxHtmlRows);
  for (std::size_t i = 0; i < rows; ++i) out += row_html(report.patterns[i], report.patterns.front().count);
  out += "</tbody></table></div>\n";
  if (rows < report.patterns.size()) {
    out += fmt::format("<p>{} rarer patterns are left out; `weir report --json` has them.</p>\n",
                       report.patterns.size() - rows);
  }
  if (report.others > 0)
    out += fmt::format("<p>{} events of further patterns are not told apart.</p>\n", report.others);
  return out += "</main>\n</body>\n</html>\n";
}

}  // namespace weir
