#include "clients/agents.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "words.h"

namespace weir::sim::client {
namespace {

Turn model_turn(const Heard& answer) {
  return {.who = Turn::Who::kModel, .text = answer.text, .calls = answer.calls, .call_id = {}, .tool = {}};
}

Turn tool_turn(const ToolCall& call, std::string result, bool failed) {
  return {.who = Turn::Who::kTool,
          .text = std::move(result),
          .calls = {},
          .call_id = call.id,
          .tool = call.name,
          .failed = failed};
}

Turn user_turn(std::string text) {
  return {.who = Turn::Who::kUser, .text = std::move(text), .calls = {}, .call_id = {}, .tool = {}};
}

// One prompt, and the calls that it leads to, step by step; a new prompt when nothing is left to do.
class Agent : public Actor {
 public:
  using Actor::Actor;

 protected:
  // What the user or a result says so that the model calls tools next; empty: it shall answer.
  virtual std::string script() = 0;
  virtual std::string result_of(const ToolCall& call) {
    return fmt::format("{} says {}", call.name, random_.below(100'000));
  }
  virtual Extra manner() { return {}; }
  virtual void begun() {}
  virtual void progress(const Heard&) {}

  void act() override {
    if (steps_ == 0) begin();
    ask(wish_, talk_, manner());
  }

  void begin() {
    wish_ = wish();
    talk_ = {.system = "You are an agent. You use tools.", .turns = {}, .tools = manners_.tools, .previous = {}};
    left_ = between(manners_.turns);
    begun();
    talk_.turns.push_back(user_turn(words(between(manners_.prompt), random_) + script()));
  }

  void heard(const Ask&, const Heard& answer) override {
    progress(answer);
    const bool goes_on = answer.end == AskEnd::kAnswered && !answer.calls.empty() && --left_ > 0;
    if (!goes_on) {
      const bool again = answer.end != AskEnd::kAnswered && random_.permille(300);
      if (!again) steps_ = 0;
      return rest(answer.wait);
    }
    ++steps_;
    talk_.turns.push_back(model_turn(answer));
    for (const ToolCall& call : answer.calls) {
      talk_.turns.push_back(tool_turn(call, result_of(call), random_.permille(50)));
    }
    talk_.turns.back().text += script();
    wake_in(random_.between(50 * kMillisecond, 3 * kSecond));
  }

  std::string call_mark(std::string_view argument) {
    return fmt::format(" [[call {} {}]]", any(manners_.tools), argument);
  }

  Wish wish_;
  Talk talk_;
  std::int64_t steps_ = 0, left_ = 0;
};

// Spawns sub-agents by lineage: children ask a question each, and some of them have children of their own.
class FanOut final : public Agent {
 public:
  using Agent::Agent;

 private:
  struct Child {
    std::string lineage;
    int depth = 1;
  };

  std::string script() override { return random_.permille(600) ? call_mark(std::to_string(random_.below(1000))) : ""; }

  void act() override {
    if (children_.empty()) return Agent::act();
    child_ = children_.front();
    children_.pop_front();
    Extra extra;
    extra.headers.emplace_back("X-Weir-Lineage", child_->lineage);
    Talk talk{
        .system = "You are a sub-agent.", .turns = {question(between(manners_.prompt))}, .tools = {}, .previous = {}};
    ask(wish_, talk, extra);
  }

  void heard(const Ask& asked, const Heard& answer) override {
    const bool spawns = answer.end == AskEnd::kAnswered && !answer.lineage.empty();
    if (!child_) {
      if (spawns && steps_ == 0) spawn(answer.lineage, 1);
      return Agent::heard(asked, answer);
    }
    const int depth = child_->depth;
    child_.reset();
    if (spawns && depth < 3 && random_.permille(300)) spawn(answer.lineage, depth + 1);
    if (answer.end == AskEnd::kRefused) children_.clear();
    if (children_.empty()) return rest(answer.wait);
    wake_in(random_.between(10 * kMillisecond, kSecond));
  }

  void spawn(const std::string& lineage, int depth) {
    const std::int64_t more = random_.between(1, 4);
    for (std::int64_t i = 0; i < more; ++i) children_.push_back({lineage, depth});
  }

  std::deque<Child> children_;
  std::optional<Child> child_;
};

// Runs away: the same tool with the same arguments, and the same result, until it is stopped.
class Loop final : public Agent {
 public:
  using Agent::Agent;

 private:
  std::string script() override { return fmt::format(" [[call {} {}]]", tool_, argument_); }
  std::string result_of(const ToolCall&) override { return "Nothing new."; }
  void begun() override {
    tool_ = any(manners_.tools);
    argument_ = random_.below(1000);
  }
  Extra manner() override {
    Extra extra;
    extra.ordinary = false;
    extra.mark_in_header = true;
    extra.run = random_named_ ? fmt::format("{}-run-{}", manners_.name, argument_) : std::string();
    return extra;
  }
  void progress(const Heard&) override { random_named_ = steps_ == 0 ? random_.permille(400) : random_named_; }

  std::string tool_;
  std::uint64_t argument_ = 0;
  bool random_named_ = false;
};

// Many calls in every answer.
class ToolSpammer final : public Agent {
 public:
  using Agent::Agent;

 private:
  std::string script() override {
    std::string out;
    const std::int64_t calls = between(manners_.burst);
    for (std::int64_t i = 0; i < calls; ++i) out += call_mark(std::to_string(random_.below(100'000)));
    return out;
  }
  Extra manner() override {
    Extra extra;
    extra.ordinary = false;
    return extra;
  }
};

// Names its run and brings a budget for all of it.
class Budgeter final : public Agent {
 public:
  using Agent::Agent;

 private:
  std::string script() override { return random_.permille(700) ? call_mark(std::to_string(random_.below(1000))) : ""; }
  void begun() override {
    run_ = fmt::format("{}-{}", manners_.name, ++runs_);
    budget_ = fmt::format("tokens={}", random_.between(500, 6000));
    if (random_.permille(500)) budget_ += fmt::format(", usd=0.0{}", random_.between(1, 9));
  }
  Extra manner() override {
    Extra extra;
    extra.run = run_;
    // Sent with the first call only, mostly: saying it again changes nothing.
    if (steps_ == 0 || random_.permille(100)) extra.headers.emplace_back("X-Weir-Run-Budget", budget_);
    return extra;
  }

  std::string run_, budget_;
  std::int64_t runs_ = 0;
};

}  // namespace

std::unique_ptr<Client> make_fan_out(const Manners& manners, Context& context) {
  return std::make_unique<FanOut>(manners, context);
}
std::unique_ptr<Client> make_loop(const Manners& manners, Context& context) {
  return std::make_unique<Loop>(manners, context);
}
std::unique_ptr<Client> make_tool_spammer(const Manners& manners, Context& context) {
  return std::make_unique<ToolSpammer>(manners, context);
}
std::unique_ptr<Client> make_budgeter(const Manners& manners, Context& context) {
  return std::make_unique<Budgeter>(manners, context);
}

}  // namespace weir::sim::client
