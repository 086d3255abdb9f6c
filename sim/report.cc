#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace weir::sim {
namespace {

constexpr char kField = '\t', kItem = '\x1f', kPart = '\x1e';

std::string counts_text(const std::map<std::string, std::uint64_t>& counts) {
  std::string out;
  for (const auto& [name, count] : counts) out += fmt::format("{}{}{}{}", name, kPart, count, kItem);
  return out;
}

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == by) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

std::uint64_t number(const std::string& text) {
  std::uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

void read_counts(const std::string& text, std::map<std::string, std::uint64_t>& out) {
  for (const std::string& item : split(text, kItem)) {
    const std::size_t at = item.find(kPart);
    if (at != std::string::npos) out[item.substr(0, at)] += number(item.substr(at + 1));
  }
}

std::string without_controls(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return text;
}

void print_counts(const char* title, const std::map<std::string, std::uint64_t>& counts) {
  if (counts.empty()) return;
  fmt::print("{}:\n", title);
  for (const auto& [name, count] : counts) fmt::print("  {:<44} {:>12}\n", name, count);
}

}  // namespace

std::string to_line(const Verdict& v) {
  std::string failures;
  for (const Failure& failure : v.failures) {
    failures += fmt::format("{}: {} (at {}){}", failure.checker, without_controls(failure.message),
                            format_rfc3339(failure.at, 6), kItem);
  }
  return fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}", v.trace_hash, v.virtual_time, v.steps, v.asks,
                     v.calls, v.decisions, v.refusals, v.ledger_rows, counts_text(v.faults), counts_text(v.reached),
                     counts_text(v.looks), failures);
}

bool from_line(const std::string& line, Verdict& v) {
  const std::vector<std::string> fields = split(line, kField);
  if (fields.size() != 12) return false;
  v.trace_hash = number(fields[0]);
  v.virtual_time = static_cast<DurationNs>(number(fields[1]));
  std::uint64_t* const numbers[] = {&v.steps, &v.asks, &v.calls, &v.decisions, &v.refusals, &v.ledger_rows};
  for (std::size_t i = 0; i < 6; ++i) *numbers[i] = number(fields[i + 2]);
  read_counts(fields[8], v.faults);
  read_counts(fields[9], v.reached);
  read_counts(fields[10], v.looks);
  for (const std::string& failure : split(fields[11], kItem)) {
    if (!failure.empty()) v.failures.push_back({.checker = {}, .message = failure});
  }
  return true;
}

void Report::add(const std::string& world, std::uint64_t seed, const Verdict& verdict) {
  ++seeds_;
  ++by_world_[world];
  sum_.virtual_time += verdict.virtual_time;
  sum_.steps += verdict.steps;
  sum_.asks += verdict.asks;
  sum_.calls += verdict.calls;
  sum_.decisions += verdict.decisions;
  sum_.refusals += verdict.refusals;
  sum_.ledger_rows += verdict.ledger_rows;
  for (const auto& [name, count] : verdict.faults) sum_.faults[name] += count;
  for (const auto& [name, count] : verdict.reached) sum_.reached[name] += count;
  for (const auto& [name, count] : verdict.looks) sum_.looks[name] += count;
  for (const Failure& failure : verdict.failures) findings_.push_back({world, seed, failure.message});
}

void Report::print(double seconds) const {
  print_counts("faults done", sum_.faults);
  print_counts("rare paths reached", sum_.reached);
  print_counts("looks of each checker", sum_.looks);
  print_counts("seeds of each world", by_world_);
  fmt::print(
      "{} seeds in {:.0f} s: {:.1f} virtual hours, {} steps, {} asks, {} calls at providers, {} decisions ({} "
      "refused), {} ledger rows\n",
      seeds_, seconds, static_cast<double>(sum_.virtual_time) / static_cast<double>(kHour), sum_.steps, sum_.asks,
      sum_.calls, sum_.decisions, sum_.refusals, sum_.ledger_rows);
  for (const Finding& finding : findings_) {
    fmt::print("FAILED {} seed {}: {}\n  again: ./dev sim --world {} --seed {} --trace\n", finding.world, finding.seed,
               finding.what, finding.world, finding.seed);
  }
}

}  // namespace weir::sim
