// Host names to addresses, off the event loop: one thread asks the system's resolver, answers are cached for a while.
//
// Thread-safe; callbacks run on the asking loop.
#pragma once

#include <sys/socket.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "net/loop.h"

namespace weir {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

class Resolver {
 public:
  static constexpr DurationNs kCacheFor = 30 * kSecond;
  static constexpr std::size_t kMaxCached = 1'000;
  using Answer = Result<std::vector<SocketAddress>>;
  using Callback = std::function<void(const Answer&)>;

  Resolver();
  ~Resolver();

  // An address literal or a cached name, at once; otherwise null and `callback` follows on `loop`.
  std::unique_ptr<Answer> resolve(const std::string& host, std::uint16_t port, Loop& loop, Callback callback);

 private:
  struct Job {
    std::string host;
    std::uint16_t port;
    Loop* loop;
    Callback callback;
  };
  std::optional<Job> next();  // waits for one; none: it stops
  void run();

  Mutex mutex_;
  Condition wake_;
  std::deque<Job> jobs_ WEIR_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::uint16_t>, std::pair<TimeNs, std::vector<SocketAddress>>> cache_
      WEIR_GUARDED_BY(mutex_);
  bool stopping_ WEIR_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace weir
