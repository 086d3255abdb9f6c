#include "admin/overriding.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace weir {
namespace {

bool was_skipped(std::span<const SkippedOverride> skipped, Override::Kind kind, std::string_view name) {
  return std::any_of(skipped.begin(), skipped.end(),
                     [&](const SkippedOverride& s) { return s.kind == kind && s.name == name; });
}

// Those that the change would leave without effect: the ones wanted, and others that need what it takes away.
std::vector<Diagnostic> faults_of(const MergedPolicy& merged, const PolicyState& before,
                                  std::span<const WantedOverride> wanted) {
  std::vector<Diagnostic> out;
  for (const SkippedOverride& skipped : merged.skipped) {
    const bool own = std::any_of(wanted.begin(), wanted.end(), [&](const WantedOverride& w) {
      return w.kind == skipped.kind && w.name == skipped.name;
    });
    if (!own && was_skipped(before.skipped, skipped.kind, skipped.name)) continue;
    const std::string place = skipped.member.empty() ? "" : "`" + skipped.member + "`: ";
    out.push_back({.file = fmt::format("{} {}", to_string(skipped.kind), skipped.name),
                   .message = (own ? ""
                                   : fmt::format("the override of {} {} needs what this takes away: ",
                                                 to_string(skipped.kind), skipped.name)) +
                              place + skipped.why});
  }
  return out;
}

std::vector<Override> with(std::vector<Override> rows, std::span<const WantedOverride> wanted) {
  for (const WantedOverride& want : wanted) {
    std::erase_if(rows, [&](const Override& row) { return row.kind == want.kind && row.name == want.name; });
    if (!want.json.empty()) rows.push_back({.kind = want.kind, .name = want.name, .json = want.json, .by = {}});
  }
  return rows;
}

}  // namespace

std::shared_ptr<const PolicyState> policy_now(AdminContext& call) {
  auto state = call.host.policy_state();
  if (const auto rows = call.store.overrides(); rows && *rows != state->overrides) {
    call.host.overrides_changed();
    state = call.host.policy_state();
  }
  return state;
}

LoadedPolicy load_draft(const AdminContext& call, const PolicyState& state, std::string_view yaml) {
  if (auto faults = new_references(yaml, state.yaml); !faults.empty()) return {nullptr, std::move(faults)};
  return load_policy(masks_that_load(yaml), "draft", call.host.environment());
}

const Override* find_override(const PolicyState& state, Override::Kind kind, std::string_view name) {
  const auto found = std::find_if(state.overrides.begin(), state.overrides.end(),
                                  [&](const Override& row) { return row.kind == kind && row.name == name; });
  return found == state.overrides.end() ? nullptr : &*found;
}

std::expected<void, Reply> put_overrides(AdminContext& call, std::span<const WantedOverride> wanted) {
  const auto state = policy_now(call);
  const auto rows = with(state->overrides, wanted);
  if (rows.size() > kMaxOverrides) {
    return std::unexpected(admin_problem(
        422, fmt::format("There are {} overrides, more cannot be; take some away first.", kMaxOverrides)));
  }
  const MergedPolicy merged = merge_overrides(state->file_text, state->file, call.host.environment(), rows);
  if (!merged.loaded.policy) {
    return std::unexpected(
        invalid_policy("The file in force cannot be loaded any more; mend it first.", merged.loaded.diagnostics));
  }
  if (const auto faults = faults_of(merged, *state, wanted); !faults.empty()) {
    return std::unexpected(invalid_policy("That would not be a valid policy; nothing was changed.", faults));
  }
  std::vector<OverrideChange> changes;
  for (const WantedOverride& want : wanted) {
    const Override* before = find_override(*state, want.kind, want.name);
    changes.push_back({want.kind, want.name, before != nullptr ? before->json : std::string(), want.json});
  }
  const auto done = call.store.change_overrides(changes, call.change());
  if (!done) return std::unexpected(admin_store_failed(done.error()));
  if (*done == OverrideOutcome::kChangedMeanwhile) {
    return std::unexpected(
        admin_problem(412, "Somebody changed this meanwhile; read it again, then repeat the change."));
  }
  if (*done == OverrideOutcome::kTooMany) {
    return std::unexpected(admin_problem(
        422, fmt::format("There are {} overrides, more cannot be; take some away first.", kMaxOverrides)));
  }
  if (const ReloadOutcome outcome = call.host.overrides_changed(); !outcome.loaded) {
    return std::unexpected(
        invalid_policy("It is stored, but the policy could not be loaded; see the diagnostics.", outcome.diagnostics));
  }
  return {};
}

Yaml effective_tree(const PolicyState& state, const Policy& policy) {
  Reporter none(state.file);
  std::optional<Yaml> root = parse_yaml(with_limits_spelled_out(state.yaml, policy), none);
  return root ? std::move(*root) : make_yaml(Yaml::Kind::kMap);
}

const Yaml* limit_of(const Yaml& root, std::string_view name) {
  const Yaml* limits = root.find("limits");
  if (limits == nullptr) return nullptr;
  for (const Yaml& limit : limits->items) {
    const Yaml* own = limit.find("name");
    if (own != nullptr && own->text == name) return &limit;
  }
  return nullptr;
}

Reply invalid_policy(std::string message, std::span<const Diagnostic> diagnostics) {
  Reply reply = admin_problem(422, std::move(message));
  if (reply.body.ends_with('}')) {
    reply.body.pop_back();
    reply.body += ",\"diagnostics\":";
    JsonWriter json(reply.body);
    write_diagnostics(json, diagnostics);
    reply.body += '}';
  }
  return reply;
}

void write_diagnostics(JsonWriter& json, std::span<const Diagnostic> diagnostics) {
  json.begin_array();
  for (const Diagnostic& d : diagnostics) {
    json.begin_object().key("line").number(d.line).key("column").number(d.column).key("error").boolean(d.error);
    json.key("message").string(d.message).key("file").string(d.file).end_object();
  }
  json.end_array();
}

void write_skipped(JsonWriter& json, const PolicyState& state) {
  json.begin_array();
  for (const SkippedOverride& skipped : state.skipped) {
    json.begin_object().key("kind").string(to_string(skipped.kind)).key("name").string(skipped.name);
    json.key("why").string((skipped.member.empty() ? "" : "`" + skipped.member + "`: ") + skipped.why).end_object();
  }
  json.end_array();
}

void write_yaml_value(JsonWriter& json, const Yaml& node) {
  switch (node.kind) {
    case Yaml::Kind::kNull:
      json.null();
      return;
    case Yaml::Kind::kScalar:
      if (const auto number = parse_decimal(node.text); number && std::to_string(*number) == node.text) {
        json.number(*number);
      } else if (node.text == "true" || node.text == "false") {
        json.boolean(node.text == "true");
      } else {
        json.string(node.text);
      }
      return;
    case Yaml::Kind::kList:
      json.begin_array();
      for (const Yaml& item : node.items) write_yaml_value(json, item);
      json.end_array();
      return;
    case Yaml::Kind::kMap:
      json.begin_object();
      for (std::size_t i = 0; i < node.keys.size(); ++i) {
        json.key(node.keys[i].text);
        write_yaml_value(json, node.items[i]);
      }
      json.end_object();
  }
}

const char* source_of(const PolicyState& state, bool overridden, const char* section) {
  if (overridden) return "override";
  Reporter none(state.file);
  const auto root = parse_yaml(state.file_text, none);
  return root && root->find(section) != nullptr ? "file" : "built-in";
}

}  // namespace weir
