// Virtual time: what happens when, ordered by (time, sequence). Nothing else in the simulator knows a clock.
//
//   Schedule schedule(start);
//   Timer retry(schedule, [&] { send_again(); });
//   retry.set(schedule.now() + kSecond);
//   while (schedule.step(until)) {}
//
// One thread. Work may schedule more work, also for now: it runs after what was scheduled for now before.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "base/time.h"

namespace weir::sim {

class Schedule {
 public:
  static constexpr std::size_t kMaxPending = 4'000'000;

  explicit Schedule(TimeNs start) : now_(start) {}
  TimeNs now() const { return now_; }
  std::uint64_t steps() const { return steps_; }
  std::size_t pending() const { return queue_.size(); }

  // Once; cannot be taken back (see Timer). Times in the past are now.
  void at(TimeNs when, std::function<void()> work);
  void after(DurationNs wait, std::function<void()> work) { at(now_ + wait, std::move(work)); }
  // Runs the next piece of work that is due by `until`; false: none is, and it is `until` now.
  bool step(TimeNs until);
  // After every piece of work.
  std::function<void()> after_step;

 private:
  struct Item {
    TimeNs when;
    std::uint64_t sequence;
    std::shared_ptr<std::function<void()>> work;
  };
  struct Later {
    bool operator()(const Item& a, const Item& b) const {
      return a.when != b.when ? a.when > b.when : a.sequence > b.sequence;
    }
  };
  TimeNs now_;
  std::uint64_t sequence_ = 0, steps_ = 0;
  std::priority_queue<Item, std::vector<Item>, Later> queue_;
};

// One wait that can be moved and taken back; nothing runs after its end of life.
class Timer {
 public:
  Timer(Schedule& schedule, std::function<void()> work) : schedule_(schedule), shared_(std::make_shared<Shared>()) {
    shared_->work = std::move(work);
  }
  ~Timer() { shared_->generation = 0; }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  void set(TimeNs at);  // 0: none
  bool is_set() const { return shared_->at != 0; }

 private:
  struct Shared {
    std::function<void()> work;
    std::uint64_t generation = 1;  // 0: gone
    TimeNs at = 0;
  };
  Schedule& schedule_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace weir::sim
