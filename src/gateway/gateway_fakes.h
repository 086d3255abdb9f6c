// For tests: the ports of a gateway, played by the test: client, provider, disk, counters, own endpoints.
//
//   Trace trace;
//   FakeJournal journal(trace);
//   journal.flush();                       // the disk has it
//   DeferredCounters counters(limiter);
//   counters.deferred = true; … counters.answer();
//
// World (gateway_fixture.h) puts them together.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "gateway/endpoints.h"
#include "gateway/ports.h"
#include "gateway/services.h"
#include "journal/journal.h"

namespace weir::stage {

// What happened, in order: "open", "written", "dial", "upstream", "settle", "client".
using Trace = std::vector<std::string>;

inline std::ptrdiff_t first_of(const Trace& trace, std::string_view what) {
  return std::find(trace.begin(), trace.end(), what) - trace.begin();
}
inline std::ptrdiff_t last_of(const Trace& trace, std::string_view what) {
  return trace.rend() - std::find(trace.rbegin(), trace.rend(), what) - 1;
}

class FakeClient final : public ClientPort {
 public:
  explicit FakeClient(Trace& trace) : trace_(trace) {}
  void send(std::string_view bytes) override {
    EXPECT_FALSE(aborted || closing) << "sent after the end: " << bytes;
    if (!bytes.empty()) trace_.emplace_back("client");
    sent += bytes;
  }
  std::size_t unsent() const override { return unsent_bytes; }
  void want_read(bool on) override { reading = on; }
  void set_deadline(TimeNs at) override { deadline = at; }
  void close_after_send() override { closing = true; }
  void abort() override { aborted = true; }

  std::string sent;
  std::size_t unsent_bytes = 0;  // what the kernel has not taken, for back-pressure
  bool reading = true, closing = false, aborted = false;
  TimeNs deadline = 0;

 private:
  Trace& trace_;
};

class World;

class FakeUpstream final : public UpstreamPort {
 public:
  FakeUpstream(World& world, const Origin& at, UpstreamEvents& events, bool from_pool)
      : origin(at), was_reused(from_pool), world_(world), events_(&events) {}
  void send(std::string_view bytes) override;
  void want_read(bool on) override { reading = on; }
  void set_deadline(TimeNs at) override { deadline = at; }
  bool reused() const override { return was_reused; }
  bool connected() const override { return is_connected; }
  void release(bool may_be_reused) override {
    EXPECT_FALSE(released) << "released twice";
    released = true;
    reusable = may_be_reused;
    events_ = nullptr;
  }

  // The provider's moves, each a turn of its own.
  void bytes(std::string_view bytes);
  void bytes_within_turn(std::string_view bytes) {
    if (events_ != nullptr) events_->on_upstream_bytes(bytes);
  }
  void eof();
  void eof_within_turn() {
    if (events_ != nullptr) events_->on_upstream_eof();
  }
  void fail(UpstreamFailure failure, const std::string& detail = {});
  void expire();

  const Origin origin;
  const bool was_reused;
  std::string sent;
  bool reading = true, released = false, reusable = false, is_connected = true;
  TimeNs deadline = 0;

 private:
  World& world_;
  UpstreamEvents* events_;
};

class FakeJournal final : public Journal {
 public:
  struct Opened {
    Hash128 id;
    UsageRow row;
    std::size_t effects = 0;
  };
  explicit FakeJournal(Trace& trace) : trace_(trace) {}
  void open(Hash128 id, const UsageRow& row, std::span<const Effect> effects) override {
    trace_.emplace_back("open");
    opens.push_back({id, row, effects.size()});
  }
  struct ToppedUp {
    Hash128 id;
    std::int64_t tokens = 0, usd_micros = 0;
    std::vector<Effect> effects;
  };
  void top_up(Hash128 id, std::span<const Effect> effects) override { top_up_held(id, 0, 0, effects); }
  void top_up_held(Hash128 id, std::int64_t extra_tokens, std::int64_t extra_usd_micros,
                   std::span<const Effect> effects) override {
    trace_.emplace_back("top-up");
    top_ups.push_back({id, extra_tokens, extra_usd_micros, {effects.begin(), effects.end()}});
  }
  void settle(Hash128 id, const UsageRow& row, std::span<const Effect> effects) override {
    trace_.emplace_back("settle");
    settles.push_back({id, row, effects.size()});
  }
  void open_hold(Hash128 id, const UsageRow& row, std::string_view, std::span<const Effect> effects) override {
    open(id, row, effects);
  }
  void settle_hold(const UsageRow& row, const ClosedDecision& closed, std::span<const Effect> effects) override {
    settle(closed.id, row, effects);
  }
  void audit(const AuditRow& row) override { audits.push_back(row); }
  void when_written(JournalEvents& events) override { waiting_.push_back(&events); }
  void forget(JournalEvents& events) override {
    std::erase(waiting_, &events);
    std::erase(telling_, &events);
  }
  bool pending() const { return !waiting_.empty(); }
  void flush(bool ok = true) {
    trace_.emplace_back("written");
    telling_.assign(waiting_.begin(), waiting_.end());
    waiting_.clear();
    while (!telling_.empty()) {
      JournalEvents* next = telling_.front();
      telling_.pop_front();
      next->on_written(ok);
    }
  }

