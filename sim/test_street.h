// Clients and a provider on one street, without Weir between them: the provider listens where clients look for Weir.
//
//   Street street(7);
//   street.provider({{"output", "[5, 9]"}});  street.client({{"kind", "human"}, …});
//   street.run(10 * kMinute);
//
// For tests only.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client.h"
#include "context.h"
#include "provider.h"
#include "world.h"

namespace weir::sim {

using Words = std::initializer_list<std::pair<std::string, std::vector<std::string>>>;

inline Settings settings_of(Words words) {
  Settings out;
  for (const auto& [key, values] : words) out.set(key, values);
  return out;
}

struct Street {
  static constexpr TimeNs kStart = 1'795'262'400 * kSecond;

  explicit Street(std::uint64_t seed)
      : schedule(kStart),
        network(schedule, Random(seed).fork("network"), trace),
        context{.schedule = schedule,
                .network = network,
                .truth = truth,
                .trace = trace,
                .random = Random(seed).fork("actors"),
                .keys = {{"ann", "weir_secret"}}} {}

  Provider& provider(const Settings& settings) {
    providers.push_back(std::make_unique<Provider>("weir", settings, context));
    return *providers.back();
  }
  Client& client(const Settings& settings) {
    auto made = make_clients(settings, context);
    if (!made) throw std::runtime_error(made.error().message);
    for (auto& each : *made) clients.push_back(std::move(each));
    clients.back()->start();
    return *clients.back();
  }
  void run(DurationNs length) {
    const TimeNs until = schedule.now() + length;
    while (schedule.step(until)) {
    }
  }
  // No new asks; what is under way ends.
  void finish() {
    for (const auto& each : clients) each->stop();
    run(20 * kMinute);
  }

  Schedule schedule;
  Trace trace;
  Truth truth;
  Network network;
  Context context;
  std::vector<std::unique_ptr<Provider>> providers;
  std::vector<std::unique_ptr<Client>> clients;
};

}  // namespace weir::sim
