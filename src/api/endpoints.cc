#include "api/endpoints.h"

#include <fmt/format.h>

#include "api/admin_entry.h"
#include "api/limits_json.h"
#include "api/models.h"
#include "api/page.h"
#include "base/json_writer.h"

namespace weir {
namespace {

Reply json_reply(std::string body) {
  return {.status = 200, .content_type = "application/json", .headers = {}, .body = std::move(body)};
}

bool is_decision(TargetKind kind) {
  return kind == TargetKind::kAdmit || kind == TargetKind::kSettle || kind == TargetKind::kCancel ||
         kind == TargetKind::kCheck || kind == TargetKind::kCount;
}

}  // namespace

// One `GET /weir/v1/me` waiting for the counters.
class Api::MeQuery final : private AdmissionEvents {
 public:
  MeQuery(Api& api, Services& services, const OwnRequest& request, ReplyEvents& events)
      : api_(api), services_(services), identity_(request.identity), rules_(services.rules), events_(events) {
    fill_attributes(identity_, request.head.headers, attributes_);
    attributes_.trust_permille = services.guard->trust_permille(caller_of(identity_, *services.secret),
                                                                rules_->policy().behavior.trust, services.now);
  }
  ~MeQuery() override { services_.counters->forget(static_cast<AdmissionEvents*>(this)); }

  void start() {
    const Costs nothing;
    if (const auto fault = rules_->plan(attributes_, nothing, services_.now, plan_)) plan_.clear();
    attributes_.header = nullptr;  // the head may be gone when the answer comes
    services_.counters->peek({.subjects = plan_.subjects(), .demands = plan_.demands(), .now = services_.now}, *this);
  }

 private:
  void on_decision(CountersStatus status, const Decision& decision, std::span<const Effect>) override {
    Reply reply = status == CountersStatus::kOk
                      ? json_reply(body(decision))
                      : error_reply(ErrorShape::kProblem, {.kind = ErrorKind::kOverloaded,
                                                           .status = 503,
                                                           .message = "The counter store cannot be reached."});
    ReplyEvents& events = events_;
    const auto self = api_.waiting_.extract(&events);  // keeps this object alive until the end of the call
    events.on_reply(std::move(reply));
  }

  std::string body(const Decision& decision) const {
    std::string out;
    JsonWriter json(out);
    const auto text = [&](const char* name, const std::string& value) {
      json.key(name);
      value.empty() ? json.null() : json.string(value);
    };
    json.begin_object();
    text("key", identity_.consumer ? identity_.consumer->name : std::string());
    text("tenant", identity_.tenant);
    text("user", identity_.user);
    text("tier", identity_.tier);
    json.key("trust").raw(fmt::format("{}", attributes_.trust_permille / 1000.0));
    std::string limits;
    append_limits_json(plan_, decision, services_.now, limits);
    json.key("limits").raw(limits);
    json.end_object();
    return out;
  }

  Api& api_;
  Services& services_;
  Identity identity_;
  std::shared_ptr<const Ruleset> rules_;
  ReplyEvents& events_;
  Attributes attributes_;
  Plan plan_;
};

Api::Api(const ApiOptions& options) : options_(options) {}

Api::~Api() = default;

std::optional<Reply> Api::refuse_admin(Services& services, const RequestHead& head, std::string_view peer) {
  return refuse_admin_request(services, head, peer, options_.access);
}

bool Api::needs_identity(const Target& target) const {
  return target.kind == TargetKind::kModels || target.kind == TargetKind::kMe || is_decision(target.kind);
}

void Api::handle(Services& services, const OwnRequest& request, ReplyEvents& events) {
  if (is_decision(request.target.kind)) return decide(services, request, events);
  const Policy& policy = services.rules->policy();
  switch (request.target.kind) {
    case TargetKind::kMe: {
      auto query = std::make_unique<MeQuery>(*this, services, request, events);
      MeQuery& started = *query;
      waiting_[&events] = std::move(query);
      started.start();
      return;
    }
    case TargetKind::kModels:
      events.on_reply(json_reply(models_json(policy, request.head.headers.has("anthropic-version"))));
      return;
    case TargetKind::kSchema:
      events.on_reply(json_reply(policy_schema()));
      return;
    case TargetKind::kHealth:
      events.on_reply({.status = 200, .content_type = "text/plain; charset=utf-8", .headers = {}, .body = "ok\n"});
      return;
    case TargetKind::kReady:
      events.on_reply(ready());
      return;
    case TargetKind::kMetrics:
      events.on_reply(metrics(services));
      return;
    case TargetKind::kPage:
      events.on_reply(page_reply(request.head));
      return;
    case TargetKind::kAdmin:
      return administer(services, request, events);
    default:
      events.on_reply(
          error_reply(ErrorShape::kProblem, {.kind = ErrorKind::kNotFound, .status = 404, .message = "Not found."}));
  }
}

// The answer comes from the thread of admin work, or the one of long work. The token was checked at the request's head.
void Api::administer(Services& services, const OwnRequest& request, ReplyEvents& events) {
  const RequestHead& head = request.head;
  if (head.path == "/admin/v1/events" && (head.method == "GET" || head.method == "HEAD")) {
    return watch(services, request, events);
  }
  AdminRequest call{.method = std::string(head.method),
                    .path = std::string(head.path),
                    .query = std::string(head.query),
                    .body = std::string(request.body),
                    .if_match = std::string(head.headers.get("if-match")),
                    .peer = std::string(request.peer),
                    .caller = options_.access->caller_of(presented_key(head.headers), services.now),
                    .names = {}};
  if (call.caller.role == AdminRole::kNone) {
    if (auto refused = refuse_sign_in(services, request, *options_.access)) return events.on_reply(std::move(*refused));
  }
  const std::uint64_t ticket = open_ticket(events);
  const auto work = [router = options_.router, call = std::move(call), done = answer_to(ticket)](Store& store,
                                                                                                 TimeNs now) {
    if (auto reply = router->handle(store, call, now, done)) done(std::move(*reply));
  };
  if (options_.admin != nullptr && options_.router != nullptr && options_.admin->push(work)) return;
  ticket_of_.erase(&events);
  tickets_.erase(ticket);
  events.on_reply(admin_too_much_waits());
}

void Api::forget(ReplyEvents& events) {
  waiting_.erase(&events);
  close_ticket(events);
}

void Api::shut_down() {
  waiting_.clear();
  while (!ticket_of_.empty()) close_ticket(*ticket_of_.begin()->first);
  tickets_.clear();
  desk_.drop_operations();
}

Reply Api::ready() const {
  const std::string why = options_.why_not_ready ? options_.why_not_ready() : std::string();
  if (why.empty())
    return {.status = 200, .content_type = "text/plain; charset=utf-8", .headers = {}, .body = "ready\n"};
  return {
      .status = 503, .content_type = "text/plain; charset=utf-8", .headers = {}, .body = "not ready: " + why + "\n"};
}

Reply Api::metrics(Services& services) const {
  if (options_.before_metrics) options_.before_metrics();
  Reply reply{.status = 200, .content_type = "text/plain; version=0.0.4; charset=utf-8", .headers = {}, .body = {}};
  services.metrics->registry().write_prometheus(reply.body);
  return reply;
}

}  // namespace weir
