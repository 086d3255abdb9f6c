#include "policy/tool_patterns.h"

#include <algorithm>

#include "base/strings.h"

namespace weir {

void ToolPatterns::add(const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    if (pattern.find('*') == std::string::npos) {
      literals_.insert(pattern);
      continue;
    }
    std::string_view middle = pattern;
    const bool head = middle.starts_with('*');
    while (middle.starts_with('*')) middle.remove_prefix(1);
    const bool tail = middle.ends_with('*');
    while (middle.ends_with('*')) middle.remove_suffix(1);
    if (middle.empty()) {
      everything_ = true;
    } else if (middle.find('*') != std::string_view::npos) {
      globs_.push_back({Shape::kOther, pattern});
    } else {
      globs_.push_back({head && tail ? Shape::kInfix : head ? Shape::kSuffix : Shape::kPrefix, std::string(middle)});
    }
  }
}

bool ToolPatterns::matches(std::string_view tool) const {
  if (everything_) return true;
  if (!literals_.empty() && literals_.contains(tool)) return true;
  return std::any_of(globs_.begin(), globs_.end(), [&](const Glob& glob) {
    switch (glob.shape) {
      case Shape::kPrefix:
        return tool.starts_with(glob.text);
      case Shape::kSuffix:
        return tool.ends_with(glob.text);
      case Shape::kInfix:
        return tool.find(glob.text) != std::string_view::npos;
      case Shape::kOther:
        break;
    }
    return glob_match(glob.text, tool);
  });
}

}  // namespace weir
