#include "app/recommend_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/command.h"
#include "base/characters.h"
#include "policy/amounts.h"

namespace weir {
namespace {

constexpr std::size_t kColumns = 100;
constexpr std::size_t kWhoColumns = 56, kNameColumns = 20;

std::string value_text(std::int64_t value, UseMeter meter) {
  return meter == UseMeter::kUsd ? dollars_text(value) : format_count(value);
}

// Words on lines of at most kColumns; lines after the first begin two columns further in.
void print_wrapped(std::ostream& out, std::string_view text) {
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (column > 0 && column + 1 + end > kColumns) {
      out << "\n ";
      column = 1;
    }
    if (column > 0) out << ' ';
    out << text.substr(0, end);
    column += end + (column > 0 ? 1 : 0);
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  out << '\n';
}

// Names come from clients: none of them may speak to the terminal.
std::string harmless(std::string_view text, std::size_t most) {
  return without_controls(shown_name(text, most));
}

void print_shape(std::ostream& out, const GroupUse& group) {
  const std::int64_t quiet = group.shapes[static_cast<std::size_t>(Shape::kUnknown)];
  std::string line = fmt::format("{} {}: {} of {}. ", harmless(group.tier, 30), group.kind,
                                 counted(group.requests, "request"), counted(group.consumers, "consumer"));
  if (group.shape == Shape::kUnknown) {
    line += "Shape unknown: ";
  } else {
    line += fmt::format("Shape {}", to_string(group.shape));
    std::string others;
    for (std::size_t i = 1; i < kShapes; ++i) {
      if (group.shapes[i] > 0)
        others += fmt::format("{}{} {}", others.empty() ? "" : ", ", format_count(group.shapes[i]),
                              to_string(static_cast<Shape>(i)));
    }
    line +=
        fmt::format(" ({}{}): ", others, quiet > 0 ? fmt::format(", {} too quiet to tell", format_count(quiet)) : "");
  }
  print_wrapped(out, line + std::string(suits(group.shape)) + ".");
  if (group.shape == Shape::kUnknown) return;
  line = fmt::format(
      "Median consumer: burstiness {:.2f}, {:.0f}% asked again before one could read, "
      "{:.0f}% in parallel",
      group.burstiness, 100 * group.quick, 100 * group.overlap);
  if (group.longest == UseWindow::kPerDay) {
    line += fmt::format(", {:.0f}% between 22 and 6 UTC, {:.0f}% in the busiest hour, active in {:.0f} of 24 hours",
                        100 * group.night, 100 * group.busiest_hour, group.hours);
  }
  print_wrapped(out, line + ".");
}

void print_use(std::ostream& out, const GroupUse& group) {
  std::vector<TextTable::Column> columns{{"USE"}, {"PER"}, {"P50", true}, {"P95", true}, {"P99", true}};
  for (const int multiple : kMultiples) columns.push_back({fmt::format("P95 x{}", multiple), true});
  TextTable table(std::move(columns));
  for (std::size_t m = 0; m < kUseMeters; ++m) {
    for (std::size_t w = 0; w < kUseWindows; ++w) {
      const auto meter = static_cast<UseMeter>(m);
      const auto window = static_cast<UseWindow>(w);
      const AmountHistogram& use = group.of(window, meter);
      if (use.count() == 0) continue;
      std::vector<std::string> cells{to_string(meter), to_string(window), value_text(use.quantile(0.50), meter),
                                     value_text(use.quantile(0.95), meter), value_text(use.quantile(0.99), meter)};
      for (const int multiple : kMultiples) {
        const std::int64_t most = amount_at(group, window, meter, multiple);
        cells.push_back(most == 0 ? "-" : amount_text(most, meter));
      }
      table.add(std::move(cells));
    }
  }
  table.print(out);
}

std::string who(const Choice& choice) {
  std::string text;
  std::size_t told = 0;
  for (const auto& [name, refused] : choice.named) {
    std::string more =
        fmt::format("{}{} {}", told == 0 ? "" : ", ", harmless(name, kNameColumns), format_count(refused));
    if (text.size() + more.size() > kWhoColumns) break;
    text += more;
    ++told;
  }
  if (told < static_cast<std::size_t>(choice.consumers)) text += ", …";
  return text;
}

void print_choices(std::ostream& out, const Recommendation& r, std::size_t at) {
  const GroupUse& group = r.book.groups()[at];
  TextTable table({{"AT"}, {"REFUSED", true}, {"SHARE", true}, {"CONSUMERS", true}, {"WHO"}});
  for (std::size_t i = 0; i < kMultiples.size(); ++i) {
    const Choice& choice = r.trial.choices(at)[i];
    const double share = 100 * static_cast<double>(choice.refused) / static_cast<double>(group.requests);
    table.add({fmt::format("x{}{}", kMultiples[i], r.trial.chosen(at) == i ? " *" : ""), format_count(choice.refused),
               fmt::format("{:.2f}%", share), format_count(choice.consumers), who(choice)});
  }
  table.print(out);
  const Choice& choice = r.trial.choices(at)[r.trial.chosen(at)];
  std::string line = "* limits per caller:";
  for (const ProposedLimit& limit : choice.proposal.limits) {
    line += fmt::format("{} {} {}", &limit == &choice.proposal.limits.front() ? "" : ";", limit.meter,
                        fmt::join(limit.windows, ", "));
  }
  print_wrapped(out, line);
}

void print_current(std::ostream& out, const std::vector<LimitFinding>& findings) {
  TextTable table({{"LIMIT"}, {"TIER"}, {"KIND"}, {"WINDOW"}, {"NOW", true}, {"VERDICT"}, {"TO", true}});
  std::vector<const LimitFinding*> rest;
  for (const LimitFinding& f : findings) {
    if (f.tier.empty()) {
      rest.push_back(&f);
      continue;
    }
    table.add({shown_name(f.limit, 20), shown_name(f.tier, 16), f.kind, shown(f.window, 10), shown(f.allowed, 10),
               to_string(f.verdict), shown(f.proposed, 10)},
              f.why);
  }
  out << "\nThe policy's limits beside this use (a limit fits at 4 to 10 times p95):\n";
  table.print(out);
  for (const LimitFinding* f : rest) print_wrapped(out, fmt::format("not judged: {}: {}.", f->limit, f->why));
}

}  // namespace

void print_recommendation(std::ostream& out, const Recommendation& r) {
  out << fmt::format("From {} to {} UTC: {} of {}.\n", shown_time(r.book.first(), false),
                     shown_time(r.book.last(), false), counted(r.book.requests(), "request"),
                     counted(static_cast<std::int64_t>(r.book.consumers().size()), "consumer"));
  for (const std::string& note : r.notes) print_wrapped(out, "Note: " + note + ".");
  for (std::size_t at = 0; at < r.book.groups().size(); ++at) {
    out << '\n';
    print_shape(out, r.book.groups()[at]);
    out << '\n';
    print_use(out, r.book.groups()[at]);
    out << '\n';
    print_choices(out, r, at);
  }
  print_wrapped(out,
                "\nREFUSED is what the limits in the windows that suit, at that multiple, would have refused of "
                "these requests; * is the smallest that refuses at most 0.1%. --yaml prints its limits.");
  if (!r.current.empty()) print_current(out, r.current);
}

}  // namespace weir
