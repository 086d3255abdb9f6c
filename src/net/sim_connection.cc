#include "net/sim_connection.h"

#include <algorithm>

namespace weir {
namespace {

HttpLimits any_size() {
  HttpLimits limits;
  limits.head = 1 << 20;
  limits.fields = 1'000;
  limits.body = std::size_t{1} << 40;
  return limits;
}

}  // namespace

SimConnection::SimConnection(Loop& loop, const SimulatorOptions& options, std::uint64_t ordinal, UpstreamEvents& events)
    : loop_(loop),
      options_(options),
      ordinal_(ordinal),
      events_(&events),
      parser_(any_size()),
      next_([this] { play(); }),
      deadline_([this] {
        if (events_ != nullptr) events_->on_upstream_deadline();
      }) {}

void SimConnection::send(std::string_view bytes) {
  while (!bytes.empty() && !answer_) {
    const std::size_t used = parser_.feed(bytes, *this);
    bytes.remove_prefix(used);
    if (parser_.state() == MessageState::kHead || parser_.state() == MessageState::kFault) return;
    if (used == 0 && parser_.state() != MessageState::kComplete) return;
    if (parser_.state() == MessageState::kComplete) {
      const OperationAt at = operation_at(parser_.head().path).value_or(OperationAt{});
      const bool alt_sse = parser_.head().query.find("alt=sse") != std::string_view::npos;
      answer_.emplace(options_, at.operation, body_, ordinal_, loop_.now(), at.model, alt_sse);
      due_ = loop_.now();
      next_.set(loop_, loop_.now());
    }
  }
}

void SimConnection::want_read(bool on) {
  paused_ = !on;
  if (on && answer_) next_.set(loop_, std::max(due_, loop_.now()));
}

void SimConnection::play() {
  while (events_ != nullptr && !paused_) {
    if (!has_step_) {
      if (!answer_->next(step_)) return;
      has_step_ = true;
      due_ += step_.after;
    }
    if (due_ > loop_.now()) {
      next_.set(loop_, due_);
      return;
    }
    has_step_ = false;
    events_->on_upstream_bytes(step_.bytes);
  }
}

void SimConnection::release(bool) {
  events_ = nullptr;
  next_.set(loop_, 0);
  deadline_.set(loop_, 0);
  loop_.dispose(std::unique_ptr<Disposable>(this));
}

}  // namespace weir
