// Answers under way and what happens to them next. Internal to src/replay.
//
//   Clockwork clockwork;
//   clockwork.start(answer, at);                        // something happens to it then
//   while (Answer* due = clockwork.due(now)) …          // in the order of (time, sequence)
//     clockwork.again(next_at); or clockwork.end();     // each exactly once for the answer that was due
//
// Belongs to one thread. Limit: the caller's (kMaxInFlight); memory is that of the most answers at once.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "weir/limiter.h"

namespace weir {

struct Answer {
  Hash128 id;
  std::int64_t row = 0;
  TimeNs asked = 0;
  std::uint64_t history_key = 0;
  std::int64_t output = 0;   // that it will have
  std::int64_t held = 0;     // output tokens
  std::int64_t covered = 0;  // output tokens up to which a top-up was tried; more than held: debt
  std::int64_t ceiling = 0;
  std::uint8_t demands = 0;
  std::array<std::int64_t, kMaxDemands> actual{};  // to settle
  std::array<std::int64_t, kMaxDemands> step{};    // one top-up
};

class Clockwork {
 public:
  void start(const Answer& answer, TimeNs at) {
    std::uint32_t place = static_cast<std::uint32_t>(answers_.size());
    if (free_.empty()) {
      answers_.push_back(answer);
    } else {
      place = free_.back();
      free_.pop_back();
      answers_[place] = answer;
    }
    push({at, sequence_++, place});
  }

  // The answer to which something happens next, no later than `until`; null: none. Take it with again() or end().
  Answer* due(TimeNs until) {
    if (events_.empty() || events_.front().at > until) return nullptr;
    return &answers_[events_.front().place];
  }
  TimeNs due_at() const { return events_.front().at; }

  void again(TimeNs at) {
    const std::uint32_t place = pop();
    push({at, sequence_++, place});
  }
  void end() { free_.push_back(pop()); }

  bool empty() const { return events_.empty(); }

 private:
  struct Event {
    TimeNs at;
    std::uint64_t sequence;
    std::uint32_t place;
    bool operator>(const Event& other) const { return at != other.at ? at > other.at : sequence > other.sequence; }
  };

  void push(const Event& event) {
    events_.push_back(event);
    std::push_heap(events_.begin(), events_.end(), std::greater<>());
  }
  std::uint32_t pop() {
    std::pop_heap(events_.begin(), events_.end(), std::greater<>());
    const std::uint32_t place = events_.back().place;
    events_.pop_back();
    return place;
  }

  std::deque<Answer> answers_;  // never copied as it grows
  std::vector<std::uint32_t> free_;
  std::vector<Event> events_;  // heap, the earliest first
  std::uint64_t sequence_ = 0;
};

}  // namespace weir
