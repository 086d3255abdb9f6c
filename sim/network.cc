#include "network.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "base/check.h"

namespace weir::sim {
namespace {

constexpr DurationNs kFirstRetransmission = 200 * kMillisecond;
constexpr int kMaxRetransmissions = 6;

struct Segment {
  enum class Kind : std::uint8_t { kBytes, kEof, kReset } kind = Kind::kBytes;
  TimeNs due = 0;
  std::string bytes;
};

// One direction: from the sender's buffer through the air into the receiver's.
struct Half {
  std::string pending;  // unsent
  std::deque<Segment> flight;
  std::size_t in_flight = 0;
  std::string arrived;  // and not read
  TimeNs last_due = 0;
  bool finished = false, eof_sent = false, eof_arrived = false, eof_told = false, reset_arrived = false;
  bool reading = true;  // the receiver
  bool stuck = false;   // the sender was told that bytes are unsent
};

}  // namespace

struct Wire::Stream {
  Network::Impl* net = nullptr;
  std::uint64_t number = 0;
  std::string place[2];  // who connected; who accepted
  WireEvents* events[2] = {nullptr, nullptr};
  Half half[2];  // by sender
  bool connected = false, dead = false;
  LinkOptions options;
  Random random{0};
};

struct Network::Impl {
  using Stream = Wire::Stream;
  using Pair = std::pair<std::string, std::string>;

  Impl(Schedule& s, Random r, Trace& t) : schedule(s), random(r), trace(t) {}

  LinkOptions options_of(const std::string& a, const std::string& b) const {
    if (healed) return {};
    for (const Pair& pair : {Pair(a, b), Pair(b, a), Pair(a, "*"), Pair("*", b), Pair(b, "*"), Pair("*", a)}) {
      if (const auto found = links.find(pair); found != links.end()) return found->second;
    }
    const auto any = links.find({"*", "*"});
    return any != links.end() ? any->second : LinkOptions{};
  }

  TimeNs blocked_until(const std::string& from, const std::string& to) const {
    TimeNs until = 0;
    for (const Pair& pair : {Pair(from, to), Pair(from, "*"), Pair("*", to), Pair("*", "*")}) {
      if (const auto found = blocked.find(pair); found != blocked.end()) until = std::max(until, found->second);
    }
    return until > schedule.now() ? until : 0;
  }

  DurationNs latency(Stream& stream) {
    const LinkOptions& link = stream.options;
    DurationNs out = stream.random.between(link.latency_min, link.latency_max);
    DurationNs again = kFirstRetransmission;
    for (int i = 0; i < kMaxRetransmissions && !healed && stream.random.permille(link.loss_permille); ++i, again *= 2)
      out += again;
    return out;
  }

  void put(const std::shared_ptr<Stream>& stream, int from, Segment segment) {
    Half& half = stream->half[from];
    segment.due = std::max(half.last_due, schedule.now() + latency(*stream));
    half.last_due = segment.due;
    half.in_flight += segment.bytes.size();
    const TimeNs due = segment.due;
    half.flight.push_back(std::move(segment));
    schedule.at(due, [this, stream, from] { arrive(stream, from); });
  }

  std::size_t segment_size(Stream& stream, std::size_t left) {
    const std::size_t most = stream.options.segment;
    if (most == 0 || healed) return left;
    return std::min(left, static_cast<std::size_t>(stream.random.between(1, static_cast<std::int64_t>(most))));
  }

  // From the sender's buffer into the air, as far as the window goes.
  void pump(const std::shared_ptr<Stream>& stream, int from) {
    Half& half = stream->half[from];
    if (!stream->connected || stream->dead) return;
    std::size_t at = 0;
    while (at < half.pending.size() && half.in_flight + half.arrived.size() < stream->options.window) {
      const std::size_t room = stream->options.window - half.in_flight - half.arrived.size();
      const std::size_t size = std::min(room, segment_size(*stream, half.pending.size() - at));
      put(stream, from, {.kind = Segment::Kind::kBytes, .due = 0, .bytes = half.pending.substr(at, size)});
      at += size;
    }
    half.pending.erase(0, at);
    if (!half.pending.empty()) {
      half.stuck = true;
    } else if (half.finished && !std::exchange(half.eof_sent, true)) {
      put(stream, from, {.kind = Segment::Kind::kEof, .due = 0, .bytes = {}});
    } else if (std::exchange(half.stuck, false)) {
      schedule.after(0, [stream, from] {
        if (stream->events[from] != nullptr && stream->half[from].pending.empty())
          stream->events[from]->on_wire_drained();
      });
    }
  }

