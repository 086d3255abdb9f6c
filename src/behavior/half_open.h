// A breaker for one thing: open for a cooldown, then one probe whose end decides.
//
//   HalfOpen breaker;
//   breaker.open(5, rules.cooldown, now);                   // five failures
//   auto answer = breaker.ask(rules.cooldown, now);         // answer.wait: refuse; answer.probe: this one decides
//   … breaker.close();  or open() again;  or abandon(): the next one may be the probe
//
// Not thread-safe; a value of 32 bytes. A probe that never reports makes room for another after a cooldown.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/time.h"

namespace weir {

class HalfOpen {
 public:
  struct Answer {
    DurationNs wait = 0;  // 0: go
    bool probe = false;
  };

  void open(std::int64_t count, DurationNs cooldown, TimeNs now) {
    open_ = true;
    told_ = false;
    count_ = count;
    until_ = now + std::max(cooldown, kMillisecond);
    probe_until_ = 0;
  }
  void close() { *this = {}; }
  void abandon() { probe_until_ = 0; }

  Answer ask(DurationNs cooldown, TimeNs now) {
    if (!open_) return {};
    if (now < until_) return {.wait = until_ - now};
    if (now < probe_until_) return {.wait = std::min(probe_until_ - now, kSecond)};
    probe_until_ = now + std::max(cooldown, kMillisecond);
    return {.wait = 0, .probe = true};
  }

  bool is_open() const { return open_; }
  std::int64_t count() const { return count_; }  // that opened it
  // True the first time that it is asked after it opened.
  bool tell() { return !std::exchange(told_, true); }

 private:
  TimeNs until_ = 0, probe_until_ = 0;
  std::int64_t count_ = 0;
  bool open_ = false, told_ = false;
};

}  // namespace weir
