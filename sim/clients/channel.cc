#include "clients/channel.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::sim::client {
namespace {

constexpr DurationNs kConnectPatience = 8 * kSecond;
constexpr DurationNs kMostBackoff = 30 * kSecond;

}  // namespace

Channel::Channel(Context& context, Random random, ChannelOptions options)
    : context_(context),
      random_(random),
      options_(options),
      deadline_(context.schedule, [this] { expire(); }),
      pump_(context.schedule, [this] { pump(); }),
      resume_(context.schedule, [this] {
        if (wire_) wire_->want_read(true);
      }) {}

Channel::~Channel() = default;

void Channel::submit(Make make) {
  if (waiting_.size() >= kMaxWaiting) return;
  waiting_.push_back(std::move(make));
  pump_.set(std::max(not_before_, context_.schedule.now()));
}

void Channel::pump() {
  while (!waiting_.empty() && static_cast<int>(flights_.size()) < options_.depth) {
    if (!wire_) return connect();
    if (!open_ || closing_) return;
    const Make make = std::move(waiting_.front());
    waiting_.pop_front();
    std::optional<Outgoing> outgoing = make(context_.truth.asks().size() + 1);
    if (outgoing) send(std::move(*outgoing));
  }
}

void Channel::connect() {
  if (context_.schedule.now() < not_before_) return pump_.set(not_before_);
  open_ = closing_ = false;
  reader_ = HttpReader(HttpReader::Side::kAnswers);
  generation_ = std::make_shared<int>(0);
  wire_ = context_.network.connect("clients", "weir", *this);
  connect_by_ = context_.schedule.now() + kConnectPatience;
  watch();
}

void Channel::on_wire_open() {
  open_ = true;
  connect_by_ = 0;
  backoff_ = 0;
  watch();
  pump();
}

void Channel::send(Outgoing outgoing) {
  const TimeNs now = context_.schedule.now();
  outgoing.ask.sent = now;
  Ask& ask = context_.truth.begin(std::move(outgoing.ask));
  flights_.push_back({&ask, Hearing(outgoing.operation), now + outgoing.patience, std::move(outgoing.done)});
  watch();
  if (!outgoing.raw.empty()) return post(std::move(outgoing.raw));
  std::string bytes = fmt::format("{} {} HTTP/1.1\r\nHost: weir\r\n", outgoing.method, outgoing.target);
  for (const auto& [name, value] : outgoing.headers) bytes += fmt::format("{}: {}\r\n", name, value);
  if (!outgoing.body.empty() && random_.permille(options_.chunked_permille)) {
    const std::size_t half = outgoing.body.size() / 2 + 1;
    bytes += "Transfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < outgoing.body.size(); at += half) {
      const std::string piece = outgoing.body.substr(at, half);
      bytes += fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
    }
    bytes += "0\r\n\r\n";
  } else {
    if (outgoing.method == "POST") bytes += fmt::format("Content-Length: {}\r\n", outgoing.body.size());
    bytes += "\r\n" + outgoing.body;
  }
  post(std::move(bytes));
}

// At once, or in pieces with a little time between them; then nothing else may be sent meanwhile.
void Channel::post(std::string bytes) {
  if (options_.depth > 1 || !random_.permille(options_.pieces_permille)) return wire_->send(bytes);
  const std::size_t cut = 1 + random_.below(bytes.size());
  wire_->send(std::string_view(bytes).substr(0, cut));
  context_.schedule.after(random_.between(kMillisecond, 800 * kMillisecond),
                          [this, rest = bytes.substr(cut), alive = std::weak_ptr<int>(generation_)] {
                            if (!alive.expired() && wire_ && open_) wire_->send(rest);
                          });
}

void Channel::on_wire_bytes(std::string_view bytes) {
  if (!wire_) return;
  if (options_.pause.second > 0) {
    wire_->want_read(false);
    resume_.set(context_.schedule.now() + random_.between(options_.pause.first, options_.pause.second));
  }
  reader_.feed(bytes);
  read_answers();
}

void Channel::read_answers() {
  while (!flights_.empty()) {
    Hearing& hearing = flights_.front().hearing;
    const HttpReader::State state = reader_.state();
    if (state == HttpReader::State::kBroken) {
      drop_wire(false);
      return lose(AskEnd::kBroken);
    }
    if (state == HttpReader::State::kHead) return;
    if (!hearing.begun()) hearing.begin(reader_.head());
    if (const std::string body = reader_.take_body(); !body.empty()) hearing.take(body);
    if (state != HttpReader::State::kDone) return;
    const bool keep = reader_.keeps_open() && !random_.permille(options_.close_permille);
    closing_ = !keep;
    complete(true, AskEnd::kBroken);
    if (!keep) {
      drop_wire(true);
      return lose(AskEnd::kBroken);
    }
    reader_.next();
  }
  pump_.set(context_.schedule.now());
}

// The front's answer is over.
void Channel::complete(bool whole, AskEnd otherwise) {
  Flight flight = std::move(flights_.front());
  flights_.pop_front();
  const Heard heard = flight.hearing.conclude(whole);
  Ask& ask = *flight.ask;
  ask.status = heard.status;
  ask.request_id = heard.request_id;
  ask.refusal = heard.refusal;
  ask.tokens_received = heard.tokens;
  const AskEnd end = heard.end == AskEnd::kBroken ? otherwise : heard.end;
  context_.truth.end(ask, end, context_.schedule.now());
  static constexpr const char* kWords[] = {"open", "answered", "refused", "failed", "broken", "left"};
  context_.note(ask.client, fmt::format("ask {} {} {}", ask.number, kWords[static_cast<int>(end)], heard.status));
  watch();
  if (flight.done) flight.done(ask, heard);
}

// Everything under way ends without an answer.
void Channel::lose(AskEnd how) {
  while (!flights_.empty()) complete(false, how);
  if (!waiting_.empty()) pump_.set(std::max(not_before_, context_.schedule.now()));
}

void Channel::drop_wire(bool polite) {
  if (!wire_) return;
  polite ? wire_->finish() : wire_->reset();
  open_ = closing_ = false;
  connect_by_ = 0;
  generation_.reset();
  // Events of its own may still be on the stack.
  context_.schedule.after(0, [wire = std::shared_ptr<Wire>(std::move(wire_))] {});
}

void Channel::back_off() {
  backoff_ = std::clamp<DurationNs>(backoff_ * 2, 200 * kMillisecond, kMostBackoff);
  not_before_ = context_.schedule.now() + random_.between(backoff_ / 2, backoff_);
}

void Channel::on_wire_eof() {
  if (!wire_) return;
  reader_.eof();
  if (reader_.state() == HttpReader::State::kDone) read_answers();
  drop_wire(true);
  lose(AskEnd::kBroken);
}

void Channel::on_wire_reset(bool) {
  if (!wire_) return;
  if (!open_) back_off();
  drop_wire(false);
  lose(AskEnd::kBroken);
}

void Channel::watch() {
  TimeNs first = connect_by_;
  for (const Flight& flight : flights_) first = first == 0 ? flight.deadline : std::min(first, flight.deadline);
  deadline_.set(first);
}

// Patience is over: with the connection that is being made, or with an answer; then it leaves.
void Channel::expire() {
  const bool connecting = connect_by_ != 0;
  if (connecting) back_off();
  drop_wire(random_.permille(300));
  lose(connecting ? AskEnd::kBroken : AskEnd::kLeft);
}

}  // namespace weir::sim::client
