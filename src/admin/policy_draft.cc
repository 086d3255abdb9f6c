#include "admin/policy_draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace weir {
namespace {

Yaml tree_of(std::string_view text) {
  Reporter none("policy");
  std::optional<Yaml> root = parse_yaml(text, none);
  return root ? std::move(*root) : make_yaml(Yaml::Kind::kMap);
}

// What must be laid over `from` to have `to`; a member that is gone is null.
Yaml difference(const Yaml& from, const Yaml& to) {
  Yaml out = make_yaml(Yaml::Kind::kMap);
  for (std::size_t i = 0; i < to.keys.size(); ++i) {
    const Yaml* before = from.find(to.keys[i].text);
    if (before == nullptr || !same_yaml(*before, to.items[i])) set_member(out, to.keys[i].text, to.items[i]);
  }
  for (const Yaml& key : from.keys) {
    if (to.find(key.text) == nullptr) set_member(out, key.text, make_yaml(Yaml::Kind::kNull));
  }
  remove_member(out, "name");
  return out;
}

std::string json_of(const Yaml& node) {
  std::string out;
  JsonWriter json(out);
  write_yaml_value(json, node);
  return out;
}

using Entries = std::map<std::string, Yaml>;

Entries limits_in(const Yaml& root) {
  Entries out;
  const Yaml* limits = root.find("limits");
  for (const Yaml& limit : limits != nullptr ? limits->items : std::vector<Yaml>()) {
    if (const Yaml* name = limit.find("name")) out[name->text] = limit;
  }
  return out;
}

Entries tiers_in(const Yaml& root, const Policy& file) {
  Entries out;
  const Yaml* tiers = root.find("tiers");
  for (std::size_t i = 0; tiers != nullptr && i < tiers->keys.size(); ++i) {
    const bool map = tiers->items[i].is_map();
    out[tiers->keys[i].text] = map ? tiers->items[i] : make_yaml(Yaml::Kind::kMap);
  }
  for (const Tier& tier : tiers == nullptr ? file.tiers : std::vector<Tier>()) {
    set_member(out[tier.name] = make_yaml(Yaml::Kind::kMap), "weight",
               make_yaml(Yaml::Kind::kScalar, std::to_string(tier.weight)));
  }
  return out;
}

// Name of a section other than limits and tiers in which the draft is not as what holds.
std::string other_section(const Yaml& effective, const Yaml& draft) {
  const auto own = [](const std::string& name) { return name == "limits" || name == "tiers"; };
  for (std::size_t i = 0; i < draft.keys.size(); ++i) {
    const Yaml* before = effective.find(draft.keys[i].text);
    if (!own(draft.keys[i].text) && (before == nullptr || !same_yaml(*before, draft.items[i]))) {
      return draft.keys[i].text;
    }
  }
  for (const Yaml& key : effective.keys) {
    if (!own(key.text) && draft.find(key.text) == nullptr) return key.text;
  }
  return {};
}

class Draft {
 public:
  explicit Draft(const PolicyState& state) : state_(state) {}

  Result<void> compare(Override::Kind kind, const Entries& file, const Entries& draft) {
    for (const auto& [name, entry] : draft) {
      const auto before = file.find(name);
      const bool fresh = before == file.end();
      const Yaml changed = difference(fresh ? make_yaml(Yaml::Kind::kMap) : before->second, entry);
      want(kind, name, changed.keys.empty() && !fresh ? std::string() : json_of(changed));
    }
    for (const auto& [name, entry] : file) {
      if (draft.contains(name)) continue;
      return fail(fmt::format("the draft has no {0} `{1}`: what the file has can be changed here, not taken away{2}",
                              to_string(kind), name,
                              kind == Override::Kind::kLimit ? "; `mode: shadow` refuses nothing" : ""));
    }
    for (const Override& row : state_.overrides) {
      if (row.kind == kind && !draft.contains(row.name)) want(kind, row.name, {});
    }
    return {};
  }
  std::vector<WantedOverride> take() { return std::move(wanted_); }

 private:
  void want(Override::Kind kind, const std::string& name, std::string json) {
    const Override* now = find_override(state_, kind, name);
    if ((now != nullptr ? now->json : std::string()) != json) wanted_.push_back({kind, name, std::move(json)});
  }

  const PolicyState& state_;
  std::vector<WantedOverride> wanted_;
};

}  // namespace

Result<std::vector<WantedOverride>> overrides_of_draft(const PolicyState& state, const Policy& file,
                                                       std::string_view draft) {
  const Yaml effective = tree_of(secrets_masked(state.yaml)), wanted = tree_of(secrets_masked(draft));
  if (const std::string section = other_section(effective, wanted); !section.empty()) {
    return fail(fmt::format("`{}` is not as in the file; a draft changes `limits` and `tiers` only", section));
  }
  const std::string secret = other_section(tree_of(state.yaml), tree_of(secrets_restored(draft, state.yaml)));
  if (!secret.empty()) {
    return fail(
        fmt::format("`{}` has another secret than the file; secrets are changed in the file, or in the variable "
                    "of the environment that it names, only",
                    secret));
  }
  const Yaml before = tree_of(with_limits_spelled_out(state.file_text, file));
  Draft out(state);
  // A draft without limits is the built-in ones, as a file is.
  const Yaml after =
      tree_of(wanted.find("limits") != nullptr ? std::string(draft) : with_limits_spelled_out(draft, file));
  if (auto done = out.compare(Override::Kind::kLimit, limits_in(before), limits_in(after)); !done) {
    return std::unexpected(done.error());
  }
  if (auto done = out.compare(Override::Kind::kTier, tiers_in(before, file), tiers_in(after, file)); !done) {
    return std::unexpected(done.error());
  }
  return out.take();
}

}  // namespace weir
