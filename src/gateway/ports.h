// What the gateway needs from the world: a client connection, upstream connections, deadlines. src/net implements these
// with sockets; tests and simulation with plain objects.
//
// Everything happens on one worker's thread. Bytes given to send() leave at the end of the worker's turn, after the
// journal was written. An event is never delivered from inside a call to the same port.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "providers/simulator.h"

namespace weir {

// The client's side of one accepted connection. Its events go to Session.
class ClientPort {
 public:
  virtual ~ClientPort() = default;
  virtual void send(std::string_view bytes) = 0;
  virtual std::size_t unsent() const = 0;  // bytes not yet taken by the kernel
  virtual void want_read(bool on) = 0;
  virtual void set_deadline(TimeNs at) = 0;  // 0: none; one deadline per port
  virtual void close_after_send() = 0;       // sends what is queued, then closes without losing it
  virtual void abort() = 0;                  // closes at once; on_closed() is not called
};

// Where a provider or upstream lives.
struct Origin {
  std::string host;
  std::uint16_t port = 0;
  bool tls = false;
  std::string ca;  // PEM file; empty: the system's
  DurationNs connect_timeout = 2 * kSecond;
  const SimulatorOptions* simulate = nullptr;  // answers in process
};

enum class UpstreamFailure : std::uint8_t { kResolve, kConnect, kTls, kReset, kConnectTimeout };

class UpstreamEvents {
 public:
  virtual ~UpstreamEvents() = default;
  virtual void on_upstream_bytes(std::string_view bytes) = 0;
  virtual void on_upstream_eof() = 0;  // orderly close by the other side
  virtual void on_upstream_failed(UpstreamFailure failure, const std::string& detail) = 0;
  virtual void on_upstream_deadline() = 0;
};

class UpstreamPort {
 public:
  virtual ~UpstreamPort() = default;
  virtual void send(std::string_view bytes) = 0;  // may be called before the connection is up
  virtual void want_read(bool on) = 0;
  virtual void set_deadline(TimeNs at) = 0;        // 0: none
  virtual bool reused() const = 0;                 // came from the pool
  virtual bool connected() const { return true; }  // false: nothing can have been sent yet
  // Gives the port back: to the pool if reusable, else closed. No event follows; the pointer is dead.
  virtual void release(bool reusable) = 0;
};

class Dialer {
 public:
  virtual ~Dialer() = default;
  // Never null. `fresh`: not from the pool. The events must outlive the port (until release or a failure event, after
  // which release(false) is still due).
  virtual UpstreamPort* dial(const Origin& origin, UpstreamEvents& events, bool fresh) = 0;
};

}  // namespace weir
