// /admin/v1/policy: what holds as one file and in words, what changed, what shadow limits would have refused, and
// putting a draft in force. See docs/admin-api.md.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <numeric>

#include "admin/body.h"
#include "admin/overriding.h"
#include "admin/policy_draft.h"
#include "admin/questions.h"
#include "admin/routes.h"
#include "base/strings.h"
#include "policy/limit_words.h"
#include "records/queries.h"

namespace weir {
namespace {

// For readers and exports: the built-in limits spelled out, nothing secret.
std::string shown_yaml(const PolicyState& state, const Policy& policy) {
  return secrets_masked(with_limits_spelled_out(state.yaml, policy));
}

void write_words(JsonWriter& json, const Policy& policy) {
  json.key("words").begin_array();
  for (const std::string& words : policy_in_words(policy)) json.string(words);
  json.end_array();
}

Reply show(AdminContext& call) {
  const auto state = policy_now(call);
  const auto rules = call.host.rules();
  const Policy& policy = rules->policy();
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("version").string(policy.version).key("source").string(state->file);
  json.key("loaded_at").string(format_rfc3339(state->loaded_at, 3)).key("yaml").string(shown_yaml(*state, policy));
  write_words(json, policy);
  json.key("overrides").begin_array();
  for (const Override& row : state->overrides) {
    json.begin_object().key("kind").string(to_string(row.kind)).key("name").string(row.name).key("value");
    // A row that is no JSON is shown as it is.
    simdjson::dom::parser parser;
    parser.parse(row.json).error() == simdjson::SUCCESS ? json.raw(row.json) : json.string(row.json);
    json.key("by").string(row.by).key("at").string(format_rfc3339(row.at, 3));
    json.key("etag").string(etag_of(row.json)).end_object();
  }
  json.end_array().key("skipped");
  write_skipped(json, *state);
  json.end_object();
  Reply reply = admin_json(std::move(body));
  append_header(reply.headers, "etag", etag_of(policy.version));
  return reply;
}

std::string overrides_as_yaml(const PolicyState& state) {
  Yaml root = make_yaml(Yaml::Kind::kMap);
  for (const Override& row : state.overrides) {
    auto members = yaml_of_json(row.json, 0);
    if (!members || !members->is_map()) continue;
    if (row.kind == Override::Kind::kLimit) {
      Yaml entry = make_yaml(Yaml::Kind::kMap);
      set_member(entry, "name", make_yaml(Yaml::Kind::kScalar, row.name));
      for (std::size_t i = 0; i < members->keys.size(); ++i) {
        set_member(entry, members->keys[i].text, std::move(members->items[i]));
      }
      Yaml* limits = find_member(root, "limits");
      if (limits == nullptr) limits = &set_member(root, "limits", make_yaml(Yaml::Kind::kList));
      limits->items.push_back(std::move(entry));
    } else {
      const char* section = row.kind == Override::Kind::kTier ? "tiers" : "tenants";
      Yaml* entries = find_member(root, section);
      if (entries == nullptr) entries = &set_member(root, section, make_yaml(Yaml::Kind::kMap));
      set_member(*entries, row.name, std::move(*members));
    }
  }
  return write_yaml(root).text;
}

Reply export_yaml(AdminContext& call) {
  const auto what = call.query.choice("what", "effective|overrides", "effective");
  if (!what) return admin_problem(400, what.error().message);
  const auto state = policy_now(call);
  const auto rules = call.host.rules();
  std::string text = fmt::format("# weir policy {}, exported {}\n", rules->policy().version, format_rfc3339(call.now));
  if (*what == "effective") {
    text += "# What holds: file and overrides together. Secrets are not exported: *** stands where one was.\n";
    text += shown_yaml(*state, rules->policy());
  } else {
    text += "# What was changed over the file: members replace those of its entries, null takes one away.\n";
    text += overrides_as_yaml(*state);
  }
  return {.status = 200, .content_type = "application/yaml", .headers = {}, .body = std::move(text)};
}

// The name within {"limit":"tokens"}.
std::string named(const std::string& per_json) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(per_json).get_object().get(object) != simdjson::SUCCESS) return {};
  for (const auto field : object) {
    if (std::string_view text; field.value.get_string().get(text) == simdjson::SUCCESS) return std::string(text);
  }
  return {};
}

// "UNTIL.SKIP": later pages end where the first did, so that what comes meanwhile moves nothing.
struct Place {
  TimeNs until = 0;
  std::int64_t skip = 0;
};

std::optional<Place> place_of(std::string_view cursor) {
  const std::size_t dot = std::min(cursor.find('.'), cursor.size());
  const auto until = parse_decimal(cursor.substr(0, dot));
  const auto skip = parse_decimal(cursor.substr(std::min(dot + 1, cursor.size())));
  if (!until || !skip) return std::nullopt;
  return Place{.until = *until, .skip = *skip};
}

