#include "gateway/tool_asks.h"

#include <algorithm>

namespace weir {
namespace {

Costs costs_of_call() {
  Costs out;
  out.tool_call_only = true;
  out.set(MeterKind::kToolCalls, 1, 1);
  out.set(MeterKind::kConcurrency, 1, 1);
  return out;
}

ToolAsks::Answer refused(Refusal refusal) {
  return {.admitted = false, .refusal = std::move(refusal), .problem = {}};
}

ToolAsks::Answer refused_by_weir(std::string problem) {
  ToolAsks::Answer out{.admitted = false, .refusal = {}, .problem = std::move(problem)};
  out.refusal.layer = "entry";
  out.refusal.limit = "tool_calls";
  out.refusal.meter = "tool_calls";
  return out;
}

}  // namespace

ToolAsks::~ToolAsks() {
  services_.counters->forget(static_cast<AdmissionEvents*>(this));
  services_.counters->forget(static_cast<SettlementEvents*>(this));
}

void ToolAsks::admit(std::vector<ToolCall> calls, Hash128 id, TimeNs deadline, Judge judge,
                     std::function<void(const ToolCall&)> unjudge, Answers done) {
  calls_ = std::move(calls);
  id_ = id;
  deadline_ = deadline;
  judge_ = std::move(judge);
  unjudge_ = std::move(unjudge);
  done_ = std::move(done);
  looking_ = false;
  next_ = 0;
  answers_.assign(calls_.size(), {});
  run();
}

void ToolAsks::look(std::vector<std::string> tools, Answers done) {
  calls_.clear();
  for (std::string& tool : tools) {
    if (calls_.size() == kMaxAsked) break;
    calls_.push_back({.id = {}, .name = std::move(tool), .arguments = {}});
  }
  judge_ = nullptr;
  unjudge_ = nullptr;
  done_ = std::move(done);
  looking_ = true;
  next_ = 0;
  answers_.assign(tools.size(), {});  // those beyond kMaxAsked stay admitted
  run();
}

// A loop rather than one answer asking for the next, so that many tools need no deep stack.
void ToolAsks::run() {
  if (running_) return;
  running_ = true;
  while (next_ < calls_.size()) {
    ask(calls_[next_]);
    if (waiting_) break;
  }
  running_ = false;
  if (next_ == calls_.size() && done_) std::exchange(done_, nullptr)(std::exchange(answers_, {}));
}

void ToolAsks::ask(const ToolCall& call) {
  if (judge_) {
    if (auto broken = judge_(call)) {
      answers_[next_++] = refused(std::move(*broken));
      return;
    }
  }
  asked_ = attributes_;
  asked_.set(Attribute::kTool, call.name);
  if (const auto fault = rules_.plan(asked_, costs_of_call(), services_.now, plan_)) {
    if (!looking_) answers_[next_] = refused_by_weir(fault->message);
    ++next_;
    return;
  }
  if (plan_.demands().empty()) {
    ++next_;
    return;
  }
  waiting_ = true;
  AdmitRequest request{.subjects = plan_.subjects(), .demands = plan_.demands(), .now = services_.now};
  if (looking_) {
    services_.counters->peek(request, *this);
    return;
  }
  id_.high += 0x9e3779b97f4a7c15;  // ids are random: this one is nobody else's
  request.id = id_;
  request.deadline = deadline_;
  request.remember = false;
  services_.counters->admit(request, *this);
}

void ToolAsks::on_decision(CountersStatus status, const Decision& decision, std::span<const Effect> effects) {
  waiting_ = false;
  Answer& answer = answers_[next_];
  const ToolCall& call = calls_[next_++];
  const auto refuses = [&](std::size_t i) { return decision.verdicts[i].refuses && !plan_.demands()[i].shadow; };
  if (looking_) {
    for (std::size_t i = 0; i < decision.count && status == CountersStatus::kOk; ++i) {
      // What is in flight now says nothing of when the tool will be called.
      if (plan_.limits()[i].window->kind != WindowKind::kConcurrency) answer.admitted &= !refuses(i);
    }
  } else if (status != CountersStatus::kOk) {
    answer = refused_by_weir("The counter store cannot be reached; try again shortly.");
  } else if (!decision.admitted) {
    answer = decision.table_full
                 ? refused_by_weir("Weir has no room to count another caller right now. Try again shortly.")
                 : refused(rules_.refusal(plan_, decision, asked_, services_.now));
  } else {
    Held& held = held_.emplace_back(Held{.id = id_, .amounts = std::vector<std::int64_t>(plan_.demands().size())});
    rules_.actuals(plan_, costs_of_call(), held.amounts);
    effects_.insert(effects_.end(), effects.begin(), effects.end());
    if (on_admitted) on_admitted(plan_, decision);
  }
  if (!looking_ && !answer.admitted && unjudge_) unjudge_(call);
  run();
}

void ToolAsks::stop() {
  services_.counters->forget(static_cast<AdmissionEvents*>(this));
  calls_.clear();
  next_ = 0;
  waiting_ = false;
  done_ = nullptr;
}

void ToolAsks::settle(bool made, std::function<void()> done) {
  made_ = made;
  settled_ = std::move(done);
  settle_next();
}

void ToolAsks::settle_next() {
  if (held_.empty()) {
    if (settled_) std::exchange(settled_, nullptr)();
    return;
  }
  Held held = std::move(held_.back());
  held_.pop_back();
  if (!made_) std::fill(held.amounts.begin(), held.amounts.end(), 0);
  services_.counters->settle(held.id, held.amounts, services_.now, *this);
}

void ToolAsks::on_settled(CountersStatus, Outcome, std::span<const Effect> effects) {
  effects_.insert(effects_.end(), effects.begin(), effects.end());
  settle_next();
}

}  // namespace weir
