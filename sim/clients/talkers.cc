#include "clients/talkers.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::sim::client {
namespace {

// A question now and then; also the thousand keys of a tenant, and the slow reader.
class Human final : public Actor {
 public:
  using Actor::Actor;

 private:
  void act() override {
    ask(wish(), {.system = {}, .turns = {question(between(manners_.prompt))}, .tools = {}, .previous = {}}, {});
  }
  void heard(const Ask&, const Heard& answer) override { rest(answer.wait); }
};

// A talk that grows, turn by turn, then another one.
class Conversational final : public Actor {
 public:
  using Actor::Actor;

 private:
  void act() override {
    if (left_ <= 0) begin();
    talk_.turns.push_back(question(between(manners_.prompt)));
    Extra extra;
    if (!manners_.service) extra.headers.emplace_back("X-Weir-Conversation", conversation_);
    ask(wish_, talk_, extra);
  }

  void begin() {
    wish_ = wish();
    talk_ = {.system = "You answer briefly.", .turns = {}, .tools = {}, .previous = {}};
    left_ = between(manners_.turns);
    conversation_ = fmt::format("{}-{}", manners_.name, ++talks_);
  }

  void heard(const Ask&, const Heard& answer) override {
    if (answer.end == AskEnd::kAnswered) {
      --left_;
      talk_.turns.push_back({.who = Turn::Who::kModel, .text = answer.text, .calls = {}, .call_id = {}, .tool = {}});
      if (wish_.operation == Operation::kResponses && random_.permille(500)) talk_.previous = answer.answer_id;
    } else {
      talk_.turns.pop_back();
      if (random_.permille(100)) left_ = 0;
    }
    rest(answer.wait);
  }

  Wish wish_;
  Talk talk_;
  std::int64_t left_ = 0, talks_ = 0;
  std::string conversation_;
};

// Many at once, over its connections; the next lot when all are done.
class Batch final : public Actor {
 public:
  using Actor::Actor;

 private:
  void act() override {
    open_ = between(manners_.burst);
    longest_.reset();
    for (std::int64_t i = 0; i < open_; ++i) {
      ask(wish(), {.system = {}, .turns = {question(between(manners_.prompt))}, .tools = {}, .previous = {}}, {},
          static_cast<std::size_t>(i));
    }
  }
  void heard(const Ask&, const Heard& answer) override {
    if (answer.wait) longest_ = std::max(longest_.value_or(0), *answer.wait);
    if (--open_ == 0) rest(longest_);
  }

  std::int64_t open_ = 0;
  std::optional<DurationNs> longest_;
};

// Leaves at any moment: while it sends, while it waits, while it reads.
class Disconnector final : public Actor {
 public:
  using Actor::Actor;

 private:
  void act() override {
    Extra extra;
    if (random_.permille(800))
      extra.patience = random_.permille(300) ? random_.between(1, 20 * kMillisecond) : random_.between(1, 8 * kSecond);
    ask(wish(), {.system = {}, .turns = {question(between(manners_.prompt))}, .tools = {}, .previous = {}}, extra);
  }
  void heard(const Ask&, const Heard& answer) override { rest(answer.wait); }
};

// Comes back at once with the same request, whatever it was told, until it is tired of it.
class Retrier final : public Actor {
 public:
  using Actor::Actor;

 private:
  void act() override {
    wish_ = wish();
    talk_ = {.system = {}, .turns = {question(between(manners_.prompt))}, .tools = {}, .previous = {}};
    left_ = between(manners_.burst);
    again(true);
  }
  void again(bool first) {
    Extra extra;
    extra.mark_in_header = true;
    extra.ordinary = first;
    ask(wish_, talk_, extra);
  }
  void heard(const Ask&, const Heard& answer) override {
    if (answer.end == AskEnd::kAnswered || --left_ <= 0) return rest();
    again(false);
  }

  Wish wish_;
  Talk talk_;
  std::int64_t left_ = 0;
};

// Alone on its key: asks until it is refused, then comes back a millisecond before the wait it was told is over, and
// once more when it is.
class Prober final : public Actor {
 public:
  using Actor::Actor;

 private:
  enum class Phase : std::uint8_t { kFilling, kEarly, kOnTime };

  void act() override {
    if (phase_ == Phase::kFilling) {
      wish_ = wish();
      talk_ = {.system = {}, .turns = {question(between(manners_.prompt))}, .tools = {}, .previous = {}};
    }
    ask(wish_, talk_, {});
  }

  void heard(const Ask& asked, const Heard& answer) override {
    const bool refused = answer.end == AskEnd::kRefused && answer.wait.has_value();
    if (!refused || *answer.wait > kMostWait) {
      phase_ = Phase::kFilling;
      return rest();
    }
    if (phase_ != Phase::kEarly) {
      // As long after sending as it takes to be there a millisecond early, if every way takes the same time.
      phase_ = Phase::kEarly;
      due_ = asked.sent + *answer.wait;
      return wake_in(due_ - kMillisecond - context_.schedule.now());
    }
    phase_ = Phase::kOnTime;
    // The refusal in between may have told another wait: the last one counts, from when it was heard.
    wake_in(std::max(due_ - context_.schedule.now(), *answer.wait));
  }

  static constexpr DurationNs kMostWait = 20 * kMinute;
  Phase phase_ = Phase::kFilling;
  TimeNs due_ = 0;
  Wish wish_;
  Talk talk_;
};

}  // namespace

std::unique_ptr<Client> make_human(const Manners& manners, Context& context) {
  return std::make_unique<Human>(manners, context);
}
std::unique_ptr<Client> make_conversational(const Manners& manners, Context& context) {
  return std::make_unique<Conversational>(manners, context);
}
std::unique_ptr<Client> make_batch(const Manners& manners, Context& context) {
  return std::make_unique<Batch>(manners, context);
}
std::unique_ptr<Client> make_disconnector(const Manners& manners, Context& context) {
  return std::make_unique<Disconnector>(manners, context);
}
std::unique_ptr<Client> make_retrier(const Manners& manners, Context& context) {
  return std::make_unique<Retrier>(manners, context);
}
std::unique_ptr<Client> make_prober(const Manners& manners, Context& context) {
  return std::make_unique<Prober>(manners, context);
}

}  // namespace weir::sim::client
