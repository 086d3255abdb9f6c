// The network: byte streams between named places, with latency, loss, segments of any size, windows, and faults.
//
//   network.listen("openai", provider);                       // Listener::on_accept for each connection
//   std::unique_ptr<Wire> wire = network.connect("weir", "openai", *this);
//   wire->send(bytes);  wire->finish();                        // half close; destroying the Wire resets what is left
//
// A stream behaves as TCP does to a program: bytes come in order or not at all, loss is delay, a partition is silence
// (and, for connections being made, silence until the caller's own deadline), a reset is told to both ends.
// Events come in turns of their own, never from inside a call to a Wire. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "random.h"
#include "schedule.h"
#include "trace.h"

namespace weir::sim {

class WireEvents {
 public:
  virtual ~WireEvents() = default;
  virtual void on_wire_open() {}  // to the end that connected
  virtual void on_wire_bytes(std::string_view bytes) = 0;
  virtual void on_wire_eof() = 0;                // the other end finished
  virtual void on_wire_reset(bool refused) = 0;  // nothing follows; refused: nobody listened there
  virtual void on_wire_drained() {}              // everything unsent has left
};

struct LinkOptions {
  DurationNs latency_min = 200 * kMicrosecond, latency_max = 2 * kMillisecond;
  std::int64_t loss_permille = 0;  // of segments: each loss costs a retransmission time-out, doubling from 200 ms
  std::size_t segment = 0;         // 0: as sent; 1: byte by byte; n: 1 to n bytes, by chance
  std::size_t window = 256 << 10;  // bytes that may be under way or unread; the rest is `unsent` at the sender
};

class Network;

// One end. Its owner destroys it when done with it.
class Wire {
 public:
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  void send(std::string_view bytes);
  void finish();            // no more from here; the other end reads eof after everything sent
  void reset();             // at once; our own events get nothing more
  void want_read(bool on);  // off: what arrives waits, and then the sender does
  std::size_t unsent() const;
  bool open() const;                // connected, and neither reset nor finished by both
  const std::string& peer() const;  // the place at the other end

 private:
  friend class Network;
  struct Stream;
  Wire(std::shared_ptr<Stream> stream, int side) : stream_(std::move(stream)), side_(side) {}
  std::shared_ptr<Stream> stream_;
  int side_;
};

class Listener {
 public:
  virtual ~Listener() = default;
  // Takes the connection and says who hears of it (before the caller's on_wire_open()). Null: refused.
  virtual WireEvents* on_accept(std::unique_ptr<Wire> wire) = 0;
};

class Network {
 public:
  Network(Schedule& schedule, Random random, Trace& trace);
  ~Network();

  void listen(const std::string& place, Listener& listener);
  void stop_listening(const std::string& place);
  std::unique_ptr<Wire> connect(const std::string& from, const std::string& to, WireEvents& events);

  // Of both directions between two places; "*" stands for any place without options of its own.
  void set_link(const std::string& from, const std::string& to, LinkOptions options);
  // --- faults, between two places ("*": any) --------------------------------------------------------------------
  void partition(const std::string& a, const std::string& b, TimeNs until);  // nothing passes, either way
  void clog(const std::string& from, const std::string& to, TimeNs until);   // this direction waits, then goes on
  std::size_t reset_all(const std::string& a, const std::string& b);         // connections that were reset
  void heal();  // no faults, no loss, no partition from now on

  std::size_t open_streams() const;

 private:
  friend class Wire;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::sim
