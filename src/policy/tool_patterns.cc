#include "policy/tool_patterns.h"

#include <algorithm>

#include "base/strings.h"

namespace weir {
namespace {

std::size_t letter(char c) {
  return static_cast<unsigned char>(c);
}

}  // namespace

void ToolPatterns::add(const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    none_ = false;
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
      globs_.push_back(pattern);
    } else if (head && tail) {
      infixes_.emplace_back(middle);
    } else if (head) {
      suffixes_.emplace_back(middle);
      last_.set(letter(middle.back()));
    } else {
      prefixes_.emplace_back(middle);
      first_.set(letter(middle.front()));
    }
  }
}

bool ToolPatterns::matches(std::string_view tool) const {
  if (none_ || everything_) return everything_;
  if (!literals_.empty() && literals_.contains(tool)) return true;
  const auto any = [](const std::vector<std::string>& parts, auto fits) {
    return std::any_of(parts.begin(), parts.end(), fits);
  };
  if (!tool.empty() && first_.test(letter(tool.front())) &&
      any(prefixes_, [&](const std::string& part) { return tool.starts_with(part); })) {
    return true;
  }
  if (!tool.empty() && last_.test(letter(tool.back())) &&
      any(suffixes_, [&](const std::string& part) { return tool.ends_with(part); })) {
    return true;
  }
  return any(infixes_, [&](const std::string& part) { return tool.find(part) != std::string_view::npos; }) ||
         any(globs_, [&](const std::string& glob) { return glob_match(glob, tool); });
}

}  // namespace weir
