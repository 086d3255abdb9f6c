// The simulator behind an UpstreamPort: takes the bytes of one request and plays the answer's bytes in time.
#pragma once

#include <optional>
#include <string>

#include "gateway/http1.h"
#include "gateway/ports.h"
#include "net/loop.h"
#include "providers/simulator.h"

namespace weir {

class SimConnection final : public UpstreamPort, public Disposable, private BodySink {
 public:
  SimConnection(Loop& loop, const SimulatorOptions& options, std::uint64_t ordinal, UpstreamEvents& events);

  void send(std::string_view bytes) override;
  void want_read(bool on) override;
  void set_deadline(TimeNs at) override { deadline_.set(loop_, at); }
  bool reused() const override { return false; }
  void release(bool reusable) override;

 private:
  void on_body(std::string_view bytes) override { body_.append(bytes); }
  void play();

  Loop& loop_;
  SimulatorOptions options_;
  std::uint64_t ordinal_;
  UpstreamEvents* events_;
  RequestParser parser_;
  std::string body_;
  std::optional<SimulatedAnswer> answer_;
  SimulatedStep step_;
  bool has_step_ = false;
  bool paused_ = false;
  TimeNs due_ = 0;
  Timer next_;
  Timer deadline_;
};

}  // namespace weir
