// A list of tools, names or globs, prepared for being asked often: is this tool one of them?
//
//   ToolPatterns risky({"send_email", "pay_*", "*_delete", "*payment*"});
//   risky.matches("pay_invoice");   // true
//
// Immutable after construction, so shared freely. Names and patterns in the form of canonical_tool_name(). A literal
// costs one hash, a glob with a star at one end nothing where that end's letter differs.
#pragma once

#include <bitset>
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
  bool empty() const { return none_; }
  bool matches(std::string_view tool) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  bool none_ = true;
  bool everything_ = false;
  std::unordered_set<std::string, Hash, std::equal_to<>> literals_;
  // Globs with stars at their ends only, without those; most names are settled by their first and last letter.
  std::vector<std::string> prefixes_, suffixes_, infixes_;
  std::bitset<256> first_, last_;
  std::vector<std::string> globs_;  // all others, whole
};

}  // namespace weir
