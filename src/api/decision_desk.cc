#include "api/decision_desk.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/decision_operations.h"
#include "base/json_writer.h"
#include "base/sites.h"
#include "gateway/refusal_audit.h"
#include "journal/record.h"

namespace weir {
namespace {

constexpr DurationNs kOverloadedFor = kSecond;
constexpr DurationNs kHoldsFullFor = 10 * kSecond;

Reply json_reply(std::string body) {
  return {.status = 200, .content_type = "application/json", .headers = {}, .body = std::move(body)};
}

Reply unknown_id() {
  return call_fault_reply({.status = 404,
                           .message = "No hold with this id is known to this key. Ids are remembered for an hour after "
                                      "they are closed.",
                           .code = "unknown_id"},
                          {});
}

Reply too_many_holds(Services& services, const DecisionCall& call) {
  services.metrics->request(kDecisionRoute, "refuse", "entry");
  audit_event(services, AuditEvent::kRefused, {.limit = "holds", .layer = "entry"}, call.source(), {});
  return call_fault_reply(
      {.status = 429,
       .message =
           fmt::format("Key `{}` has {} holds open, which is the most; settle or cancel some, or ask for shorter "
                       "ones.",
                       call.row.key, kMaxHoldsPerKey),
       .code = "too_many_holds"},
      call.request_id);
}

// The answer of the call that closed the hold, to a caller of the other call.
std::string with_marker(const std::string& answer, ClosedHow how) {
  const char* word = how == ClosedHow::kSettled ? "settled" : how == ClosedHow::kCancelled ? "cancelled" : "expired";
  return answer.substr(0, answer.size() - 1) + fmt::format(R"(,"already":"{}"}})", word);
}

}  // namespace

Reply call_fault_reply(const CallFault& fault, const std::string& request_id) {
  const ErrorKind kind = fault.status == 401   ? ErrorKind::kUnauthorized
                         : fault.status == 404 ? ErrorKind::kNotFound
                         : fault.status == 429 ? ErrorKind::kRateLimited
                         : fault.status == 503 ? ErrorKind::kOverloaded
                                               : ErrorKind::kInvalidRequest;
  Reply reply = error_reply(
      ErrorShape::kProblem,
      {.kind = kind, .status = fault.status, .message = fault.message, .param = {}, .request_id = request_id});
  if (!fault.code.empty()) {
    reply.body.pop_back();
    reply.body += fmt::format(R"(,"code":"{}"}})", fault.code);
  }
  if (fault.status == 503) append_retry_after(kOverloadedFor, reply.headers);
  if (fault.status == 429) append_retry_after(kHoldsFullFor, reply.headers);
  return reply;
}

std::string settle_answer(const UsageRow& row, const MeterAmounts& usage, bool late) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("id").string(row.request_id).key("settled").string(to_string(row.settled));
  json.key("input_tokens").number(row.usage.input()).key("output_tokens").number(row.usage.output());
  json.key("cached_tokens").number(row.usage.cache_read);
  json.key("cache_write_tokens").number(row.usage.cache_write);
  json.key("reasoning_tokens").number(row.usage.reasoning);
  json.key("tool_calls").number(row.tool_calls).key("usd_micros").number(row.usd_micros);
  if (!usage.custom.empty()) {
    json.key("meters").begin_object();
    for (const auto& [name, amount] : usage.custom) json.key(name).number(amount);
    json.end_object();
  }
  if (late) json.key("expired").boolean(true);
  json.end_object();
  return out;
}

DecisionDesk::DecisionDesk(DeskLimits limits) : limits_(limits) {}
DecisionDesk::~DecisionDesk() = default;

void DecisionDesk::drop_operations() {
  operations_.clear();
}

