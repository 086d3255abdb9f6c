// Query parameters of an admin call, read strictly: a name that is not known, stands twice, or has a value that cannot
// be meant is an error that says so.
//
//   auto query = AdminQuery::read("since=24h&page_size=20", {"since", "page_size"});
//   Result<std::int64_t> size = query->number("page_size", 1, 1000, 100);
//
// A value.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace weir {

inline constexpr DurationNs kMaxQueryRange = 400 * kDay;
inline constexpr std::int64_t kMaxPageSize = 1000, kDefaultPageSize = 100;

class AdminQuery {
 public:
  static Result<AdminQuery> read(std::string_view query, std::span<const std::string> known);

  // Values are at most 256 bytes of UTF-8 without control characters.
  bool has(std::string_view name) const { return values_.contains(std::string(name)); }
  std::string text(std::string_view name, std::string_view otherwise = {}) const;
  Result<std::int64_t> number(std::string_view name, std::int64_t least, std::int64_t most,
                              std::int64_t otherwise) const;
  // One of `words`, separated by '|'.
  Result<std::string> choice(std::string_view name, std::string_view words, std::string_view otherwise) const;

  struct Range {
    TimeNs since = 0, until = 0;  // [since, until)
  };
  // `since` and `until`: an instant, or a duration back from now.
  Result<Range> range(TimeNs now, DurationNs otherwise = kDay) const;

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace weir
