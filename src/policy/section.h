// Reads one map of weir.yaml against the key table: typed values with ranges, every unknown key reported.
//
//   Section s(reporter, node, "timeouts");
//   s.duration("idle", timeouts.idle, kSecond, kHour);
//   s.finish();
//
// A value that is absent leaves its default; a wrong one is reported and leaves it too. Used within one load.
#pragma once

#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "policy/yaml.h"

namespace weir {

class Section {
 public:
  // `section`: as in the key table. A node that is not a map is reported, and then has no keys.
  Section(Reporter& reporter, const Yaml& node, std::string_view section);

  const Yaml& node() const { return node_; }
  Reporter& reporter() const { return reporter_; }

  // The value, null if absent. The key must be in the table (checked).
  const Yaml* get(std::string_view key);
  // As get(), reported if it is not a scalar (and then null).
  const Yaml* scalar(std::string_view key);
  // As get(), reported with `must_be` if it is not a list or map of so many entries (and then null).
  static constexpr std::size_t kAnyNumber = std::numeric_limits<std::size_t>::max();
  const Yaml* list(std::string_view key, std::size_t least, std::size_t most, std::string_view must_be) {
    return entries(key, Yaml::Kind::kList, least, most, must_be);
  }
  const Yaml* map(std::string_view key, std::size_t least, std::size_t most, std::string_view must_be) {
    return entries(key, Yaml::Kind::kMap, least, most, must_be);
  }
  // As get(), reported if absent.
  const Yaml* required(std::string_view key);

  void text(std::string_view key, std::string& out);
  void duration(std::string_view key, DurationNs& out, DurationNs least, DurationNs most);
  void bytes(std::string_view key, std::size_t& out, std::int64_t least, std::int64_t most);
  void boolean(std::string_view key, bool& out);
  void integer(std::string_view key, std::int64_t& out, std::int64_t least, std::int64_t most);
  void amount(std::string_view key, std::int64_t& out, std::int64_t most);  // "10M"
  void usd(std::string_view key, std::int64_t& micros, std::int64_t most);
  void fraction(std::string_view key, double& out, double least, double most);
  // The value, one of the table's choices; empty if absent or wrong. `later`: values of later versions.
  std::string_view choice(std::string_view key, std::span<const std::string_view> later = {});
  // What is under the key, if it is there, read as a map of that sort and finished.
  template <class Read>
  void section(std::string_view key, std::string_view sort, Read read) {
    const Yaml* node = get(key);
    if (node == nullptr) return;
    Section inner(reporter_, *node, sort);
    read(inner);
    inner.finish();
  }
  // Reports keys that are unknown or not available yet.
  void finish();

 private:
  const Yaml* entries(std::string_view key, Yaml::Kind kind, std::size_t least, std::size_t most,
                      std::string_view must_be);

  Reporter& reporter_;
  const Yaml& node_;
  std::string_view section_;
  std::set<std::string_view> read_;
};

std::string not_available(std::string_view what);

}  // namespace weir
