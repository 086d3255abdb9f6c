#include <algorithm>
#include <set>
#include <tuple>

#include "policy/overrides.h"
#include "policy/yaml_writer.h"

namespace weir {
namespace {

constexpr std::string_view kMask = "***";
constexpr std::size_t kEnough = 16;  // more stars: a secret of an alert's target is that long

// ${NAME} alone: it says where a secret is, not what it is. A default would be one.
bool is_reference(std::string_view text) {
  if (!text.starts_with("${") || !text.ends_with('}')) return false;
  const std::string_view name = text.substr(2, text.size() - 3);
  return !name.empty() && name.find_first_of(":{}$") == std::string_view::npos;
}

bool names_a_secret(const Yaml& map, std::string_view key) {
  const bool path = key == "key" && map.find("cert") != nullptr;  // of a PEM file
  const auto is = [&](std::string_view word) {
    return key == word || (key.ends_with(word) && key.size() > word.size() && key[key.size() - word.size() - 1] == '_');
  };
  return !path && (is("key") || is("token") || is("secret") || is("password"));
}

void mask_url(std::string& url, bool whole_path) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return;
  const std::size_t host = scheme + 3;
  std::size_t end = std::min(url.find_first_of("/?#", host), url.size());
  if (whole_path && end < url.size()) url.replace(end, std::string::npos, "/***");
  const std::size_t at = url.rfind('@', end);
  if (at == std::string::npos || at < host || at >= end || is_reference(url.substr(host, at - host))) return;
  url.replace(host, at - host, kMask);
}

void mask(Yaml& node, bool in_alerts) {
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    Yaml& item = node.items[i];
    const std::string_view key = node.is_map() ? std::string_view(node.keys[i].text) : std::string_view();
    if (item.is_scalar() && names_a_secret(node, key) && !is_reference(item.text)) {
      item.text = kMask;
    } else if (item.is_scalar()) {
      mask_url(item.text, in_alerts);
    } else {
      mask(item, in_alerts);
    }
  }
}

// Calls `visit` with section, nearest key and node of every value that names a variable.
template <class Visit>
void each_reference(const Yaml& node, std::string_view section, std::string_view key, const Visit& visit) {
  if (node.is_scalar() && node.text.find("${") != std::string::npos) visit(section, key, node);
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const std::string_view own = node.is_map() ? std::string_view(node.keys[i].text) : key;
    each_reference(node.items[i], section.empty() ? own : section, own, visit);
  }
}

}  // namespace

std::vector<Diagnostic> new_references(std::string_view draft, std::string_view known) {
  Reporter none("policy");
  const std::optional<Yaml> before = parse_yaml(known, none), after = parse_yaml(draft, none);
  std::set<std::tuple<std::string_view, std::string_view, std::string_view>> allowed;
  std::vector<Diagnostic> out;
  if (before) {
    each_reference(*before, "", "", [&](std::string_view section, std::string_view key, const Yaml& node) {
      allowed.emplace(section, key, node.text);
    });
  }
  if (!after) return out;  // loading it says why
  each_reference(*after, "", "", [&](std::string_view section, std::string_view key, const Yaml& node) {
    if (out.size() >= kMaxDiagnostics || allowed.contains({section, key, node.text})) return;
    out.push_back({true, "draft", node.line, node.column,
                   "names a variable of the environment where the policy in force does not; only the file may"});
  });
  return out;
}

std::string masks_that_load(std::string_view draft) {
  std::string out(draft);
  Reporter none("draft");
  const std::optional<Yaml> root = parse_yaml(draft, none);
  const Yaml* alerts = root ? root->find("alerts") : nullptr;
  const Yaml* targets = alerts != nullptr ? alerts->find("targets") : nullptr;
  for (std::size_t i = targets != nullptr ? targets->items.size() : 0; i-- > 0;) {  // the last first: places stay
    const Yaml* secret = targets->items[i].find("secret");
    if (secret == nullptr || secret->text != kMask) continue;
    std::size_t at = 0;
    for (int line = 1; line < secret->line && at < out.size(); ++line) at = out.find('\n', at) + 1;
    at = out.find(kMask, at + static_cast<std::size_t>(secret->column - 1));
    if (at != std::string::npos) out.insert(at, kEnough, '*');
  }
  return out;
}

std::string secrets_masked(std::string_view yaml) {
  Reporter none("policy");
  std::optional<Yaml> root = parse_yaml(yaml, none);
  if (!root) return {};
  if (Yaml* admin = find_member(*root, "admin"); admin != nullptr && admin->is_map()) {
    const Yaml* token = admin->find("token");
    if (token != nullptr && !is_reference(token->text)) remove_member(*admin, "token");
  }
  for (std::size_t i = 0; i < root->items.size(); ++i) {
    const std::string& section = root->keys[i].text;
    // `key` is the name of an attribute there.
    if (section != "limits" && section != "tiers") mask(root->items[i], section == "alerts");
  }
  return write_yaml(*root).text;
}

}  // namespace weir