DecisionDesk::Entry* DecisionDesk::find(Hash128 id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

bool DecisionDesk::must_wait(Entry& entry, const Done& done, std::function<void()> again) {
  if (!entry.busy) return false;
  reached("desk.repeat-waits");
  if (entry.waiting.size() >= kMaxWaiting) {
    if (done) {
      done(call_fault_reply({.status = 503, .message = "Too many calls wait for this id; try again shortly."}, {}));
    }
    return true;
  }
  entry.waiting.push_back(std::move(again));
  return true;
}

void DecisionDesk::run(std::unique_ptr<Operation> operation) {
  Operation& started = *operation;
  operations_[&started] = std::move(operation);
  started.start();
}

std::unique_ptr<DecisionDesk::Operation> DecisionDesk::take(Operation& operation) {
  auto node = operations_.extract(&operation);
  return std::move(node.mapped());
}

void DecisionDesk::not_busy(Hash128 id) {
  Entry* entry = find(id);
  if (entry == nullptr) return;
  entry->busy = false;
  const auto waiting = std::move(entry->waiting);
  entry->waiting.clear();
  if (entry->state == Entry::State::kNew) {  // it was not admitted
    holds_->give_back(entry->row.key);
    entries_.erase(id);
  }
  for (const auto& again : waiting) again();
}

void DecisionDesk::no_longer_open(const Entry& entry) {
  --open_;
  holds_->give_back(entry.row.key);
}

void DecisionDesk::admit(Services& services, std::shared_ptr<DecisionCall> call, Done done) {
  forget(services.now);
  if (Entry* known = find(call->id)) {
    if (must_wait(*known, done, [this, &services, call, done] { admit(services, call, done); })) return;
    reached("desk.admission-repeated");
    done(json_reply(known->admitted));
    return;
  }
  if (!holds_->take(call->row.key)) return done(too_many_holds(services, *call));
  Entry& entry = entries_[call->id];
  entry.busy = true;
  entry.row.key = call->row.key;
  run(std::make_unique<Admit>(*this, services, std::move(call), std::move(done)));
}

void DecisionDesk::settle(Services& services, Hash128 id, const SettleBody& body, Done done) {
  forget(services.now);
  Entry* entry = find(id);
  if (entry == nullptr) return done(unknown_id());
  if (must_wait(*entry, done, [this, &services, id, body, done] { settle(services, id, body, done); })) return;
  if (entry->state == Entry::State::kClosed) {
    const bool same = entry->how == ClosedHow::kSettled;
    reached(same ? "desk.settlement-repeated" : "desk.settled-after-another-end");
    return done(json_reply(same ? entry->answer : with_marker(entry->answer, entry->how)));
  }
  close(services, id, *entry, ClosedHow::kSettled, &body, std::move(done));
}

void DecisionDesk::cancel(Services& services, Hash128 id, Done done) {
  forget(services.now);
  Entry* entry = find(id);
  if (entry == nullptr) return done(unknown_id());
  if (must_wait(*entry, done, [this, &services, id, done] { cancel(services, id, done); })) return;
  if (entry->state == Entry::State::kClosed) {
    const bool same = entry->how == ClosedHow::kCancelled;
    reached(same ? "desk.cancel-repeated" : "desk.cancelled-after-another-end");
    return done(json_reply(same ? entry->answer : with_marker(entry->answer, entry->how)));
  }
  close(services, id, *entry, ClosedHow::kCancelled, nullptr, std::move(done));
}

void DecisionDesk::expired(Services& services, Hash128 id) {
  Entry* entry = find(id);
  if (entry == nullptr) return;
  if (must_wait(*entry, {}, [this, &services, id] { expired(services, id); })) return;
  if (entry->state != Entry::State::kOpen) return;  // settled in the meantime: that took back what expiry charged
  DecisionHold hold;
  if (!decode_hold(entry->hold, hold)) return;
  const UsageRow row = expired_row(entry->row, 0, 0);
  reached("desk.expired");
  entry->state = Entry::State::kExpired;
  no_longer_open(*entry);
  entry->answer = settle_answer(row, hold.estimate, false);
  services.metrics->usage(row.model, row.usage, row.usd_micros);
  services.metrics->settlements.add(to_string(row.settled));
  publish_settled(services, services.rules, row);
  services.journal->settle_hold(
      row,
      {.id = id, .at = services.now, .how = ClosedHow::kExpired, .admitted = entry->admitted, .answer = entry->answer},
      {});
  keep_closed(id, services.now);  // may forget this one
}

void DecisionDesk::close(Services& services, Hash128 id, Entry& entry, ClosedHow how, const SettleBody* body,
                         Done done) {
  DecisionHold hold;
  if (!decode_hold(entry.hold, hold)) {
    return done(call_fault_reply({.status = 500, .message = "What this id holds cannot be read."}, {}));
  }
  if (entry.state == Entry::State::kExpired) reached("desk.closed-after-expiry");
  MeterAmounts used = body != nullptr ? body->usage : MeterAmounts{};
  for (const auto& [name, amount] : used.custom) {
    const auto counts = [&](const std::vector<MeterTerm>& terms) {
      return std::any_of(terms.begin(), terms.end(), [&](const MeterTerm& t) { return t.custom == name; });
    };
    const auto& estimated = hold.estimate.custom;
    if (std::any_of(hold.meters.begin(), hold.meters.end(), counts) ||
        std::any_of(estimated.begin(), estimated.end(), [&](const auto& each) { return each.first == name; })) {
      continue;
    }
    return done(call_fault_reply({.message = fmt::format("`usage` has a meter `{}` that this hold does not count; "
                                                         "check its spelling.",
                                                         name)},
                                 {}));
  }
  if (how == ClosedHow::kSettled) {
    for (const auto& [name, amount] : hold.estimate.custom) {
      const bool given =
          std::any_of(used.custom.begin(), used.custom.end(), [&](const auto& each) { return each.first == name; });
      if (!given) used.custom.emplace_back(name, amount);
    }
    if (!used.usd_micros) used.usd_micros = priced(hold.price, used);
    use_tools(hold.estimate, body->tools, used);
  }
  entry.busy = true;
  run(std::make_unique<Close>(*this, services, id, how, std::move(hold), std::move(used), std::move(done)));
}

bool DecisionDesk::adopt(Hash128 id, const UsageRow& row, std::string hold) {
  DecisionHold decoded;
  if (!decode_hold(hold, decoded) || decoded.held.id != id) return false;
  reached("desk.adopted");
  Entry& entry = entries_[id];
  entry.state = Entry::State::kOpen;
  entry.deadline = decoded.held.deadline;
  entry.row = row;
  entry.admitted = decoded.admitted;
  entry.hold = std::move(hold);
  ++open_;
  holds_->adopt(row.key);
  return true;
}

void DecisionDesk::remember(const ClosedDecision& closed) {
  Entry& entry = entries_[closed.id];
  if (entry.state == Entry::State::kOpen || entry.closed_at >= closed.at) return;
  if (entry.state == Entry::State::kClosed) closed_bytes_ -= std::min(closed_bytes_, entry.bytes());
  entry.state = Entry::State::kClosed;
  entry.how = closed.how;
  entry.admitted = closed.admitted;
  entry.answer = closed.answer;
  keep_closed(closed.id, closed.at);
}

void DecisionDesk::keep_closed(Hash128 id, TimeNs now) {
  Entry& entry = entries_[id];
  entry.closed_at = now;
  closed_.emplace_back(now, id);
  closed_bytes_ += entry.bytes();
  forget(now);
}

void DecisionDesk::forget(TimeNs now) {
  while (!closed_.empty()) {
    const auto [at, id] = closed_.front();
    const bool too_many = closed_.size() > limits_.closed || closed_bytes_ > limits_.closed_bytes;
    if (!too_many && at + kRemembered > now) return;
    const auto found = entries_.find(id);
    if (found != entries_.end() && found->second.closed_at == at) {
      if (found->second.busy) return;
      closed_bytes_ -= std::min(closed_bytes_, found->second.bytes());
      entries_.erase(found);
    }
    closed_.pop_front();
  }
}

}  // namespace weir