  std::vector<Opened> opens, settles;
  std::vector<ToppedUp> top_ups;
  std::vector<AuditRow> audits;

 private:
  Trace& trace_;
  std::vector<JournalEvents*> waiting_;
  std::deque<JournalEvents*> telling_;
};

// Counters whose answers come when the test says so. The state changes at once, as in a store far away.
class DeferredCounters final : public Counters {
 public:
  explicit DeferredCounters(Limiter& limiter) : limiter_(limiter) {}
  bool deferred = false;
  bool peeks_deferred = false;                  // also those
  CountersStatus status = CountersStatus::kOk;  // of admissions

  CounterId define(const CounterSpec& spec) override { return limiter_.define(spec); }
  void admit(const AdmitRequest& request, AdmissionEvents& events) override {
    Late late{.admission = &events, .settlement = nullptr, .status = status, .decision = {}, .effects = {}};
    AdmitRequest with_effects = request;
    with_effects.effects = &late.effects;
    if (status == CountersStatus::kOk) limiter_.admit(with_effects, late.decision);
    arrive(std::move(late));
  }
  void peek(const AdmitRequest& request, AdmissionEvents& events) override {
    Late late{.admission = &events, .settlement = nullptr, .status = status, .decision = {}, .effects = {}};
    if (status == CountersStatus::kOk) limiter_.peek(request, late.decision);
    deferred&& peeks_deferred ? arrive(std::move(late)) : deliver(late);
  }
  void top_up(Hash128 id, std::span<const std::int64_t> extra, TimeNs now, AdmissionEvents& events) override {
    Late late{.admission = &events, .settlement = nullptr, .status = status, .decision = {}, .effects = {}};
    if (status == CountersStatus::kOk) limiter_.top_up(id, extra, now, late.decision, &late.effects);
    arrive(std::move(late));
  }
  void settle(Hash128 id, std::span<const std::int64_t> actual, TimeNs now, SettlementEvents& events) override {
    Late late{
        .admission = nullptr, .settlement = &events, .status = CountersStatus::kOk, .decision = {}, .effects = {}};
    outcomes.push_back(limiter_.settle(id, actual, now, &late.effects).outcome);
    arrive(std::move(late));
  }
  void cancel(Hash128 id, TimeNs now, SettlementEvents& events) override {
    Late late{
        .admission = nullptr, .settlement = &events, .status = CountersStatus::kOk, .decision = {}, .effects = {}};
    outcomes.push_back(limiter_.cancel(id, now, &late.effects).outcome);
    arrive(std::move(late));
  }
  bool held(Hash128 id, HeldReservation& out) override { return limiter_.held(id, out); }
  void forget(const void* events) override {
    std::erase_if(waiting_, [&](const Late& l) { return l.admission == events || l.settlement == events; });
  }
  std::size_t waiting() const { return waiting_.size(); }
  // Delivers the oldest answer.
  void answer() {
    if (waiting_.empty()) {
      ADD_FAILURE() << "the counters were not asked";
      return;
    }
    const Late late = std::move(waiting_.front());
    waiting_.pop_front();
    deliver(late);
  }

  std::vector<Outcome> outcomes;  // of every settlement: all must be kDone

 private:
  struct Late {
    AdmissionEvents* admission;
    SettlementEvents* settlement;
    CountersStatus status;
    Decision decision;
    std::vector<Effect> effects;
  };
  void arrive(Late late) {
    if (deferred) {
      waiting_.push_back(std::move(late));
    } else {
      deliver(late);
    }
  }
  static void deliver(const Late& late) {
    if (late.admission != nullptr) {
      late.admission->on_decision(late.status, late.decision, late.effects);
    } else {
      late.settlement->on_settled(late.status, Outcome::kDone, late.effects);
    }
  }

  Limiter& limiter_;
  std::deque<Late> waiting_;
};

// Stands in for src/api: answers models at once, `me` when the test says so.
class FakeEndpoints final : public OwnEndpoints {
 public:
  bool needs_identity(const Target& target) const override {
    return target.kind == TargetKind::kModels || target.kind == TargetKind::kMe;
  }
  void handle(Services&, const OwnRequest& request, ReplyEvents& events) override {
    if (request.target.kind == TargetKind::kMe) {
      waiting = &events;
    } else {
      events.on_reply(
          {.status = 200, .content_type = "text/plain", .headers = {}, .body = std::string(request.target.route)});
    }
  }
  void forget(ReplyEvents& events) override {
    EXPECT_EQ(waiting, &events);
    waiting = nullptr;
  }
  ReplyEvents* waiting = nullptr;
};

}  // namespace weir::stage
