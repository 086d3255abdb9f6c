#include "node_counters.h"

#include <memory>
#include <utility>

namespace weir::sim {

void NodeCounters::observe(const Decided& decided) {
  if (muted_) return;
  context_.truth.tell([&](Observer& observer) { observer.on_decided(decided); });
}

void NodeCounters::admit(const AdmitRequest& request, AdmissionEvents& events) {
  Answer answer;
  answer.admission = &events;
  if (late_.on && late_.away) {
    answer.status = CountersStatus::kUnavailable;
    return deliver(std::move(answer));
  }
  AdmitRequest asked = request;
  asked.effects = &answer.effects;
  limiter_.admit(asked, answer.decision);
  if (request.effects != nullptr)
    request.effects->insert(request.effects->end(), answer.effects.begin(), answer.effects.end());
  observe({.at = request.now,
           .what = Decided::What::kAdmit,
           .id = request.id,
           .subjects = request.subjects,
           .demands = request.demands,
           .amounts = {},
           .decision = &answer.decision,
           .effects = answer.effects});
  deliver(std::move(answer));
}

void NodeCounters::peek(const AdmitRequest& request, AdmissionEvents& events) {
  Answer answer;
  answer.admission = &events;
  if (late_.on && late_.away) {
    answer.status = CountersStatus::kUnavailable;
    return deliver(std::move(answer));
  }
  limiter_.peek(request, answer.decision);
  observe({.at = request.now,
           .what = Decided::What::kPeek,
           .id = request.id,
           .subjects = request.subjects,
           .demands = request.demands,
           .amounts = {},
           .decision = &answer.decision,
           .effects = {}});
  deliver(std::move(answer));
}

void NodeCounters::top_up(Hash128 id, std::span<const std::int64_t> extra, TimeNs now, AdmissionEvents& events) {
  Answer answer;
  answer.admission = &events;
  if (late_.on && late_.away) {
    answer.status = CountersStatus::kUnavailable;
    return deliver(std::move(answer));
  }
  limiter_.top_up(id, extra, now, answer.decision, &answer.effects);
  observe({.at = now,
           .what = Decided::What::kTopUp,
           .id = id,
           .subjects = {},
           .demands = {},
           .amounts = extra,
           .decision = &answer.decision,
           .effects = answer.effects});
  deliver(std::move(answer));
}

// A store that is away takes settlements later: they are not lost, only their answer is late.
void NodeCounters::close(Hash128 id, bool settle, std::span<const std::int64_t> actual, TimeNs now,
                         SettlementEvents& events) {
  Answer answer;
  answer.settlement = &events;
  answer.outcome = settle ? limiter_.settle(id, actual, now, &answer.effects).outcome
                          : limiter_.cancel(id, now, &answer.effects).outcome;
  observe({.at = now,
           .what = settle ? Decided::What::kSettle : Decided::What::kCancel,
           .id = id,
           .subjects = {},
           .demands = {},
           .amounts = actual,
           .decision = nullptr,
           .outcome = answer.outcome,
           .effects = answer.effects});
  deliver(std::move(answer));
}

void NodeCounters::settle(Hash128 id, std::span<const std::int64_t> actual, TimeNs now, SettlementEvents& events) {
  close(id, true, actual, now, events);
}

void NodeCounters::cancel(Hash128 id, TimeNs now, SettlementEvents& events) {
  close(id, false, {}, now, events);
}

void NodeCounters::forget(const void* events) {
  waiting_.remove_if([&](const Answer& a) { return a.admission == events || a.settlement == events; });
}

void NodeCounters::tell(const Answer& answer) {
  if (answer.admission != nullptr) {
    answer.admission->on_decision(answer.status, answer.decision, answer.effects);
  } else {
    answer.settlement->on_settled(answer.status, answer.outcome, answer.effects);
  }
}

void NodeCounters::deliver(Answer answer) {
  if (!late_.on) return tell(answer);
  waiting_.push_back(std::move(answer));
  const auto place = std::prev(waiting_.end());
  const Answer* const which = &*place;
  late_.later(random_.between(kMillisecond / 2, 30 * kMillisecond), [this, which] {
    for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
      if (&*at != which) continue;
      const Answer taken = std::move(*at);
      waiting_.erase(at);
      return tell(taken);
    }
  });
}

}  // namespace weir::sim
