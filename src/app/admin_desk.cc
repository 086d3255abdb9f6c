#include "app/admin_desk.h"

#include <utility>

#include "admin/audit.h"
#include "admin/breakers.h"
#include "admin/spend.h"
#include "admin/usage.h"

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
    : parts_(std::move(parts)), store_(std::move(store)), router_(*this), work_([this] {
        if (thread_) thread_->wake();
      }) {
  add_breaker_routes(router_);
  add_usage_routes(router_);
  add_audit_routes(router_);
  add_spend_routes(router_);
}

AdminDesk::~AdminDesk() {
  stop();
}

void AdminDesk::start() {
  thread_ = std::make_unique<Background>(std::chrono::milliseconds(1'000),
                                         [this] { return work_.run(store_, parts_.clock.now()); });
}

void AdminDesk::stop() {
  if (thread_) thread_->stop();
}

Result<Decision> AdminDesk::peek(const Plan& plan, TimeNs now) {
  Peek peek;
  parts_.counters.peek({.subjects = plan.subjects(), .demands = plan.demands(), .now = now}, peek);
  parts_.counters.forget(static_cast<AdmissionEvents*>(&peek));
  return std::move(peek.answer);
}

}  // namespace weir
