#include "app/unpriced_models.h"

#include <fmt/format.h>

#include "app/policy_file.h"

namespace weir {
namespace {

bool has_no_price(const Policy& policy, const std::string& provider_name, const std::string& model) {
  const Provider* provider = policy.find_provider(provider_name);
  return provider != nullptr && !policy.has_price(model, *provider);
}

}  // namespace

void UnpricedModels::take(Observer::Events events, TimeNs now) {
  for (const DecisionEvent* event : events) {
    // A name that a provider refuses costs nothing: whoever calls by any name cannot fill this.
    if (event->what != DecisionEvent::What::kSettled || event->usd_micros <= 0) continue;
    if (event->rules == nullptr || !has_no_price(event->rules->policy(), event->provider, event->model)) continue;
    const std::string name = event->provider + '\0' + event->model;
    const MutexLock lock(mutex_);
    Model& model = known_.touch(name);
    if (!model.model.empty()) continue;
    model = {event->provider, event->model};
    log_event(LogLevel::kWarn, now, "no price is known, it costs as much as the dearest model",
              {{"model", event->model}, {"do", "give it or its provider a `price`; 0 is one"}});
  }
}

void UnpricedModels::add_notes(const Policy& policy, std::vector<HealthProblem>& notes) const {
  const MutexLock lock(mutex_);
  std::size_t more = 0, shown = 0;
  for (const auto& [name, known] : known_) {
    if (!has_no_price(policy, known.provider, known.model)) continue;
    if (shown == kMaxShown) {
      ++more;
      continue;
    }
    ++shown;
    notes.push_back(
        {.what = "price of " + known.model,
         .since = 0,
         .detail = "No price is known for " + known.model +
                   ", so it costs as much as the dearest model there is: budgets in dollars empty too early.",
         .remedy = "Give it, or its provider, a `price` in weir.yaml; 0 is one."});
  }
  if (more == 0) return;
  notes.push_back({.what = "prices",
                   .since = 0,
                   .detail = fmt::format("Of {} more models no price is known; the log names them.", more),
                   .remedy = "Give their provider a `price` in weir.yaml."});
}

}  // namespace weir