  void arrive(const std::shared_ptr<Stream>& stream, int from) {
    Half& half = stream->half[from];
    if (const TimeNs until = blocked_until(stream->place[from], stream->place[1 - from])) {
      schedule.at(until, [this, stream, from] { arrive(stream, from); });
      return;
    }
    while (!half.flight.empty() && half.flight.front().due <= schedule.now()) {
      Segment segment = std::move(half.flight.front());
      half.flight.pop_front();
      half.in_flight -= segment.bytes.size();
      half.arrived += segment.bytes;
      half.eof_arrived = half.eof_arrived || segment.kind == Segment::Kind::kEof;
      half.reset_arrived = half.reset_arrived || segment.kind == Segment::Kind::kReset;
      deliver(stream, from);  // each by itself, also those that come at one instant
    }
  }

  // What has arrived, to the receiver, if it reads.
  void deliver(const std::shared_ptr<Stream>& stream, int from) {
    Half& half = stream->half[from];
    const int to = 1 - from;
    if (stream->events[to] == nullptr) {
      if (!half.arrived.empty() && !stream->dead) reset(stream, to);  // nobody is there any more
      half.arrived.clear();
      return;
    }
    if (half.reset_arrived) {
      stream->dead = true;
      std::exchange(stream->events[to], nullptr)->on_wire_reset(false);
      return;
    }
    if (!half.reading) return;
    if (!half.arrived.empty()) {
      const std::string bytes = std::exchange(half.arrived, {});
      stream->events[to]->on_wire_bytes(bytes);
      pump(stream, from);
    }
    if (half.eof_arrived && half.arrived.empty() && half.reading && stream->events[to] != nullptr &&
        !std::exchange(half.eof_told, true)) {
      stream->events[to]->on_wire_eof();
    }
  }

  // By one end: what is in the air may still arrive, then the other end hears of it.
  void reset(const std::shared_ptr<Stream>& stream, int by) {
    if (stream->dead) return;
    stream->dead = true;
    stream->events[by] = nullptr;
    Half& half = stream->half[by];
    half.pending.clear();
    if (stream->random.permille(500)) {
      half.flight.clear();
      half.in_flight = 0;
    }
    if (stream->connected) put(stream, by, {.kind = Segment::Kind::kReset, .due = 0, .bytes = {}});
  }

  void arrive_connection(const std::shared_ptr<Stream>& stream) {
    if (stream->dead) return;
    if (const TimeNs until = blocked_until(stream->place[0], stream->place[1])) {
      schedule.at(until + kFirstRetransmission, [this, stream] { arrive_connection(stream); });
      return;
    }
    const auto found = listeners.find(stream->place[1]);
    WireEvents* events =
        found == listeners.end() ? nullptr : found->second->on_accept(std::unique_ptr<Wire>(new Wire(stream, 1)));
    if (events == nullptr || stream->dead) {
      stream->dead = true;
      schedule.after(latency(*stream), [stream] {
        if (WireEvents* caller = std::exchange(stream->events[0], nullptr)) caller->on_wire_reset(true);
      });
      return;
    }
    stream->connected = true;
    stream->events[1] = events;
    schedule.after(latency(*stream), [this, stream] {
      if (stream->dead || stream->events[0] == nullptr) return;
      stream->events[0]->on_wire_open();
      pump(stream, 0);
    });
    pump(stream, 1);
  }

