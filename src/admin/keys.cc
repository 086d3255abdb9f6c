// /admin/v1/keys: consumers and their keys.
#include <fmt/format.h>

#include <array>

#include "admin/body.h"
#include "admin/routes.h"
#include "base/json_writer.h"
#include "gateway/identity.h"
#include "policy/key_metadata.h"
#include "records/metadata.h"

namespace weir {
namespace {

constexpr std::string_view kPath = "/admin/v1/keys";

std::string etag_of(const Consumer& c) {
  return weir::etag_of(fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", c.name, c.tenant, c.user, c.tier, to_string(c.kind),
                                   to_string(c.status), c.metadata_json));
}

double trust_of(AdminContext& call, const Consumer& consumer) {
  const auto rules = call.host.rules();
  Identity identity;
  act_for(rules->policy(), std::make_shared<const Consumer>(consumer), identity);
  return call.host.guard().trust_permille(caller_of(identity, call.host.subject_secret()),
                                          rules->policy().behavior.trust, call.now) /
         1000.0;
}

void write(JsonWriter& json, AdminContext& call, const Consumer& c, const RecentUse& use, std::string_view key = {}) {
  json.begin_object();
  if (!key.empty()) json.key("key").string(key);
  json.key("name").string(c.name).key("tenant").string(c.tenant).key("user").string(c.user);
  json.key("tier").string(c.tier).key("kind").string(to_string(c.kind)).key("status").string(to_string(c.status));
  json.key("metadata").raw(c.metadata_json).key("created_at").string(format_rfc3339(c.created_at, 3));
  json.key("etag").string(etag_of(c)).key("trust").real(trust_of(call, c));
  json.key("last_24h").begin_object().key("requests").number(use.requests).key("tokens").number(use.tokens);
  json.key("usd_micros").number(use.usd_micros).key("refused").number(use.refused).end_object().end_object();
}

Reply shown(AdminContext& call, const Consumer& consumer, int status = 200, std::string_view key = {}) {
  const auto use = call.store.use_of_keys({&consumer.name, 1}, call.now - kDay);
  if (!use) return admin_store_failed(use.error());
  std::string out;
  JsonWriter json(out);
  write(json, call, consumer, use->front(), key);
  Reply reply = admin_json(std::move(out), status);
  append_header(reply.headers, "etag", etag_of(consumer));
  return reply;
}

Reply no_such_key(const std::string& name) {
  return admin_problem(404, "There is no key named " + name + ".");
}

std::optional<Reply> refuse_unfit(AdminContext& call, const Consumer& consumer, const Consumer& before = {}) {
  const auto unfit = unfit_for(call.host.rules()->policy(), consumer, before);
  if (!unfit) return std::nullopt;
  std::string why = unfit->why;
  why.front() = why.front() == 't' ? 'T' : why.front() == 'l' ? 'L' : why.front();
  Reply reply = admin_problem(422, why + ".");
  reply.body.pop_back();
  reply.body += fmt::format(R"(,"field":"{}"}})", unfit->field);
  return reply;
}

// What the body says about the consumer; null and \"\" both take a value away.
Result<void> apply(const AdminBody& body, Consumer& consumer) {
  for (const auto& [name, member] : {std::pair<std::string_view, std::string*>{"tenant", &consumer.tenant},
                                     {"user", &consumer.user},
                                     {"tier", &consumer.tier}}) {
    if (!body.has(name)) continue;
    const auto value = body.text(name);
    if (!value) return std::unexpected(value.error());
    *member = value->value_or("");
  }
  const auto kind = body.text("kind");
  if (!kind) return std::unexpected(kind.error());
  if (*kind) {
    const auto known = consumer_kind_from(**kind);
    if (!known) return fail("`kind` must be agent, human or service.");
    consumer.kind = *known;
  }
  if (const auto metadata = body.json("metadata")) {
    if (auto set = set_metadata(consumer, *metadata == "null" ? "{}" : *metadata); !set) {
      return fail("`metadata`: " + set.error().message + ".");
    }
  }
  return {};
}

Result<ConsumerQuery> query_from(const AdminContext& call) {
  using Sort = ConsumerQuery::Sort;
  const AdminQuery& asked = call.query;
  ConsumerQuery query{.search = asked.text("search"), .tenant = asked.text("tenant"), .tier = asked.text("tier")};
  query.tier_is_default = query.tier == call.host.rules()->policy().default_tier;
  const auto kind = asked.choice("kind", "agent|human|service", "");
  if (!kind) return std::unexpected(kind.error());
  query.kind = consumer_kind_from(*kind);
  const auto status = asked.choice("status", "active|revoked|all", "active");
  if (!status) return std::unexpected(status.error());
  if (*status != "all") query.status = *status == "active" ? ConsumerStatus::kActive : ConsumerStatus::kRevoked;
  const auto sort = asked.choice("sort", "name|created|requests|tokens|usd", "name");
  if (!sort) return std::unexpected(sort.error());
  query.sort = *sort == "created"    ? Sort::kCreated
               : *sort == "requests" ? Sort::kRequests
               : *sort == "tokens"   ? Sort::kTokens
               : *sort == "usd"      ? Sort::kUsd
                                     : Sort::kName;
  const auto size = asked.number("page_size", 1, kMaxPageSize, kDefaultPageSize);
  if (!size) return std::unexpected(size.error());
  query.page_size = static_cast<std::size_t>(*size);
  query.cursor = asked.text("cursor");
  query.since = call.now - kDay;
  return query;
}

Reply list(AdminContext& call) {
  const auto query = query_from(call);
  if (!query) return admin_problem(400, query.error().message);
  const auto page = call.store.consumer_page(*query);
  if (!page && !query->cursor.empty()) return admin_problem(400, page.error().message + ".");
  if (!page) return admin_store_failed(page.error());
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("keys").begin_array();
  for (const auto& [consumer, use] : page->rows) write(json, call, consumer, use);
  json.end_array().key("total").number(page->total).key("next");
  page->next.empty() ? json.null() : json.string(page->next);
  json.end_object();
  return admin_json(std::move(out));
}

Reply create(AdminContext& call) {
  const auto body = AdminBody::read(call.request.body, {"name", "tenant", "user", "tier", "kind", "metadata"});
  if (!body) return admin_problem(400, body.error().message);
  const auto name = body->text("name");
  if (!name) return admin_problem(400, name.error().message);
  if (!*name || !is_consumer_name(**name)) {
    return admin_problem(400, "`name` must be 1 to 64 letters, digits, dots, dashes or underscores.");
  }
  Consumer consumer{.name = **name, .created_at = call.now};
  if (const auto applied = apply(*body, consumer); !applied) return admin_problem(400, applied.error().message);
  if (auto refused = refuse_unfit(call, consumer)) return std::move(*refused);
  const auto taken = call.store.find_consumer(consumer.name);
  if (!taken) return admin_store_failed(taken.error());
  if (*taken) {
    return admin_problem(
        409,
        fmt::format("The name {} is taken; choose another, names stay taken when a key is revoked.", consumer.name));
  }
  std::array<unsigned char, 24> random{};
  if (!call.host.entropy(random)) return admin_problem(503, "The system gives no random bytes; try again.");
  const std::string key = make_key(random);
  if (const auto made = call.store.create_consumer(consumer, call.host.key_hasher().hash(key), call.change()); !made) {
    return admin_store_failed(made.error());
  }
  call.host.records_changed();
  return shown(call, consumer, 201, key);
}

Reply show(AdminContext& call) {
  const auto found = call.store.find_consumer(call.name());
  if (!found) return admin_store_failed(found.error());
  return *found ? shown(call, **found) : no_such_key(call.name());
}

Reply update(AdminContext& call) {
  const auto body = AdminBody::read(call.request.body, {"tenant", "user", "tier", "kind", "metadata"});
  if (!body) return admin_problem(400, body.error().message);
  auto found = call.store.find_consumer(call.name());
  if (!found) return admin_store_failed(found.error());
  if (!*found) return no_such_key(call.name());
  Consumer& consumer = **found;
  if (auto stale = refuse_stale(call.request, etag_of(consumer))) return std::move(*stale);
  const Consumer before = consumer;
  if (const auto applied = apply(*body, consumer); !applied) return admin_problem(400, applied.error().message);
  if (auto refused = refuse_unfit(call, consumer, before)) return std::move(*refused);
  if (etag_of(consumer) == etag_of(before)) return shown(call, consumer);
  const auto updated = call.store.update_consumer(consumer, call.change(), &before);
  if (!updated) return admin_store_failed(updated.error());
  if (!*updated) {
    return admin_problem(412, "Somebody changed this meanwhile; read it again, then repeat the change.");
  }
  call.host.records_changed();
  return shown(call, consumer);
}

Reply revoke(AdminContext& call) {
  const auto found = call.store.find_consumer(call.name());
  if (!found) return admin_store_failed(found.error());
  if (!*found) return no_such_key(call.name());
  if (auto stale = refuse_stale(call.request, etag_of(**found))) return std::move(*stale);
  if ((*found)->status != ConsumerStatus::kRevoked) {
    const auto revoked = call.store.revoke_consumer(call.name(), call.change());
    if (!revoked) return admin_store_failed(revoked.error());
    call.host.records_changed();
  }
  return {.status = 204, .content_type = {}, .headers = {}, .body = {}};
}

}  // namespace

void add_key_routes(AdminRouter& router) {
  const std::string all(kPath), one = all + "/{name}";
  router.add({"GET",
              all,
              AdminRole::kViewer,
              {"search", "tenant", "tier", "kind", "status", "sort", "page_size", "cursor"},
              list});
  router.add({"POST", all, AdminRole::kAdmin, {}, create});
  router.add({"GET", one, AdminRole::kViewer, {}, show});
  router.add({"PATCH", one, AdminRole::kAdmin, {}, update});
  router.add({"DELETE", one, AdminRole::kAdmin, {}, revoke});
  add_key_limit_routes(router);
}

}  // namespace weir
