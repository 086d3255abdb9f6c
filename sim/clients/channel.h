// One connection of a client to Weir, made anew whenever it is lost: requests one after the other, or pipelined; each
// ends its Ask exactly once, whatever happens to the connection.
//
//   Channel channel(context, random, {.depth = 2});
//   channel.submit([&](std::uint64_t number) { return Outgoing{…}; });   // asked for once it can be sent
//
// One thread. At most kMaxWaiting requests wait for the connection; more are dropped before they begin.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "clients/hearing.h"
#include "context.h"
#include "world.h"

namespace weir::sim::client {

struct Outgoing {
  Ask ask;  // its facts; the number comes from the truth
  Operation operation = Operation::kChat;
  std::string method = "POST", target, body;
  HeaderList headers;
  std::string raw;                    // instead of all of these: sent as it is
  DurationNs patience = 5 * kMinute;  // then it leaves
  std::function<void(const Ask&, const Heard&)> done;
};
using Make = std::function<std::optional<Outgoing>(std::uint64_t number)>;

struct ChannelOptions {
  int depth = 1;                       // requests on the way at once
  std::int64_t close_permille = 50;    // of answers after which it closes, though it need not
  std::int64_t chunked_permille = 50;  // of bodies
  std::int64_t pieces_permille = 50;   // of requests that are sent in several pieces
  Range pause{0, 0};                   // slow readers: between two reads
};

class Channel final : public WireEvents {
 public:
  static constexpr std::size_t kMaxWaiting = 4096;

  Channel(Context& context, Random random, ChannelOptions options);
  ~Channel() override;
  void submit(Make make);
  void drop_waiting() { waiting_.clear(); }
  std::size_t open() const { return flights_.size(); }
  std::size_t waiting() const { return waiting_.size(); }

  void on_wire_open() override;
  void on_wire_bytes(std::string_view bytes) override;
  void on_wire_eof() override;
  void on_wire_reset(bool refused) override;

 private:
  struct Flight {
    Ask* ask;
    Hearing hearing;
    TimeNs deadline;
    std::function<void(const Ask&, const Heard&)> done;
  };
  void pump();
  void send(Outgoing outgoing);
  void post(std::string bytes);
  void connect();
  void read_answers();
  void complete(bool whole, AskEnd otherwise);
  void lose(AskEnd how);
  void drop_wire(bool polite);
  void back_off();
  void watch();
  void expire();

  Context& context_;
  Random random_;
  ChannelOptions options_;
  std::deque<Make> waiting_;
  std::deque<Flight> flights_;
  std::unique_ptr<Wire> wire_;
  std::shared_ptr<int> generation_;  // of the wire; what is scheduled for an older one does nothing
  bool open_ = false, closing_ = false;
  HttpReader reader_{HttpReader::Side::kAnswers};
  DurationNs backoff_ = 0;
  TimeNs connect_by_ = 0, not_before_ = 0;
  Timer deadline_, pump_, resume_;
};

}  // namespace weir::sim::client
