#include "app/admin_desk.h"

#include <sys/resource.h>

#include <chrono>
#include <utility>

#include "admin/alerts.h"
#include "admin/breakers.h"
#include "admin/routes.h"
#include "admin/session.h"
#include "app/alert_sender.h"
#include "app/entropy.h"
#include "app/policy_file.h"
#include "app/policy_source.h"

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
  Result<Store> long_store = Store::open(parts.addresses.data, {.busy_timeout_ms = kBusyMs});
  if (!long_store) return std::unexpected(long_store.error());
  return std::make_unique<AdminDesk>(std::move(parts), std::move(*store), std::move(*long_store));
}

AdminDesk::AdminDesk(Parts parts, Store store, Store long_store)
    : parts_(std::move(parts)),
      key_hasher_(parts_.key_secret),
      store_(std::move(store)),
      long_store_(std::move(long_store)),
      router_(*this),
      work_([this] {
        if (thread_) thread_->wake();
      }),
      long_work_([this] {
        if (long_thread_) long_thread_->wake();
      }),
      keeping_([this] { thread_->wake(); }),
      observer_({.in_flight = parts_.in_flight,
                 .keep = [this](const auto& rows) { return keep_refusals(rows); },
                 .peek = [this](auto subjects, auto demands, TimeNs now) { return peek(subjects, demands, now); },
                 .rules = parts_.rules}) {
  add_all_routes(router_);
  observer_.add_listener([this](const Second& second) { observer_.write_gauges(parts_.metrics, second.hot); });
}

AdminDesk::~AdminDesk() {
  stop();
}

void AdminDesk::start() {
  thread_ = std::make_unique<Background>("weir-admin", std::chrono::milliseconds(1'000), [this] {
    keeping_.run(store_, parts_.clock.now());
    return work_.run(store_, parts_.clock.now());
  });
  long_thread_ = std::make_unique<Background>("weir-admin-long", std::chrono::milliseconds(1'000), [this] {
    // Of this thread alone: decisions come first.
    ::setpriority(PRIO_PROCESS, 0, 10);
    return long_work_.run(long_store_, parts_.clock.now());
  });
  watching_ = std::make_unique<Background>("weir-observer", std::chrono::milliseconds(100), [this] {
    observer_.step(parts_.clock.now());
    return false;
  });
}

void AdminDesk::stop() {
  stopping_ = true;
  if (long_thread_) long_thread_->stop();
  if (watching_) watching_->stop();
  if (thread_) thread_->stop();
  if (watching_) {
    observer_.step(parts_.clock.now());  // what came last
    keeping_.run(store_, parts_.clock.now());
    if (Result<void> kept = store_.add_refusal_hours(observer_.take_refusals()); !kept) {
      log_event(LogLevel::kWarn, parts_.clock.now(), "the last refusals are not in the hourly counts",
                {{"because", kept.error().message}});
    }
    watching_.reset();
  }
}

bool AdminDesk::keep_refusals(const std::vector<RefusalHour>& rows) {
  return keeping_.push([this, rows](Store& store, TimeNs) {
    if (!store.add_refusal_hours(rows)) observer_.give_back(rows);
  });
}

bool AdminDesk::entropy(std::span<unsigned char> out) {
  return system_entropy(out);
}

Result<TriedCall> AdminDesk::try_chat(const std::string& body) {
  constexpr int kDeadlineMs = 30'000;
  const auto begun = std::chrono::steady_clock::now();
  const auto answer =
      client_.send({.method = "POST",
                    .url = parts_.addresses.listen + "/v1/chat/completions",
                    .headers = {{"Authorization", "Bearer " + parts_.demo_key}, {"Content-Type", "application/json"}},
                    .body = body,
                    .deadline_ms = kDeadlineMs});
  if (!answer) return std::unexpected(answer.error());
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
  return TriedCall{.status = answer->status,
                   .ms = took.count(),
                   .tokens = std::string(answer->header("x-weir-tokens")),
                   .usd = std::string(answer->header("x-weir-cost-usd")),
                   .retry_after_ms = std::string(answer->header("retry-after-ms")),
                   .body = answer->body};
}

const Environment& AdminDesk::environment() const {
  return process_environment();
}

std::vector<TriedTarget> AdminDesk::try_alert_targets(const std::vector<AlertTarget>& targets, TimeNs now) {
  std::vector<TriedTarget> out;
  for (SendResult& result : send_tests(targets, now)) {
    out.push_back({.ok = result.ok, .status = result.status, .detail = std::move(result.detail)});
  }
  return out;
}

Result<Decision> AdminDesk::peek(std::span<const Subject> subjects, std::span<const Demand> demands, TimeNs now) {
  Peek peek;
  parts_.counters.peek({.subjects = subjects, .demands = demands, .now = now}, peek);
  parts_.counters.forget(static_cast<AdmissionEvents*>(&peek));
  return std::move(peek.answer);
}

}  // namespace weir
