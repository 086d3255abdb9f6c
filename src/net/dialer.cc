#include "net/dialer.h"

#include <algorithm>

#include "base/strings.h"
#include "net/sim_connection.h"
#include "net/upstream.h"

namespace weir {

std::string origin_key(const Origin& origin) {
  std::string key;
  key.reserve(origin.host.size() + origin.ca.size() + 9);
  key.append(origin.tls ? "1|" : "0|").append(origin.host).append("|");
  append_number(key, origin.port);
  return key.append("|").append(origin.ca);
}

NetDialer::NetDialer(Loop& loop, Resolver& resolver, Counter& opened, int worker)
    : loop_(loop), resolver_(resolver), opened_(opened), simulated_(static_cast<std::uint64_t>(worker) << 48) {}

NetDialer::~NetDialer() = default;

UpstreamPort* NetDialer::dial(const Origin& origin, UpstreamEvents& events, bool fresh) {
  if (origin.simulate != nullptr) return new SimConnection(loop_, *origin.simulate, ++simulated_, events);
  std::string key = origin_key(origin);
  if (auto found = idle_.find(key); !fresh && found != idle_.end() && !found->second.empty()) {
    UpstreamConnection* connection = found->second.back().release();
    found->second.pop_back();
    connection->reuse(events);
    return connection;
  }
  opened_.add(1);
  auto* connection = new UpstreamConnection(*this, origin, std::move(key));
  connection->start(events);
  return connection;
}

void NetDialer::keep(std::unique_ptr<UpstreamConnection> connection) {
  auto& pool = idle_[connection->key()];
  if (pool.size() >= kMaxIdlePerOrigin) {
    loop_.dispose(std::move(pool.front()));
    pool.erase(pool.begin());
  }
  pool.push_back(std::move(connection));
}

void NetDialer::drop_idle(UpstreamConnection& connection) {
  auto& pool = idle_[connection.key()];
  const auto found =
      std::find_if(pool.begin(), pool.end(), [&](const auto& held) { return held.get() == &connection; });
  if (found == pool.end()) return;
  loop_.dispose(std::move(*found));
  pool.erase(found);
}

}  // namespace weir
