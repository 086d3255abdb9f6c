// /admin/v1/tenants: who they are, what they used, and the zone of their calendar windows. See docs/admin-api.md.

#include <map>

#include "admin/body.h"
#include "admin/overriding.h"
#include "admin/routes.h"
#include "base/strings.h"
#include "records/queries.h"

namespace weir {
namespace {

constexpr auto kKind = Override::Kind::kTenant;
constexpr std::size_t kMaxTenants = 10'000;  // whose use is shown, by dollars

struct Row {
  std::int64_t keys = 0, requests = 0, tokens = 0, usd_micros = 0;
};

std::string zone_of(const Policy& policy, const std::string& tenant) {
  const auto found = policy.tenant_zones.find(tenant);
  return found == policy.tenant_zones.end() ? policy.zone : found->second;
}

const char* source(const PolicyState& state, const Policy& policy, const std::string& tenant) {
  if (find_override(state, kKind, tenant) != nullptr) return "override";
  return policy.tenant_zones.contains(tenant) ? "file" : "built-in";
}

std::string etag(AdminContext& call) {
  const auto state = policy_now(call);
  return etag_of(zone_of(call.host.rules()->policy(), call.name()), find_override(*state, kKind, call.name()));
}

// Whoever has a key, a zone, or used something within the last 30 days; by name.
Result<std::map<std::string, Row>> all_tenants(AdminContext& call, const Policy& policy) {
  std::map<std::string, Row> out;
  for (const auto& [tenant, zone] : policy.tenant_zones) out[tenant];
  const auto keys = call.store.consumers_by_tenant();
  if (!keys) return std::unexpected(keys.error());
  for (const NamedCount& each : *keys) out[each.name].keys = each.count;
  const auto sums = RecordQueries(call.store).usage_sums({.since = call.now - 30 * kDay}, SumBy::kTenant, kMaxTenants);
  if (!sums) return std::unexpected(sums.error());
  for (const UsageSum& sum : sums->sums) {
    if (sums->others > 0 && &sum == &sums->sums.back()) break;
    Row& row = out[sum.group];
    row.requests = sum.requests;
    row.tokens = sum.input_tokens + sum.output_tokens;
    row.usd_micros = sum.usd_micros;
  }
  out.erase("");  // no tenant at all
  return out;
}

Reply list(AdminContext& call) {
  const auto size = call.query.number("page_size", 1, kMaxPageSize, kDefaultPageSize);
  if (!size) return admin_problem(400, size.error().message);
  const auto state = policy_now(call);
  const auto rules = call.host.rules();
  const auto tenants = all_tenants(call, rules->policy());
  if (!tenants) return admin_store_failed(tenants.error());
  const std::string search = to_lower(call.query.text("search")), cursor = call.query.text("cursor");
  std::string body, next;
  JsonWriter json(body);
  json.begin_object().key("tenants").begin_array();
  std::int64_t shown = 0;
  for (auto at = tenants->upper_bound(cursor); at != tenants->end(); ++at) {
    const auto& [name, row] = *at;
    if (to_lower(name).find(search) == std::string::npos) continue;
    if (shown++ == *size) break;
    json.begin_object().key("name").string(name).key("zone").string(zone_of(rules->policy(), name));
    json.key("keys").number(row.keys).key("requests").number(row.requests).key("tokens").number(row.tokens);
    json.key("usd_micros").number(row.usd_micros);
    json.key("source").string(source(*state, rules->policy(), name)).end_object();
    next = name;
  }
  json.end_array().key("next");
  shown > *size ? json.string(next) : json.null();
  json.end_object();
  return admin_json(std::move(body));
}

Reply show(AdminContext& call) {
  const auto state = policy_now(call);
  const auto rules = call.host.rules();
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("name").string(call.name()).key("zone").string(zone_of(rules->policy(), call.name()));
  json.key("source").string(source(*state, rules->policy(), call.name())).key("override");
  write_override(json, find_override(*state, kKind, call.name()));
  json.key("etag").string(etag(call)).end_object();
  Reply reply = admin_json(std::move(body));
  append_header(reply.headers, "etag", etag(call));
  return reply;
}

Reply put(AdminContext& call) {
  const auto body = AdminBody::read(call.request.body, {"zone"});
  if (!body) return admin_problem(400, body.error().message);
  if (const auto zone = body->text("zone"); !zone) return admin_problem(400, zone.error().message);
  if (auto failed = put_override(call, kKind, etag(call))) return *failed;
  return show(call);
}

Reply drop(AdminContext& call) {
  return drop_override(call, kKind, etag(call));
}

}  // namespace

void add_tenant_routes(AdminRouter& router) {
  const std::string all = "/admin/v1/tenants", one = all + "/{name}";
  router.add({"GET", all, AdminRole::kViewer, {"search", "page_size", "cursor"}, list});
  router.add({"GET", one, AdminRole::kViewer, {}, show});
  router.add({"PUT", one, AdminRole::kAdmin, {}, put});
  router.add({"DELETE", one, AdminRole::kAdmin, {}, drop});
}

}  // namespace weir
