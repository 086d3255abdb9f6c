#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "net/link.h"

namespace weir {
namespace {

constexpr int kEventsPerTurn = 256;
constexpr int kLongestWaitMs = 1000;

}  // namespace

Timer::~Timer() {
  if (scheduled_ != 0) loop_->timers_.erase({scheduled_, this});
}

void Timer::set(Loop& loop, TimeNs at) {
  loop_ = &loop;
  deadline_ = at;
  if (at == 0 || (scheduled_ != 0 && scheduled_ <= at)) return;  // a later deadline is noticed when the entry comes up
  if (scheduled_ != 0) loop.timers_.erase({scheduled_, this});
  scheduled_ = at;
  loop.timers_.insert({at, this});
}

Loop::Loop(const Clock& clock) : clock_(clock), now_(clock.now()) {
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  WEIR_CHECK(epoll_fd_ >= 0 && wake_fd_ >= 0);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  WEIR_CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event) == 0);
}

Loop::~Loop() {
  disposed_.clear();
  ::close(wake_fd_);
  ::close(epoll_fd_);
}

void Loop::watch(int fd, Watched& watched, std::uint32_t epoll_events) {
  epoll_event event{};
  event.events = epoll_events;
  event.data.ptr = &watched;
  WEIR_CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0);
}

void Loop::dispose(std::unique_ptr<Disposable> object) {
  disposed_.push_back(std::move(object));
}

void Loop::forget(Link& link) {
  for (auto* list : {&dirty_, &flushing_, &readable_, &reading_})
    std::replace(list->begin(), list->end(), &link, static_cast<Link*>(nullptr));
}

void Loop::forget_events(Watched& watched) {
  for (auto& [target, events] : events_) {
    if (target == &watched) target = nullptr;
  }
}

void Loop::post(std::function<void()> work) {
  {
    const MutexLock lock(mutex_);
    posted_.push_back(std::move(work));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);  // a full counter wakes as well
}

void Loop::stop() {
  post([this] { stopping_ = true; });
}

int Loop::wait_ms() const {
  if (again_ || !readable_.empty()) return 0;
  if (timers_.empty()) return kLongestWaitMs;
  const DurationNs left = timers_.begin()->first - clock_.now();
  if (left <= 0) return 0;
  return static_cast<int>(std::min<DurationNs>((left + kMillisecond - 1) / kMillisecond, kLongestWaitMs));
}

void Loop::run_posted() {
  std::vector<std::function<void()>> work;
  {
    const MutexLock lock(mutex_);
    work.swap(posted_);
  }
  for (auto& item : work) item();
}

void Loop::run_timers() {
  while (!timers_.empty() && timers_.begin()->first <= now_) {
    Timer* timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    timer->scheduled_ = 0;
    if (timer->deadline_ == 0) continue;
    if (timer->deadline_ > now_) {
      timer->set(*this, timer->deadline_);
      continue;
    }
    timer->deadline_ = 0;
    timer->fire_();
  }
}

void Loop::read_ready() {
  reading_.swap(readable_);
  for (std::size_t i = 0; i < reading_.size(); ++i) {
    if (reading_[i] != nullptr) reading_[i]->read_now();
  }
  reading_.clear();
}

void Loop::flush_links() {
  while (!dirty_.empty()) {
    flushing_.swap(dirty_);
    for (std::size_t i = 0; i < flushing_.size(); ++i) {
      if (flushing_[i] != nullptr) flushing_[i]->flush();
    }
    flushing_.clear();
  }
}

void Loop::run() {
  std::array<epoll_event, kEventsPerTurn> ready{};
  while (!stopping_) {
    const int n = epoll_wait(epoll_fd_, ready.data(), kEventsPerTurn, wait_ms());
    now_ = clock_.now();
    if (at_start) at_start();
    events_.clear();
    for (int i = 0; i < n; ++i) {
      const epoll_event event = ready[static_cast<std::size_t>(i)];
      const std::uint32_t mask = event.events;  // a copy: the struct is packed
      events_.emplace_back(static_cast<Watched*>(event.data.ptr), mask);
    }
    for (std::size_t i = 0; i < events_.size(); ++i) {
      const auto [target, events] = events_[i];
      if (target != nullptr) {
        target->on_events(events);
      } else if (std::uint64_t count = 0; ::read(wake_fd_, &count, sizeof count) < 0) {
        continue;  // no wake-up pending: the target was forgotten
      }
    }
    events_.clear();
    run_posted();
    run_timers();
    read_ready();
    again_ = at_end ? at_end() : false;
    flush_links();
    disposed_.clear();
  }
}

}  // namespace weir
