// One worker's event loop on epoll (edge-triggered): file descriptors, timers, and work posted from other threads.
//
// A turn: wait, hand out events, posted work, timers, links that have more to read; then the turn's end: the journal is
// written (hook), queued bytes are sent, and what is finished is deleted. So everything one turn produced shares one
// journal write, and nothing leaves before it.
//
// One thread runs it; only post() and stop() may be called from others.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"
#include "net/clock.h"

namespace weir {

// Something that epoll watches.
class Watched {
 public:
  virtual ~Watched() = default;
  virtual void on_events(std::uint32_t epoll_events) = 0;
};

// A deadline that is cheap to move: the loop keeps one entry per timer and looks at the deadline when it comes up.
class Timer {
 public:
  explicit Timer(std::function<void()> fire) : fire_(std::move(fire)) {}
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void set(class Loop& loop, TimeNs at);  // 0: off

 private:
  friend class Loop;
  std::function<void()> fire_;
  Loop* loop_ = nullptr;
  TimeNs deadline_ = 0;
  TimeNs scheduled_ = 0;  // the entry in the loop's set; 0: none
};

// Deleted at the end of the turn, so that objects may finish inside their own calls.
class Disposable {
 public:
  virtual ~Disposable() = default;
};

class Link;

class Loop {
 public:
  explicit Loop(const Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  TimeNs now() const { return now_; }
  void run();
  void stop();                            // any thread
  void post(std::function<void()> work);  // any thread

  void watch(int fd, Watched& watched, std::uint32_t epoll_events);
  void dispose(std::unique_ptr<Disposable> object);
  void needs_flush(Link& link) { dirty_.push_back(&link); }
  void needs_read(Link& link) { readable_.push_back(&link); }
  void forget(Link& link);               // the link dies
  void forget_events(Watched& watched);  // no event of this turn reaches it any more

  // Called at the start of every turn (with the turn's time) and at its end before bytes leave; `at_end` returns true
  // if it wants another turn soon.
  std::function<void()> at_start;
  std::function<bool()> at_end;

 private:
  friend class Timer;
  int wait_ms() const;
  void run_posted();
  void run_timers();
  void read_ready();
  void flush_links();

  const Clock& clock_;
  TimeNs now_;
  int epoll_fd_ = -1;
  int wake_fd_ = -1;
  bool stopping_ = false;
  bool again_ = false;
  Mutex mutex_;
  std::vector<std::function<void()>> posted_ WEIR_GUARDED_BY(mutex_);
  std::set<std::pair<TimeNs, Timer*>> timers_;
  std::vector<Link*> dirty_, flushing_, readable_, reading_;
  std::vector<std::pair<Watched*, std::uint32_t>> events_;
  std::vector<std::unique_ptr<Disposable>> disposed_;
};

}  // namespace weir
