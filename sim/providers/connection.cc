#include "providers/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::sim::provider {

using Ending = Conduct::Ending;

Connection::Connection(std::uint64_t id, std::unique_ptr<Wire> wire, Desk& desk)
    : id_(id),
      wire_(std::move(wire)),
      desk_(desk),
      next_(desk.world().schedule, [this] { play(); }),
      idle_(desk.world().schedule, [this] { close(false); }) {
  idle_.set(desk_.world().schedule.now() + desk_.patience());
}

void Connection::on_wire_bytes(std::string_view bytes) {
  if (closed_) return;
  reader_.feed(bytes);
  if (!busy()) begin();
}

void Connection::on_wire_eof() {
  close(false);
}

void Connection::on_wire_reset(bool) {
  close(true);
}

void Connection::on_wire_drained() {
  if (telling_) told();
  if (finished_ && !closed_) end_call();
}

void Connection::abort() {
  close(true);
}

void Connection::go_on() {
  if (closed_ || call_ == nullptr) return;
  reply_.conduct.ending = Ending::kGood;
  if (!std::exchange(stalled_, false)) return;
  next_.set(desk_.world().schedule.now() + 1);
}

void Connection::begin() {
  if (reader_.state() == HttpReader::State::kBroken) return close(true);
  body_ += reader_.take_body();
  if (reader_.state() != HttpReader::State::kDone) return;
  idle_.set(0);
  Context& context = desk_.world();
  reply_ = desk_.answer(reader_.head(), std::exchange(body_, {}));
  const Question& question = reply_.question;
  call_ = &context.truth.arrive({.ask = question.ask,
                                 .provider = desk_.place(),
                                 .model = question.model,
                                 .arrived = context.schedule.now(),
                                 .lied = reply_.lied});
  at_ = 0;
  head_sent_ = stalled_ = spoiled_ = wrong_length_ = telling_ = finished_ = false;
  const std::size_t steps = reply_.script.steps.size();
  const bool whole = !reply_.script.chunked;
  bad_step_ = whole ? steps - 1 : 1 + desk_.chance().below(std::max<std::size_t>(2, steps) - 1);
  context.note(desk_.place(), fmt::format("ask {} arrives: {} {}", question.ask, reply_.script.status,
                                          static_cast<int>(reply_.conduct.ending)));
  if (reply_.script.status == 200) {
    call_->produced.input_uncached = reply_.script.bill.input_uncached;
    call_->produced.cache_read = reply_.script.bill.cache_read;
  }
  if (reply_.conduct.ending == Ending::kStall) {
    stalled_ = true;
    return;
  }
  next_.set(context.schedule.now() + std::max<DurationNs>(1, reply_.script.steps.front().wait));
}

// True: the call goes no further.
bool Connection::fail_here() {
  if (at_ != bad_step_) return false;
  Step& step = reply_.script.steps[at_];
  switch (reply_.conduct.ending) {
    case Ending::kStallMidway:
      stalled_ = true;
      return true;
    case Ending::kTruncate:
    case Ending::kReset:
      if (!reply_.script.chunked) {
        call_->produced.output_visible += step.tokens;
        call_->announced = call_->announced || step.call;
        send_head(step.bytes.size());
        send(std::string_view(step.bytes).substr(0, step.bytes.size() / 2));
      }
      close(reply_.conduct.ending == Ending::kReset);
      return true;
    case Ending::kBrokenJson:
    case Ending::kBrokenEvent:
      damage(reply_.conduct.ending, step);
      spoiled_ = true;
      return false;
    case Ending::kBrokenChunk:
      if (!reply_.script.chunked) return false;
      send("zz\r\n" + step.bytes + "\r\n");
      close(false);
      return true;
    default:
      return false;
  }
}

void Connection::play() {
  if (closed_ || call_ == nullptr || stalled_) return;
  if (fail_here()) return;
  play_step(reply_.script.steps[at_]);
  if (closed_) return;
  if (last_step()) return finish();
  ++at_;
  next_.set(desk_.world().schedule.now() + std::max<DurationNs>(1, reply_.script.steps[at_].wait));
}

void Connection::play_step(Step& step) {
  call_->produced.output_visible += step.tokens;
  call_->announced = call_->announced || step.call;
  const bool whole = !reply_.script.chunked;
  if (whole && !last_step()) return;
  if (!head_sent_) send_head(step.bytes.size());
  if (whole) {
    send(step.bytes);
    call_->streamed = call_->produced.output();
  } else if (!step.bytes.empty()) {
    send(fmt::format("{:x}\r\n", step.bytes.size()));
    send(step.bytes);
    send("\r\n");
    call_->streamed += step.tokens;
  }
  if (!step.tells) return;
  telling_ = true;
  if (wire_->unsent() == 0) told();
}

void Connection::send_head(std::size_t body) {
  const Script& script = reply_.script;
  const Conduct& conduct = reply_.conduct;
  head_sent_ = true;
  call_->status = script.status;
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\n", script.status,
                                 script.status == 200 ? "OK" : "Answer", script.type);
  for (const auto& [name, value] : script.headers) head += fmt::format("{}: {}\r\n", name, value);
  if (script.chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (!conduct.until_close) {
    const bool wrong = conduct.ending == Ending::kWrongLength;
    spoiled_ = spoiled_ || wrong;
    wrong_length_ = wrong;
    head += fmt::format("Content-Length: {}\r\n", body + (wrong ? 17 : 0));
  }
  if (conduct.until_close || conduct.keep_open) head += "Connection: close\r\n";
  send(head + "\r\n");
}

void Connection::send(std::string_view bytes) {
  constexpr std::size_t kSplitAtMost = 2000;
  if (!reply_.conduct.split || bytes.size() > kSplitAtMost) return wire_->send(bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) wire_->send(bytes.substr(i, 1));
}

void Connection::told() {
  telling_ = false;
  if (call_ != nullptr && !call_->over) call_->told = reply_.script.told;
}

void Connection::finish() {
  if (reply_.script.chunked) wire_->send("0\r\n\r\n");
  finished_ = true;
  if (wire_->unsent() == 0) end_call();
}

void Connection::end_call() {
  Context& context = desk_.world();
  const Conduct conduct = reply_.conduct;
  call_->complete = !spoiled_;
  context.truth.end(*call_, context.schedule.now());
  call_ = nullptr;
  finished_ = false;
  if (conduct.chatter) wire_->send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  const bool says_close = conduct.until_close && !reply_.script.chunked;
  if (conduct.close_after || says_close || wrong_length_) return close(false);
  idle_.set(context.schedule.now() + desk_.patience());
  reader_.next();
  begin();
}

void Connection::close(bool reset) {
  if (closed_) return;
  closed_ = true;
  next_.set(0);
  idle_.set(0);
  if (call_ != nullptr) {
    Context& context = desk_.world();
    context.note(desk_.place(), fmt::format("ask {} ends early", call_->ask));
    context.truth.end(*std::exchange(call_, nullptr), context.schedule.now());
  }
  if (reset) {
    wire_->reset();
    return desk_.gone(id_, 0);
  }
  wire_->finish();
  // The rest of what was sent is to arrive before the wire goes: destroying it would reset it.
  desk_.gone(id_, 5 * kSecond);
}

}  // namespace weir::sim::provider
