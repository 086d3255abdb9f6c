// The node's own books: within their bounds all the time, and empty at the end.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/decision_desk.h"
#include "checkers/checkers.h"
#include "checkers/support.h"
#include "gateway/services.h"
#include "journal/open_requests.h"

namespace weir::sim {
namespace {

constexpr DurationNs kLookEvery = 10 * kSecond;

// Memory is not a leak while what it keeps still counts.
bool remembers_long(const Policy& policy) {
  constexpr DurationNs kLong = 2 * kMinute;
  for (const LimitRule& rule : policy.limits) {
    for (const TierAllowance& allowance : rule.allow) {
      for (const WindowRule& window : allowance.windows) {
        if (window.kind == WindowKind::kCalendar || window.length > kLong) return true;
      }
    }
  }
  return false;
}

class NoLeak final : public Checker {
 public:
  explicit NoLeak(const Setup& setup) : Checker("no_leak", setup.context), sources_(setup.sources) {}

  void at_end() override {
    const Node::Books books = sources_.books();
    none("live exchanges", static_cast<std::int64_t>(books.live_exchanges));
    none("connections", static_cast<std::int64_t>(books.connections));
    none("queued requests", static_cast<std::int64_t>(books.queued));
    none("upstream connections in use", static_cast<std::int64_t>(books.upstream_ports));
    none("open requests of the journal", static_cast<std::int64_t>(books.journal_open));
    none("open holds of the decision API", static_cast<std::int64_t>(books.desk_open));
    none("buffered bytes", books.buffered_bytes);
    none("requests in flight", books.requests_in_flight);
    none("open reservations", static_cast<std::int64_t>(books.limiter.open_reservations));
  }

 private:
  void none(const char* what, std::int64_t count) {
    looked();
    if (count != 0) fail(fmt::format("{} {} are left", count, what));
  }
  Sources sources_;
};

class Bounds final : public Checker {
 public:
  explicit Bounds(const Setup& setup) : Checker("bounds", setup.context), sources_(setup.sources) {}

  void on_step(TimeNs now) override {
    if (now < next_ || !sources_.running()) return;
    next_ = now + kLookEvery;
    look();
  }
  void at_end() override {
    look();
    const auto policy = sources_.policy();
    if (policy == nullptr || remembers_long(*policy)) return;
    // A quarter of an hour after the last request nothing counts any more.
    if (const std::size_t subjects = sources_.books().limiter.subjects; subjects > 0) {
      fail(fmt::format("{} subjects are still kept, and no window remembers them", subjects));
    }
  }

 private:
  static constexpr std::size_t kMostReservations = 1'000'000, kMostRuns = 1'000'000, kMostLinks = 4'000'000;

  void look() {
    const Node::Books books = sources_.books();
    looked();
    most("queued requests", books.queued, Services::kMaxQueued * 64);
    most("open requests of the journal", books.journal_open, kMaxOpenRequests);
    most("closed reservations remembered", books.limiter.closed_remembered, kMostReservations);
    most("open reservations", books.limiter.open_reservations, kMostReservations);
    most("runs", books.guard.runs, kMostRuns);
    most("links of runs", books.guard.links, kMostLinks);
    most("exchanges without a connection or an upstream", books.live_exchanges,
         books.connections + books.upstream_ports + books.journal_open + books.queued +
             static_cast<std::size_t>(std::max<std::int64_t>(books.requests_in_flight, 0)));
    not_negative("requests in flight", books.requests_in_flight);
    not_negative("buffered bytes", books.buffered_bytes);
    if (books.buffered_bytes > BufferBudget::kMaxBuffered) fail("more bytes are buffered than may be");
  }
  void most(const char* what, std::size_t count, std::size_t bound) {
    if (count > bound) fail(fmt::format("{}: {}, the bound is {}", what, count, bound));
  }
  void not_negative(const char* what, std::int64_t count) {
    if (count < 0) fail(fmt::format("{}: {}", what, count));
  }

  Sources sources_;
  TimeNs next_ = 0;
};

}  // namespace

std::unique_ptr<Checker> make_no_leak(const Setup& setup) {
  return std::make_unique<NoLeak>(setup);
}
std::unique_ptr<Checker> make_bounds(const Setup& setup) {
  return std::make_unique<Bounds>(setup);
}

}  // namespace weir::sim
