// What the record store tells beside the ledger's rows: their sums by hour, and the audit of what operators changed.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "checkers/checkers.h"

namespace weir::sim {
namespace {

// Each hour's sums are those of its rows, also where a batch was refused, or booked again after a crash.
class HourSums final : public Checker {
 public:
  explicit HourSums(const Setup& setup) : Checker("hour_sums", setup.context), sources_(setup.sources) {}

  void at_end() override {
    const auto rows = sources_.ledger();
    if (!rows) return;
    std::map<std::int64_t, Groups> hours;
    Groups models;
    for (const UsageRow& row : *rows) {
      add(hours[row.time / kHour][row.key], row);
      add(models[row.model], row);
    }
    for (const auto& [hour, keys] : hours) {
      compare(keys, {.since = hour * kHour, .until = (hour + 1) * kHour}, SumBy::kKey);
    }
    // Sums in hours that have no rows would be missed above.
    compare(models, {.since = 0, .until = (sources_.now() / kHour + 1) * kHour}, SumBy::kModel);
  }

 private:
  using Numbers = std::array<std::int64_t, 9>;
  using Groups = std::map<std::string, Numbers>;

  static void add(Numbers& to, const UsageRow& row) {
    const Usage& used = row.usage;
    const std::int64_t written = used.cache_write + used.cache_write_1h;
    const Numbers values{1,
                         used.input_uncached + used.cache_read + written,
                         used.output_visible + used.reasoning,
                         used.cache_read,
                         written,
                         used.reasoning,
                         row.usd_micros,
                         row.reserved_tokens,
                         row.tool_calls};
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += values[i];
  }

  void compare(const Groups& rows, const UsageFilter& range, SumBy by) {
    const auto told = sources_.sums(range, by);
    if (!told) return fail("the ledger cannot be summed: " + told.error().message);
    Groups sums;
    for (const UsageSum& s : told->sums) {
      sums[s.group] = {s.requests,         s.input_tokens, s.output_tokens,   s.cached_tokens, s.cache_write_tokens,
                       s.reasoning_tokens, s.usd_micros,   s.reserved_tokens, s.tool_calls};
    }
    for (const auto& [group, numbers] : rows) {
      looked();
      if (sums[group] != numbers) wrong(range, group, sums[group], numbers);
      sums.erase(group);
    }
    for (const auto& [group, numbers] : sums) wrong(range, group, numbers, {});
  }

  void wrong(const UsageFilter& range, const std::string& group, const Numbers& sums, const Numbers& rows) {
    fail(fmt::format(
        "`{}` since {}: the sums say {} requests, {} + {} tokens and {} micro-dollars, the rows {}, {} + {} "
        "and {}",
        group, format_rfc3339(range.since), sums[0], sums[1], sums[2], sums[6], rows[0], rows[1], rows[2], rows[6]));
  }

  Sources sources_;
};

// Every change of an operator's that is in force is in the audit, once.
class ChangesAudited final : public Checker {
 public:
  explicit ChangesAudited(const Setup& setup) : Checker("changes_audited", setup.context), sources_(setup.sources) {}

  void on_change(std::string_view what, const std::string& name) override { ++made_[{std::string(what), name}]; }
  void at_end() override {
    const auto rows = sources_.audit();
    if (!rows) return;
    for (const auto& [change, count] : made_) {
      const auto& [what, name] = change;
      const auto tells = [&, quoted = "\"" + name + "\""](const AuditRow& row) {
        return row.event == AuditEvent::kAdmin && row.limit == what && row.per_json.find(quoted) != std::string::npos &&
               !row.evidence.starts_with("by escalation");
      };
      looked();
      const auto written = std::count_if(rows->begin(), rows->end(), tells);
      if (written == count) continue;
      fail(fmt::format("`{}` of {} was done {} times, the audit says {}", what, name, count, written));
    }
  }

 private:
  Sources sources_;
  std::map<std::pair<std::string, std::string>, std::int64_t> made_;  // what, of what; how often
};

}  // namespace

std::unique_ptr<Checker> make_hour_sums(const Setup& setup) {
  return std::make_unique<HourSums>(setup);
}
std::unique_ptr<Checker> make_changes_audited(const Setup& setup) {
  return std::make_unique<ChangesAudited>(setup);
}

}  // namespace weir::sim
