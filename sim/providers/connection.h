// One connection of a provider: reads requests, plays the scripts of their answers, keeps the book of each call.
//
// Owned by the provider, which is its Desk. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "context.h"
#include "http_reader.h"
#include "network.h"
#include "providers/conduct.h"
#include "providers/script.h"

namespace weir::sim::provider {

struct Reply {
  Question question;
  Conduct conduct;
  Script script;
  bool lied = false;
};

// Whom a connection belongs to.
class Desk {
 public:
  virtual ~Desk() = default;
  virtual Reply answer(const HttpHead& head, const std::string& body) = 0;
  virtual Context& world() = 0;
  virtual const std::string& place() const = 0;
  virtual Random& chance() = 0;
  virtual bool healthy() const = 0;
  virtual DurationNs patience() = 0;                          // with a connection on which nothing happens
  virtual void gone(std::uint64_t id, DurationNs after) = 0;  // it can be destroyed then
};

class Connection final : public WireEvents {
 public:
  Connection(std::uint64_t id, std::unique_ptr<Wire> wire, Desk& desk);
  void on_wire_bytes(std::string_view bytes) override;
  void on_wire_eof() override;
  void on_wire_reset(bool refused) override;
  void on_wire_drained() override;
  void abort();  // resets it
  void go_on();  // from now on all goes well, also what is stalled
  bool busy() const { return call_ != nullptr; }

 private:
  void begin();
  void play();
  void play_step(Step& step);
  bool fail_here();
  void send_head(std::size_t body);
  void send(std::string_view bytes);
  void told();
  void finish();
  void end_call();
  void close(bool reset);
  bool last_step() const { return at_ + 1 >= reply_.script.steps.size(); }

  std::uint64_t id_;
  std::unique_ptr<Wire> wire_;
  Desk& desk_;
  HttpReader reader_{HttpReader::Side::kRequests};
  std::string body_;
  Reply reply_;
  Call* call_ = nullptr;
  std::size_t at_ = 0, bad_step_ = 0;
  bool head_sent_ = false, stalled_ = false, spoiled_ = false, wrong_length_ = false, telling_ = false,
       finished_ = false, closed_ = false;
  Timer next_, idle_;
};

}  // namespace weir::sim::provider
