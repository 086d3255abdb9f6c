// One pass over a parsed JSON value: refuses duplicate keys and deep nesting, and measures its text.
//
//   JsonAudit audit(bounds.depth);
//   JsonMeasure measure;
//   if (!audit.walk(value, /*depth=*/2, measure)) return fault(audit.flaw(), audit.path());
//
// Internal to this folder (it shows simdjson). One thread at a time. Depth is bounded by kMaxDepth whatever is asked.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

// Bytes of keys and strings, and of other scalars as they would be written (an upper bound for numbers in schemas).
struct JsonMeasure {
  std::int64_t text = 0;
  std::int64_t scalars = 0;
};

class JsonAudit {
 public:
  static constexpr std::size_t kMaxDepth = 1024;  // simdjson's own bound
  enum class Flaw : std::uint8_t { kNone, kDepth, kDuplicateKey };

  explicit JsonAudit(std::size_t max_depth);

  // `depth` of this value: 1 for the document. False at the first flaw.
  bool walk(const simdjson::dom::element& value, std::size_t depth, JsonMeasure& measure);
  // The object's own keys only. True if two are equal.
  bool has_duplicate(const simdjson::dom::object& object);

  Flaw flaw() const { return flaw_; }
  // Where, below the value given to walk(): ".a[3].b"; shortened when long.
  const std::string& path() const { return path_; }

 private:
  bool walk_object(const simdjson::dom::object& object, std::size_t depth, JsonMeasure& measure);
  bool walk_array(const simdjson::dom::array& array, std::size_t depth, JsonMeasure& measure);
  void prepend(std::string_view step);

  std::size_t max_depth_;
  Flaw flaw_ = Flaw::kNone;
  std::string path_;
  std::vector<std::string_view> keys_;
};

// The first key that is one of `names` to a reader who ignores case (Go's JSON does, also for the letters that Unicode
// folds to s and k), and is not written so; null data: none. Who reads the body behind Weir could take either.
std::string_view look_alike(const simdjson::dom::object& object, std::span<const std::string_view> names);

}  // namespace weir
