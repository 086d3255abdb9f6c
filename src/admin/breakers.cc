#include "admin/breakers.h"

#include <fmt/format.h>

#include <algorithm>
#include <expected>

#include "admin/body.h"
#include "admin/routes.h"
#include "base/json_writer.h"
#include "model/agent.h"

namespace weir {
namespace {

void write(JsonWriter& json, const KillSwitch& off) {
  json.begin_object().key("kind").string(to_string(off.kind)).key("name").string(off.name);
  json.key("reason").string(off.reason).key("by").string(off.by);
  json.key("since").string(format_rfc3339(off.since, 3)).end_object();
}

struct Named {
  KillSwitch::Kind kind = KillSwitch::Kind::kKey;
  std::string name;
};

std::expected<Named, Reply> named(const AdminContext& call) {
  const auto kind = kill_switch_kind_from(call.name(0));
  if (!kind) {
    return std::unexpected(
        admin_problem(404,
                      "A kill switch is at /admin/v1/breakers/{kind}/{name}; kind is key, agent, tool "
                      "or run, and the name is percent-encoded."));
  }
  Named out{.kind = *kind, .name = kill_switch_name(*kind, call.name(1))};
  if (out.name.empty()) {
    return std::unexpected(
        admin_problem(400, "No tool can have this name: it has letters that nobody sees, such as zero-width spaces."));
  }
  return out;
}

Reply not_set(const Named& what) {
  return admin_problem(404, fmt::format("No kill switch is set for {} {}.", to_string(what.kind), what.name));
}

Reply list(AdminContext& call) {
  const auto all = call.store.kill_switches();
  if (!all) return admin_store_failed(all.error());
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("breakers").begin_array();
  for (const KillSwitch& off : *all) write(json, off);
  json.end_array().end_object();
  return admin_json(std::move(body));
}

Reply show(AdminContext& call) {
  const auto what = named(call);
  if (!what) return what.error();
  const auto all = call.store.kill_switches();
  if (!all) return admin_store_failed(all.error());
  const auto found = std::find_if(all->begin(), all->end(), [&](const KillSwitch& off) {
    return off.kind == what->kind && off.name == what->name;
  });
  return found == all->end() ? not_set(*what) : admin_json(kill_switch_json(*found));
}

Reply throw_switch(AdminContext& call) {
  const auto what = named(call);
  if (!what) return what.error();
  const auto body = AdminBody::read(call.request.body, {"reason"});
  if (!body) return admin_problem(400, body.error().message);
  const auto reason = body->text("reason");
  if (!reason) return admin_problem(400, reason.error().message);
  if (what->kind == KillSwitch::Kind::kKey) {
    const auto known = call.store.find_consumer(what->name);
    if (!known) return admin_store_failed(known.error());
    if (!*known) return admin_problem(404, "There is no key named " + what->name + ".");
  }
  const KillSwitch off{.kind = what->kind,
                       .name = what->name,
                       .reason = reason->value_or(""),
                       .by = call.request.caller.name,
                       .since = call.now};
  if (const auto set = call.store.set_kill_switch(off); !set) return admin_store_failed(set.error());
  call.host.records_changed();
  return admin_json(kill_switch_json(off));
}

Reply clear_switch(AdminContext& call) {
  const auto what = named(call);
  if (!what) return what.error();
  const auto cleared = call.store.clear_kill_switch(what->kind, what->name, call.change());
  if (!cleared) return admin_store_failed(cleared.error());
  if (!*cleared) return not_set(*what);
  call.host.records_changed();
  return {.status = 204, .content_type = {}, .headers = {}, .body = {}};
}

}  // namespace

std::string kill_switch_name(KillSwitch::Kind kind, std::string_view name) {
  return kind == KillSwitch::Kind::kTool ? canonical_tool_name(name) : std::string(name);
}

std::string kill_switch_json(const KillSwitch& off) {
  std::string out;
  JsonWriter json(out);
  write(json, off);
  return out;
}

void add_breaker_routes(AdminRouter& router) {
  const std::string all(kBreakersPath), one = all + "/{kind}/{name}";
  router.add({"GET", all, AdminRole::kViewer, {}, list});
  router.add({"GET", one, AdminRole::kViewer, {}, show});
  router.add({"PUT", one, AdminRole::kAdmin, {}, throw_switch});
  router.add({"DELETE", one, AdminRole::kAdmin, {}, clear_switch});
}

}  // namespace weir
