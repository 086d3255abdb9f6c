#include "admin/query.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/characters.h"
#include "base/strings.h"
#include "policy/amounts.h"
#include "records/metadata.h"

namespace weir {
namespace {

// As forms are encoded: a plus sign is a space.
std::optional<std::string> form_decoded(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percent_decoded(spaced);
}

Result<TimeNs> instant(std::string_view name, const std::string& text, TimeNs now) {
  if (const auto at = parse_instant(text)) return *at;
  if (const auto age = parse_duration(text); age && *age >= 0) {
    if (*age > 10 * kMaxQueryRange)
      return fail(fmt::format("`{}` lies too far back; at most 400 days are kept.", name));
    return now - *age;
  }
  return fail(
      fmt::format("`{}` must be an instant such as {} or an age such as 24h or 7d.", name, format_rfc3339(now)));
}

}  // namespace

Result<AdminQuery> AdminQuery::read(std::string_view query, std::span<const std::string> known) {
  AdminQuery out;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view part = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (part.empty()) continue;
    const std::size_t equals = std::min(part.find('='), part.size());
    const auto name = form_decoded(part.substr(0, equals));
    const auto value = form_decoded(part.substr(std::min(equals + 1, part.size())));
    if (!name || !value) return fail("The query has a malformed percent escape.");
    if (!is_plain_value(*value)) {
      return fail("The query has a value that is not UTF-8, has control characters or is longer than 256 bytes.");
    }
    if (std::find(known.begin(), known.end(), *name) == known.end()) {
      std::string all;
      for (const std::string& each : known) all += (all.empty() ? "`" : ", `") + each + "`";
      return fail(is_plain_value(*name) && name->size() < 40
                      ? fmt::format("The query parameter `{}` is not known; {}.", *name,
                                    known.empty() ? "this call takes none" : "known are " + all)
                      : "A query parameter is not known.");
    }
    if (!out.values_.emplace(*name, *value).second) {
      return fail(fmt::format("The query parameter `{}` stands twice.", *name));
    }
  }
  return out;
}

std::string AdminQuery::text(std::string_view name, std::string_view otherwise) const {
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? std::string(otherwise) : found->second;
}

Result<std::int64_t> AdminQuery::number(std::string_view name, std::int64_t least, std::int64_t most,
                                        std::int64_t otherwise) const {
  if (!has(name)) return otherwise;
  const auto value = parse_decimal(text(name));
  if (value && *value >= least && *value <= most) return *value;
  return fail(fmt::format("`{}` must be a whole number from {} to {}.", name, least, most));
}

Result<std::string> AdminQuery::choice(std::string_view name, std::string_view words,
                                       std::string_view otherwise) const {
  if (!has(name)) return std::string(otherwise);
  std::string value = text(name);
  for (std::string_view rest = words; !rest.empty();) {
    const std::size_t end = std::min(rest.find('|'), rest.size());
    if (rest.substr(0, end) == value) return value;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return fail(fmt::format("`{}` must be one of {}.", name, words));
}

Result<AdminQuery::Range> AdminQuery::range(TimeNs now, DurationNs otherwise) const {
  Range out{.since = now - otherwise, .until = now + 1};
  if (has("until")) {
    const auto until = instant("until", text("until"), now);
    if (!until) return std::unexpected(until.error());
    out.until = *until;
    out.since = *until - otherwise;
  }
  if (has("since")) {
    const auto since = instant("since", text("since"), now);
    if (!since) return std::unexpected(since.error());
    out.since = *since;
  }
  if (out.since >= out.until) return fail("`since` must be before `until`.");
  if (out.until - out.since > kMaxQueryRange + kDay)
    return fail("At most 400 days may lie between `since` and `until`.");
  return out;
}

}  // namespace weir