  Schedule& schedule;
  Random random;
  Trace& trace;
  bool healed = false;
  std::uint64_t count = 0;
  std::map<std::string, Listener*> listeners;
  std::map<Pair, LinkOptions> links;
  std::map<Pair, TimeNs> blocked;  // by direction
  std::map<std::uint64_t, std::weak_ptr<Stream>> streams;
};

Network::Network(Schedule& schedule, Random random, Trace& trace)
    : impl_(std::make_unique<Impl>(schedule, random, trace)) {}
Network::~Network() = default;

void Network::listen(const std::string& place, Listener& listener) {
  impl_->listeners[place] = &listener;
}
void Network::stop_listening(const std::string& place) {
  impl_->listeners.erase(place);
}

std::unique_ptr<Wire> Network::connect(const std::string& from, const std::string& to, WireEvents& events) {
  auto stream = std::make_shared<Wire::Stream>();
  stream->net = impl_.get();
  stream->number = ++impl_->count;
  stream->place[0] = from;
  stream->place[1] = to;
  stream->events[0] = &events;
  stream->options = impl_->options_of(from, to);
  stream->random = impl_->random.fork(fmt::format("{} {} {}", from, to, stream->number));
  impl_->streams[stream->number] = stream;
  impl_->schedule.after(impl_->latency(*stream), [impl = impl_.get(), stream] { impl->arrive_connection(stream); });
  return std::unique_ptr<Wire>(new Wire(std::move(stream), 0));
}

void Network::set_link(const std::string& from, const std::string& to, LinkOptions options) {
  impl_->links[{from, to}] = options;
}

void Network::partition(const std::string& a, const std::string& b, TimeNs until) {
  clog(a, b, until);
  clog(b, a, until);
}

void Network::clog(const std::string& from, const std::string& to, TimeNs until) {
  TimeNs& blocked = impl_->blocked[{from, to}];
  blocked = std::max(blocked, until);
}

std::size_t Network::reset_all(const std::string& a, const std::string& b) {
  const auto is = [](const std::string& pattern, const std::string& place) {
    return pattern == "*" || pattern == place;
  };
  std::size_t out = 0;
  for (const auto& [number, weak] : impl_->streams) {
    const auto stream = weak.lock();
    if (!stream || stream->dead || !stream->connected) continue;
    const auto& [from, to] = stream->place;
    if (!(is(a, from) && is(b, to)) && !(is(a, to) && is(b, from))) continue;
    ++out;
    stream->dead = true;
    for (const int side : {0, 1}) {
      impl_->schedule.after(impl_->latency(*stream), [stream, side] {
        if (WireEvents* events = std::exchange(stream->events[side], nullptr)) events->on_wire_reset(false);
      });
    }
  }
  return out;
}

void Network::heal() {
  impl_->healed = true;
  impl_->blocked.clear();
}

std::size_t Network::open_streams() const {
  std::size_t out = 0;
  for (auto at = impl_->streams.begin(); at != impl_->streams.end();) {
    const auto stream = at->second.lock();
    if (!stream) {
      at = impl_->streams.erase(at);
      continue;
    }
    if (!stream->dead && (stream->events[0] != nullptr || stream->events[1] != nullptr)) ++out;
    ++at;
  }
  return out;
}

// --- one end --------------------------------------------------------------------------------------------------------

Wire::~Wire() {
  Stream& stream = *stream_;
  if (stream.events[side_] == nullptr) return;
  const Half& out = stream.half[side_];
  const Half& in = stream.half[1 - side_];
  if (!stream.dead && out.finished && in.arrived.empty()) {
    stream.events[side_] = nullptr;  // closed: what was sent still arrives
  } else {
    reset();
  }
}

void Wire::send(std::string_view bytes) {
  Stream& stream = *stream_;
  if (stream.dead || stream.events[side_] == nullptr) return;
  WEIR_CHECK(!stream.half[side_].finished);
  stream.half[side_].pending += bytes;
  stream.net->pump(stream_, side_);
}

void Wire::finish() {
  Stream& stream = *stream_;
  if (stream.dead || stream.half[side_].finished) return;
  stream.half[side_].finished = true;
  stream.net->pump(stream_, side_);
}

void Wire::reset() {
  stream_->net->reset(stream_, side_);
  stream_->events[side_] = nullptr;
}

void Wire::want_read(bool on) {
  Half& half = stream_->half[1 - side_];
  if (half.reading == on) return;
  half.reading = on;
  if (!on) return;
  Network::Impl* net = stream_->net;
  net->schedule.after(0, [net, stream = stream_, from = 1 - side_] { net->deliver(stream, from); });
}

std::size_t Wire::unsent() const {
  return stream_->half[side_].pending.size();
}

bool Wire::open() const {
  return stream_->connected && !stream_->dead && stream_->events[side_] != nullptr;
}

const std::string& Wire::peer() const {
  return stream_->place[1 - side_];
}

}  // namespace weir::sim
