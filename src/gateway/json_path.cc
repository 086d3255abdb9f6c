#include "gateway/json_path.h"

#include <simdjson.h>

#include <cmath>

#include "weir/types.h"

namespace weir {

namespace {

// Above this a parser of its own is used and thrown away, so that one long answer does not stay in every thread's
// memory.
constexpr std::size_t kSharedParser = 256 << 10;

}  // namespace

std::optional<std::int64_t> json_integer_at(std::string_view json, std::string_view path) {
  thread_local simdjson::dom::parser shared;
  std::optional<simdjson::dom::parser> own;
  if (json.size() > kSharedParser) own.emplace();
  simdjson::dom::parser& parser = own ? *own : shared;
  simdjson::dom::element at;
  if (parser.parse(json.data(), json.size()).get(at) != simdjson::SUCCESS) return std::nullopt;
  while (!path.empty()) {
    const std::size_t dot = path.find('.');
    if (at[path.substr(0, dot)].get(at) != simdjson::SUCCESS) return std::nullopt;
    path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
  }
  std::int64_t integer = 0;
  if (at.get(integer) == simdjson::SUCCESS) return integer >= 0 ? std::optional(integer) : std::nullopt;
  double real = 0;
  if (at.get(real) != simdjson::SUCCESS || !(real >= 0) || real > static_cast<double>(kMaxAmount)) return std::nullopt;
  return static_cast<std::int64_t>(std::ceil(real));
}

}  // namespace weir
