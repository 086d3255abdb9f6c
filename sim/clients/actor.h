// What the simulated clients have in common: whose key, which dialects and models, how often, and how they ask.
//
//   class Human final : public Actor { … void act() override { ask(wish(), talk, {}); } };
//
// One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client.h"
#include "clients/asking.h"
#include "clients/channel.h"
#include "context.h"

namespace weir::sim::client {

struct Manners {
  Manners(const Settings& settings, std::string actor_name);

  std::string kind, name, key, keys, tenant;
  bool service = false;
  Range every, prompt, max_tokens, timeout, turns, burst;
  std::int64_t stream, connections, depth, uncapped, honest, json_array, no_include_usage;
  std::vector<std::string> dialects, models, tools, paths, overrides;
  ChannelOptions channel;
  std::string bad_dialect;  // empty: all are known
};

struct Extra {
  HeaderList headers;
  bool ordinary = true;
  bool mark_in_header = false;  // the body stays the same from one ask to the next
  std::string run;
  std::optional<DurationNs> patience;
};

class Actor : public Client {
 public:
  Actor(Manners manners, Context& context);
  void start() override;
  void stop() override;
  std::size_t open_asks() const override;

 protected:
  virtual void act() = 0;  // it is time for something
  virtual void heard(const Ask&, const Heard&) {}

  bool stopped() const { return stopped_ || context_.healing; }
  // Next act() after the usual time, and not before `wait` is over, if it keeps to what it is told.
  void rest(std::optional<DurationNs> told = std::nullopt);
  void wake_in(DurationNs wait) { timer_.set(context_.schedule.now() + std::max<DurationNs>(1, wait)); }

  Wish wish();  // as many models as dialects: each model with the dialect at its place
  Turn question(std::int64_t tokens);
  std::int64_t between(Range range) { return random_.between(range.first, range.second); }
  const std::string& any(const std::vector<std::string>& of) { return of[random_.below(of.size())]; }
  void ask(const Wish& wish, const Talk& talk, const Extra& extra, std::size_t channel = 0);
  // Everything but the talk: key, label and the facts of the ask.
  Outgoing outgoing(std::uint64_t number, Operation operation, const std::string& body);
  void submit(Make make, std::size_t channel = 0);
  const std::string& secret() const;

  Manners manners_;
  Context& context_;
  Random random_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::vector<std::string> crowd_;  // names of keys, with `keys`

 private:
  std::string pick_key();
  bool stopped_ = false;
  Timer timer_;
  std::string key_now_;
};

}  // namespace weir::sim::client
