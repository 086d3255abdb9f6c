#include "app/admin_desk.h"

#include <chrono>
#include <utility>

#include "admin/breakers.h"
#include "admin/live.h"
#include "app/policy_file.h"

namespace weir {
namespace {

constexpr int kBusyMs = 2'000;  // a caller waits that long for a store that somebody else is writing

// The in-process counters answer before the call returns.
class Peek final : public AdmissionEvents {
 public:
  Result<Decision> answer = fail("the counter store did not answer");

 private:
  void on_decision(CountersStatus status, const Decision& decision, std::span<const Effect>) override {
    if (status == CountersStatus::kOk) answer = decision;
  }
};

}  // namespace

Result<std::unique_ptr<AdminDesk>> AdminDesk::open(Parts parts) {
  Result<Store> store = Store::open(parts.addresses.data, {.busy_timeout_ms = kBusyMs});
  if (!store) return std::unexpected(store.error());
  return std::make_unique<AdminDesk>(std::move(parts), std::move(*store));
}

AdminDesk::AdminDesk(Parts parts, Store store)
    : parts_(std::move(parts)),
      store_(std::move(store)),
      router_(*this),
      work_([this] {
        if (thread_) thread_->wake();
      }),
      observer_({.in_flight = parts_.in_flight, .keep = [this](const auto& rows) { return keep_refusals(rows); }}) {
  add_breaker_routes(router_);
  add_live_routes(router_);
  observer_.add_listener([this](const Second&) { observer_.write_gauges(parts_.metrics); });
}

AdminDesk::~AdminDesk() {
  stop();
}

void AdminDesk::start() {
  thread_ = std::make_unique<Background>(std::chrono::milliseconds(1'000),
                                         [this] { return work_.run(store_, parts_.clock.now()); });
  watching_ = std::make_unique<Background>(std::chrono::milliseconds(100), [this] {
    observer_.step(parts_.clock.now());
    return false;
  });
}

void AdminDesk::stop() {
  if (watching_) watching_->stop();
  if (thread_) thread_->stop();
  if (watching_) {
    observer_.step(parts_.clock.now());  // what came last
    if (Result<void> kept = store_.add_refusal_hours(observer_.take_refusals()); !kept) {
      log_event(LogLevel::kWarn, parts_.clock.now(), "the last refusals are not in the hourly counts",
                {{"because", kept.error().message}});
    }
    watching_.reset();
  }
}

bool AdminDesk::keep_refusals(const std::vector<RefusalHour>& rows) {
  return work_.push([this, rows](Store& store, TimeNs) {
    if (!store.add_refusal_hours(rows)) observer_.give_back(rows);
  });
}

Result<Decision> AdminDesk::peek(const Plan& plan, TimeNs now) {
  Peek peek;
  parts_.counters.peek({.subjects = plan.subjects(), .demands = plan.demands(), .now = now}, peek);
  parts_.counters.forget(static_cast<AdmissionEvents*>(&peek));
  return std::move(peek.answer);
}

}  // namespace weir
