// The decision API's calls: read, sent to the worker that keeps the id, answered on the one that was asked.
#include <fmt/format.h>

#include "api/count.h"
#include "api/decision_operations.h"
#include "api/endpoints.h"
#include "gateway/refusal_audit.h"

namespace weir {
namespace {

std::string made_id(Hash128 id) {
  return fmt::format("adm_{:016x}{:016x}", id.high, id.low);
}

Reply no_key() {
  Reply reply = call_fault_reply(
      {.status = 401, .message = "This call needs an API key; send one as `Authorization: Bearer weir_…`."}, {});
  append_header(reply.headers, "www-authenticate", "Bearer realm=\"weir\"");
  return reply;
}

}  // namespace

// One check waiting for the counters; it belongs to no desk, because it leaves nothing behind.
class Api::Check final : private AdmissionEvents {
 public:
  Check(Api& api, Services& services, std::shared_ptr<DecisionCall> call, std::uint64_t ticket)
      : api_(api), services_(services), call_(std::move(call)), ticket_(ticket) {}
  ~Check() override { services_.counters->forget(static_cast<AdmissionEvents*>(this)); }
  void start() {
    looks_first_ = call_->rules->has_ladder(call_->plan);
    peek();
  }

 private:
  void peek() {
    services_.counters->peek(
        {.subjects = call_->plan.subjects(), .demands = call_->plan.demands(), .now = services_.now}, *this);
  }
  void on_decision(CountersStatus status, const Decision& decision, std::span<const Effect>) override {
    if (status == CountersStatus::kOk && std::exchange(looks_first_, false)) {
      const auto fault = call_->climb(decision, services_.learned->ladders, services_.now);
      if (!fault) return peek();
      return end(call_fault_reply(*fault, call_->request_id));
    }
    end(reply(status, decision));
  }
  void end(Reply reply) {
    const auto self = std::move(api_.tickets_.at(ticket_).check);  // keeps this object alive until the end of the call
    api_.deliver(ticket_, std::move(reply));
  }
  Reply reply(CountersStatus status, const Decision& decision) {
    if (status != CountersStatus::kOk) {
      return call_fault_reply({.status = 503, .message = "The counter store cannot be reached; try again shortly."},
                              call_->request_id);
    }
    if (!decision.admitted) {
      const Refusal refusal = decision.table_full
                                  ? Refusal{}
                                  : call_->rules->refusal(call_->plan, decision, call_->attributes, services_.now);
      return refusal_reply(ErrorShape::kProblem, call_->plan, decision, refusal, call_->request_id, services_.now);
    }
    Reply reply{.status = 200,
                .content_type = "application/json",
                .headers = {},
                .body = admit_answer(*call_, decision, services_.now, {})};
    append_limit_state(ErrorShape::kProblem, call_->plan, decision, services_.now, reply.headers);
    if (!call_->row.degraded.empty()) append_header(reply.headers, "x-weir-degraded", call_->row.degraded);
    return reply;
  }

  Api& api_;
  Services& services_;
  std::shared_ptr<DecisionCall> call_;
  std::uint64_t ticket_;
  bool looks_first_ = false;  // at what the ladders look at
};

Api::Ticket::Ticket() = default;
Api::Ticket::Ticket(Ticket&&) noexcept = default;
Api::Ticket::~Ticket() = default;

void Api::deliver(std::uint64_t ticket, Reply reply) {
  auto found = tickets_.extract(ticket);
  if (found.empty()) return;  // the client is gone
  ReplyEvents* events = found.mapped().events;
  ticket_of_.erase(events);
  events->on_reply(std::move(reply));
}

std::uint64_t Api::open_ticket(ReplyEvents& events) {
  const std::uint64_t ticket = ++next_ticket_;
  tickets_[ticket].events = &events;
  ticket_of_[&events] = ticket;
  return ticket;
}

DecisionDesk::Done Api::answer_to(std::uint64_t ticket) {
  if (router_ == nullptr) {
    return [this, ticket](Reply reply) { deliver(ticket, std::move(reply)); };
  }
  return [this, ticket, router = router_, origin = shard_](Reply reply) {
    router->post(origin, [this, ticket, reply = std::move(reply)] { deliver(ticket, reply); });
  };
}

void Api::at_desk_of(Services& services, Hash128 id, ReplyEvents& events, const DeskWork& work) {
  const std::uint64_t ticket = open_ticket(events);
  if (router_ == nullptr || router_->shard_of(id) == shard_) {
    return work(desk_, services, [this, ticket](Reply reply) { deliver(ticket, std::move(reply)); });
  }
  router_->run(router_->shard_of(id),
               [work, done = answer_to(ticket)](DecisionDesk& desk, Services& there) { work(desk, there, done); });
}

void Api::decide(Services& services, const OwnRequest& request, ReplyEvents& events) {
  const auto fault = [&](const CallFault& what) {
    services.metrics->request(request.target.route, "reject", "entry");
    publish_rejected(services,
                     {.rules = services.rules,
                      .request_id = request.request_id,
                      .who = request.identity,
                      .route = request.target.route},
                     what.status, what.message);
    events.on_reply(call_fault_reply(what, std::string(request.request_id)));
  };
  if (!request.identity.consumer) return events.on_reply(no_key());
  const Consumer& key = *request.identity.consumer;
  switch (request.target.kind) {
    case TargetKind::kSettle: {
      const auto body = read_settle(request.body);
      if (!body) return fault(body.error());
      const Hash128 id = decision_hash(*services.secret, key, body->id);
      return at_desk_of(services, id, events, [id, asked = *body](DecisionDesk& desk, Services& there, auto done) {
        desk.settle(there, id, asked, std::move(done));
      });
    }
    case TargetKind::kCancel: {
      const auto body = read_cancel(request.body);
      if (!body) return fault(body.error());
      const Hash128 id = decision_hash(*services.secret, key, *body);
      return at_desk_of(services, id, events, [id](DecisionDesk& desk, Services& there, auto done) {
        desk.cancel(there, id, std::move(done));
      });
    }
    case TargetKind::kCount: {
      const auto body = read_count(request.body);
      if (!body) return fault(body.error());
      const CountQuestion question{.model = body->model, .text = body->text, .body = request.body};
      const auto count = count_tokens(question, services.rules->policy().bounds.json, *services.learned,
                                      history_owner(request.identity));
      if (!count) return fault(count.error());
      return events.on_reply({.status = 200,
                              .content_type = "application/json",
                              .headers = {},
                              .body = count_answer(body->model, *count)});
    }
    default:
      break;
  }
  auto body = read_admit(request.body);
  if (!body) return fault(body.error());
  const bool check = request.target.kind == TargetKind::kCheck;
  if (body->id.empty()) body->id = made_id(request.id);
  const Hash128 id = decision_hash(*services.secret, key, body->id);
  auto call = std::make_shared<DecisionCall>(services.rules, std::move(*body));
  if (const auto wrong = call->prepare(services, request)) return fault(*wrong);
  if (call->denied) {
    if (!check) {
      services.metrics->request(kDecisionRoute, "refuse", call->denied->layer);
      audit_event(services, AuditEvent::kRefused, *call->denied, call->source(), {});
    }
    return events.on_reply(denied_reply(*call));
  }
  if (check) {
    const std::uint64_t ticket = open_ticket(events);
    auto& started = tickets_[ticket].check = std::make_unique<Check>(*this, services, std::move(call), ticket);
    return started->start();
  }
  call->id = id;
  at_desk_of(services, id, events,
             [call](DecisionDesk& desk, Services& there, auto done) { desk.admit(there, call, std::move(done)); });
}

}  // namespace weir
