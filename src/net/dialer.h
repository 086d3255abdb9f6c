// Connections to providers and upstreams: a pool per worker, TLS, name resolution, and the in-process simulator.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/ports.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "telemetry/metrics.h"

namespace weir {

class UpstreamConnection;

class NetDialer final : public Dialer {
 public:
  static constexpr std::size_t kMaxIdlePerOrigin = 256;
  static constexpr DurationNs kIdleFor = 55 * kSecond;  // below the 60 s after which many servers close

  // `worker` tells the simulated requests of one process apart.
  NetDialer(Loop& loop, Resolver& resolver, Counter& opened, int worker);
  ~NetDialer() override;

  UpstreamPort* dial(const Origin& origin, UpstreamEvents& events, bool fresh) override;

  // called by connections
  void keep(std::unique_ptr<UpstreamConnection> connection);
  void drop_idle(UpstreamConnection& connection);
  Loop& loop() { return loop_; }
  Resolver& resolver() { return resolver_; }
  TlsClients& tls() { return tls_; }

 private:
  Loop& loop_;
  Resolver& resolver_;
  Counter& opened_;
  TlsClients tls_;
  std::map<std::string, std::vector<std::unique_ptr<UpstreamConnection>>> idle_;  // by origin; most recent last
  std::uint64_t simulated_;                                                       // ordinal of the last one
};

// "tls|host|port|ca": connections are shared by origins that agree in all of these.
std::string origin_key(const Origin& origin);

}  // namespace weir
