// A list of tools, names or globs, prepared for being asked often: is this tool one of them?
//
//   ToolPatterns risky({"send_email", "pay_*", "*_delete", "*payment*"});
//   risky.matches("pay_invoice");   // true
//
// Immutable after construction, so shared freely. Names and patterns in the form of canonical_tool_name(). A literal
// costs one hash, a glob with stars at its ends one comparison.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace weir {

class ToolPatterns {
 public:
  ToolPatterns() = default;
  explicit ToolPatterns(const std::vector<std::string>& patterns) { add(patterns); }

  void add(const std::vector<std::string>& patterns);
  bool empty() const { return !everything_ && literals_.empty() && globs_.empty(); }
  bool matches(std::string_view tool) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  enum class Shape : unsigned char { kPrefix, kSuffix, kInfix, kOther };
  struct Glob {
    Shape shape = Shape::kOther;
    std::string text;  // without the stars at its ends; kOther: the whole glob
  };

  bool everything_ = false;
  std::unordered_set<std::string, Hash, std::equal_to<>> literals_;
  std::vector<Glob> globs_;
};

}  // namespace weir
