#include <algorithm>
#include <set>
#include <tuple>

#include "policy/loader.h"
#include "policy/overrides.h"
#include "policy/yaml_writer.h"

namespace weir {
namespace {

constexpr std::string_view kMask = "***";

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

// Of the scalar that is item `i` of a node.
std::string masked(const Yaml& node, std::size_t i, bool in_alerts) {
  std::string text = node.items[i].text;
  if (is_reference(text)) return text;
  if (node.is_map() && names_a_secret(node, node.keys[i].text)) return std::string(kMask);
  mask_url(text, in_alerts);
  return text;
}

void mask(Yaml& node, bool in_alerts) {
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    Yaml& item = node.items[i];
    item.is_scalar() ? void(item.text = masked(node, i, in_alerts)) : mask(item, in_alerts);
  }
}

void restore(Yaml& node, const Yaml& known, bool in_alerts) {
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    std::size_t at = i;  // in `known`
    if (node.is_map()) {
      const auto same = [&](const Yaml& key) { return key.text == node.keys[i].text; };
      at = static_cast<std::size_t>(std::find_if(known.keys.begin(), known.keys.end(), same) - known.keys.begin());
    }
    if (at >= known.items.size() || node.kind != known.kind) continue;
    Yaml& item = node.items[i];
    if (!item.is_scalar()) {
      restore(item, known.items[at], in_alerts);
    } else if (known.items[at].is_scalar() && item.text == masked(known, at, in_alerts)) {
      item.text = known.items[at].text;
    }
  }
}

void report(const Yaml& node, bool in_alerts, Reporter& reporter) {
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Yaml& item = node.items[i];
    if (!item.is_scalar()) {
      report(item, in_alerts, reporter);
    } else if (item.text.find(kMask) != std::string::npos && item.text == masked(node, i, in_alerts)) {
      const std::string what = "`***` stands where an export left out a secret; put the secret there, or ${NAME}";
      // Nobody would get the messages.
      in_alerts ? reporter.error(item, what) : reporter.warning(item, what);
    }
  }
}

// Calls `visit` with each section that may hold secrets; `key` is the name of an attribute in the other two.
template <class Visit>
void each_section(const Yaml& root, const Visit& visit) {
  for (std::size_t i = 0; i < root.keys.size(); ++i) {
    const std::string& section = root.keys[i].text;
    if (section != "limits" && section != "tiers") visit(section, i, section == "alerts");
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

std::string secrets_masked(std::string_view yaml) {
  Reporter none("policy");
  std::optional<Yaml> root = parse_yaml(yaml, none);
  if (!root) return {};
  if (Yaml* admin = find_member(*root, "admin"); admin != nullptr && admin->is_map()) {
    const Yaml* token = admin->find("token");
    if (token != nullptr && !is_reference(token->text)) remove_member(*admin, "token");
  }
  each_section(*root, [&](const std::string&, std::size_t i, bool in_alerts) { mask(root->items[i], in_alerts); });
  return write_yaml(*root).text;
}

void restore_secrets(Yaml& root, std::string_view known) {
  Reporter none("policy");
  const std::optional<Yaml> before = parse_yaml(known, none);
  if (!before) return;
  each_section(root, [&](const std::string& section, std::size_t i, bool in_alerts) {
    if (const Yaml* same = before->find(section)) restore(root.items[i], *same, in_alerts);
  });
}

std::string secrets_restored(std::string_view draft, std::string_view known) {
  Reporter none("policy");
  std::optional<Yaml> root = parse_yaml(draft, none);
  const std::optional<Yaml> before = parse_yaml(known, none);
  if (!root || !before) return std::string(draft);
  restore_secrets(*root, known);
  const Yaml* had = before->find("admin");
  const Yaml* token = had != nullptr ? had->find("token") : nullptr;
  Yaml* admin = find_member(*root, "admin");
  if (token != nullptr && admin != nullptr && admin->is_map() && admin->find("token") == nullptr) {
    set_member(*admin, "token", *token);
  }
  return write_yaml(*root).text;
}

void report_masks(const Yaml& root, Reporter& reporter) {
  each_section(root,
               [&](const std::string&, std::size_t i, bool in_alerts) { report(root.items[i], in_alerts, reporter); });
}

}  // namespace weir