Reply changes(AdminContext& call) {
  const auto range = call.query.range(call.now, 30 * kDay);
  const auto size = call.query.number("page_size", 1, kMaxPageSize, kDefaultPageSize);
  if (!range) return admin_problem(400, range.error().message);
  if (!size) return admin_problem(400, size.error().message);
  Place place{.until = range->until};
  if (call.query.has("cursor")) {
    const auto told = place_of(call.query.text("cursor"));
    if (!told) return admin_problem(400, "`cursor` is not one of this list; begin without it.");
    place = *told;
  }
  const auto rows = call.store.override_changes(range->since, place.until, *size + 1, place.skip);
  if (!rows) return question_refused(rows.error());
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("changes").begin_array();
  for (const AuditRow& row : std::span(*rows).first(std::min(rows->size(), static_cast<std::size_t>(*size)))) {
    std::string_view by = row.evidence, detail;
    if (by.starts_with("by ")) by.remove_prefix(3);
    if (const std::size_t colon = by.find(": "); colon != std::string_view::npos) {
      detail = by.substr(colon + 2);
      by = by.substr(0, colon);
    }
    json.begin_object().key("time").string(format_rfc3339(row.time, 3)).key("by").string(by);
    json.key("what").string(row.limit).key("name").string(named(row.per_json));
    json.key("detail").string(detail).end_object();
  }
  json.end_array().key("next");
  std::ssize(*rows) > *size ? json.string(fmt::format("{}.{}", place.until, place.skip + *size)) : json.null();
  json.end_object();
  return admin_json(std::move(body));
}

Reply check(AdminContext& call) {
  const auto body = AdminBody::read(call.request.body, {"yaml"});
  if (!body) return admin_problem(400, body.error().message);
  const auto text = body->text("yaml", kMaxAdminBody, true);
  if (!text) return admin_problem(400, text.error().message);
  if (!*text) return admin_problem(400, "`yaml` is missing: the text to look at.");
  const LoadedPolicy loaded = load_draft(call, *policy_now(call), **text);
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("valid").boolean(loaded.policy != nullptr).key("diagnostics");
  write_diagnostics(json, loaded.diagnostics);
  write_words(json, loaded.policy ? *loaded.policy : Policy{});
  json.end_object();
  return admin_json(std::move(out));
}

Reply put_draft(AdminContext& call) {
  const auto body = AdminBody::read(call.request.body, {"yaml"});
  if (!body) return admin_problem(400, body.error().message);
  const auto text = body->text("yaml", kMaxAdminBody, true);
  if (!text) return admin_problem(400, text.error().message);
  if (!*text) return admin_problem(400, "`yaml` is missing: the draft.");
  const auto state = policy_now(call);
  if (auto stale = refuse_stale(call.request, etag_of(call.host.rules()->policy().version))) return std::move(*stale);
  const LoadedPolicy loaded = load_draft(call, *state, **text);
  if (!loaded.policy) return invalid_policy("The draft is not valid; nothing was changed.", loaded.diagnostics);
  const LoadedPolicy file = load_policy(state->file_text, state->file, call.host.environment());
  if (!file.policy) return invalid_policy("The file in force cannot be loaded any more.", file.diagnostics);
  const auto wanted = overrides_of_draft(*state, *file.policy, **text);
  if (!wanted) {
    return invalid_policy("The draft cannot be put in force over the file; nothing was changed.",
                          std::vector<Diagnostic>{{.file = "draft", .message = wanted.error().message}});
  }
  if (!wanted->empty()) {
    if (auto done = put_overrides(call, *wanted); !done) return std::move(done.error());
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("version").string(call.host.rules()->policy().version).key("changed").begin_array();
  for (const WantedOverride& each : *wanted) json.string(fmt::format("{} {}", to_string(each.kind), each.name));
  json.end_array().end_object();
  return admin_json(std::move(out));
}

Reply shadow(AdminContext& call) {
  const auto range = call.query.range(call.now);
  if (!range) return admin_problem(400, range.error().message);
  const auto rows = call.store.shadow_refusals(range->since, range->until);
  if (!rows) return question_refused(rows.error());
  // The same whole hours, and also what other limits refused.
  const auto asked =
      RecordQueries(call.store).usage_series({.since = range->since, .until = range->until}, SumBy::kAll, kHour, 1);
  if (!asked) return question_refused(asked.error());
  std::int64_t of = 0;
  for (const SeriesGroup& all : asked->groups) {
    of = std::accumulate(all.requests.begin(), all.requests.end(), of);
    of = std::accumulate(all.refused.begin(), all.refused.end(), of);
  }
  constexpr std::size_t kKeysShown = 50;
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("limits").begin_array();
  for (std::size_t begin = 0, end = 0; begin < rows->size(); begin = end) {
    std::int64_t total = 0;
    while (end < rows->size() && (*rows)[end].limit == (*rows)[begin].limit) total += (*rows)[end++].count;
    json.begin_object()
        .key("limit")
        .string((*rows)[begin].limit)
        .key("would_refuse")
        .number(total)
        .key("of")
        .number(of);
    json.key("keys").begin_array();
    for (std::size_t i = begin; i < std::min(end, begin + kKeysShown); ++i) {
      json.begin_object().key("key").string((*rows)[i].key).key("count").number((*rows)[i].count).end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return admin_json(std::move(body));
}

}  // namespace

void add_policy_routes(AdminRouter& router) {
  const std::string base = "/admin/v1/policy";
  router.add({"GET", base, AdminRole::kViewer, {}, show});
  router.add({"GET", base + "/export", AdminRole::kViewer, {"what"}, export_yaml});
  router.add({"GET", base + "/changes", AdminRole::kViewer, {"since", "until", "page_size", "cursor"}, changes});
  router.add({"POST", base + "/check", AdminRole::kViewer, {}, check});
  router.add({"PUT", base + "/draft", AdminRole::kAdmin, {}, put_draft});
  router.add({"GET", base + "/shadow", AdminRole::kViewer, {"since"}, shadow});
}

}  // namespace weir
