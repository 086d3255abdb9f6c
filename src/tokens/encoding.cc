#include "tokens/encoding.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weir {
namespace {

constexpr std::array<std::pair<std::string_view, Encoding>, kEncodingCount> kNames{{
    {"o200k_base", Encoding::kO200k},
    {"cl100k_base", Encoding::kCl100k},
    {"p50k_base", Encoding::kP50k},
    {"r50k_base", Encoding::kR50k},
}};

struct ModelRule {
  std::string_view name;
  bool prefix;
  Encoding encoding;
};

// OpenAI's published table (tiktoken/model.py), the first that fits: exact names and names of families.
constexpr ModelRule kModels[] = {
    {"gpt-5", true, Encoding::kO200k},
    {"gpt-4o", true, Encoding::kO200k},
    {"gpt-4.1", true, Encoding::kO200k},
    {"gpt-4.5", true, Encoding::kO200k},
    {"chatgpt-4o", true, Encoding::kO200k},
    {"o1", true, Encoding::kO200k},
    {"o3", true, Encoding::kO200k},
    {"o4", true, Encoding::kO200k},
    {"gpt-oss", true, Encoding::kO200k},
    {"gpt-4", true, Encoding::kCl100k},
    {"gpt-3.5", true, Encoding::kCl100k},
    {"gpt-35", true, Encoding::kCl100k},  // as Azure spells it
    {"davinci-002", false, Encoding::kCl100k},
    {"babbage-002", false, Encoding::kCl100k},
    {"text-embedding-3-", true, Encoding::kCl100k},
    {"text-embedding-ada-002", false, Encoding::kCl100k},
    {"text-davinci-002", false, Encoding::kP50k},
    {"text-davinci-003", false, Encoding::kP50k},
    {"code-search-ada-code-001", false, Encoding::kR50k},
    {"code-search-babbage-code-001", false, Encoding::kR50k},
    {"code-", true, Encoding::kP50k},
    {"davinci", false, Encoding::kR50k},
    {"curie", false, Encoding::kR50k},
    {"babbage", false, Encoding::kR50k},
    {"ada", false, Encoding::kR50k},
    {"text-davinci-001", false, Encoding::kR50k},
    {"text-curie-001", false, Encoding::kR50k},
    {"text-babbage-001", false, Encoding::kR50k},
    {"text-ada-001", false, Encoding::kR50k},
    {"text-similarity-", true, Encoding::kR50k},
    {"text-search-", true, Encoding::kR50k},
};

// A family's name ends where a variant begins: "o1" and "o1-mini", not "o10".
bool fits(const ModelRule& rule, std::string_view model) {
  if (model.empty() || model.front() != rule.name.front()) return false;
  if (!rule.prefix) return model == rule.name;
  if (!model.starts_with(rule.name)) return false;
  if (rule.name.ends_with('-') || model.size() == rule.name.size()) return true;
  const char next = model[rule.name.size()];
  return next < '0' || next > '9';
}

}  // namespace

std::string_view to_string(Encoding encoding) {
  return kNames[static_cast<std::size_t>(encoding)].first;
}

std::optional<Encoding> encoding_from(std::string_view name) {
  const auto found = std::ranges::find(kNames, name, [](const auto& pair) { return pair.first; });
  if (found == kNames.end()) return std::nullopt;
  return found->second;
}

std::optional<Encoding> encoding_of_model(std::string_view name) {
  if (const std::size_t slash = name.rfind('/'); slash != std::string_view::npos) name.remove_prefix(slash + 1);
  if (name.starts_with("ft:")) {
    name.remove_prefix(3);
    name = name.substr(0, name.find(':'));
  }
  for (const ModelRule& rule : kModels) {
    if (fits(rule, name)) return rule.encoding;
  }
  return std::nullopt;
}

}  // namespace weir
