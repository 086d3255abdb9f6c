#include "policy/policy.h"

#include <algorithm>
#include <array>

#include "base/enum_words.h"
#include "base/strings.h"

namespace weir {

std::string_view to_string(Layer layer) {
  static constexpr std::array kWords = {"rate", "budget", "tool", "plan"};
  return word_of(kWords, layer);
}

// A diagnostic is one line, and what it quotes of the file must not steer the terminal that shows it.
std::string to_string(const Diagnostic& d) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = d.file;
  if (d.line > 0) out += ":" + std::to_string(d.line) + ":" + std::to_string(std::max(d.column, 1));
  out += d.error ? ": error: " : ": warning: ";
  for (const char c : d.message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F) {
      out += c;
    } else {
      out.append("\\x").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 0xF]);
    }
  }
  return out;
}

const Provider* Policy::find_provider(std::string_view name) const {
  const auto found =
      std::find_if(providers.begin(), providers.end(), [&](const Provider& p) { return p.name == name; });
  return found == providers.end() ? nullptr : &*found;
}

const ModelRule* Policy::find_model(std::string_view model) const {
  const auto found =
      std::find_if(models.begin(), models.end(), [&](const ModelRule& m) { return glob_match(m.pattern, model); });
  return found == models.end() ? nullptr : &*found;
}

const Upstream* Policy::find_upstream(std::string_view path) const {
  const Upstream* best = nullptr;
  std::size_t best_length = 0;
  for (const Upstream& upstream : upstreams) {
    std::string_view pattern = upstream.path;
    if (pattern == path) return &upstream;
    if (!pattern.ends_with("/**")) continue;
    pattern.remove_suffix(3);
    const bool below = path.starts_with(pattern) && (path.size() == pattern.size() || path[pattern.size()] == '/');
    if (!below || (best != nullptr && pattern.size() <= best_length)) continue;
    best = &upstream;
    best_length = pattern.size();
  }
  return best;
}

Price Policy::price_of(std::string_view model, const Provider& provider) const {
  const ModelRule* rule = find_model(model);
  if (rule != nullptr && rule->price) return *rule->price;
  if (const PriceRow* row = PriceBook::built_in().find(model)) return row->price;
  if (provider.price) return *provider.price;
  return PriceBook::built_in().dearest();
}

bool Policy::has_price(std::string_view model, const Provider& provider) const {
  const ModelRule* rule = find_model(model);
  return (rule != nullptr && rule->price) || provider.price || PriceBook::built_in().find(model) != nullptr;
}

Price Policy::price_of_answer(std::string_view requested, std::string_view answered, const Provider& provider) const {
  const ModelRule* rule = find_model(requested);
  if (rule != nullptr && rule->price) return *rule->price;
  if (const PriceRow* row = PriceBook::built_in().find(answered)) return row->price;
  return price_of(requested, provider);
}

}  // namespace weir
