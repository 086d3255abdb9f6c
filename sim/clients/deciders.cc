#include "clients/deciders.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "words.h"

namespace weir::sim::client {
namespace {

// Holds are asked for, settled, cancelled or left to expire; each request may be repeated, and answers may be lost.
class Decider final : public Actor {
 public:
  using Actor::Actor;

 private:
  enum class Step : std::uint8_t { kAdmit, kAdmitAgain, kSettle, kCancel, kCheck };
  enum class Plan : std::uint8_t { kSettle, kCancel, kForget };

  void act() override {
    if (step_ == Step::kAdmit || step_ == Step::kCheck) plan();
    submit([this](std::uint64_t number) { return request(number); });
  }

  void plan() {
    step_ = random_.permille(100) ? Step::kCheck : Step::kAdmit;
    tries_ = 0;
    const std::uint64_t what = random_.below(10);
    plan_ = what < 6 ? Plan::kSettle : what < 8 ? Plan::kCancel : Plan::kForget;
    input_ = between(manners_.prompt);
    output_ = between(manners_.max_tokens);
    hold_ = random_.between(5, 90);
    model_ = any(manners_.models);
    tool_ = random_.permille(300) ? any(manners_.tools) : std::string();
  }

  std::string admit_body(std::uint64_t hold) const {
    const std::string id = step_ == Step::kCheck ? std::string() : fmt::format(R"("id":"ask-{}",)", hold);
    const std::string tools = tool_.empty() ? std::string() : fmt::format(R"(,"tools":[{}])", json_string(tool_));
    return fmt::format(R"({{{}"model":{},"estimate":{{"input_tokens":{},"output_tokens":{}}}{}{}}})", id,
                       json_string(model_), input_, output_, tools,
                       step_ == Step::kCheck ? std::string() : fmt::format(R"(,"hold":"{}s")", hold_));
  }

  std::optional<Outgoing> request(std::uint64_t number) {
    static constexpr const char* kTargets[] = {"admit", "admit", "settle", "cancel", "check"};
    static constexpr const char* kRoutes[] = {"admit", "admit-again", "settle", "cancel", "check"};
    if (step_ == Step::kAdmit) hold_ask_ = number;
    std::string body;
    switch (step_) {
      case Step::kSettle:
        body = fmt::format(R"({{"id":"ask-{}","usage":{{"input_tokens":{},"output_tokens":{}}}{}}})", hold_ask_, input_,
                           used_, tool_.empty() ? std::string() : fmt::format(R"(,"tools":[{}])", json_string(tool_)));
        break;
      case Step::kCancel:
        body = fmt::format(R"({{"id":"ask-{}"}})", hold_ask_);
        break;
      default:
        body = admit_body(hold_ask_);
    }
    Outgoing out = outgoing(number, Operation::kDecision, body);
    out.target = fmt::format("/weir/v1/{}", kTargets[static_cast<int>(step_)]);
    out.ask.route = kRoutes[static_cast<int>(step_)];
    out.ask.model = model_;
    out.ask.prompt_tokens = input_;
    out.ask.cap = output_;
    // The row has the label of the request that opened the hold.
    if (step_ != Step::kAdmit)
      std::erase_if(out.headers, [](const auto& header) { return header.first.starts_with("X-Weir-"); });
    if (step_ == Step::kAdmitAgain) {
      out.headers.emplace_back(manners_.service ? "X-Weir-Conversation" : "X-Weir-User",
                               fmt::format("ask-{}", hold_ask_));
    }
    return out;
  }

  void heard(const Ask&, const Heard& answer) override {
    switch (step_) {
      case Step::kAdmit:
      case Step::kAdmitAgain:
        return admitted(answer);
      case Step::kSettle:
      case Step::kCancel:
        return closed(answer);
      case Step::kCheck:
        return rest();
    }
  }

  void admitted(const Heard& answer) {
    const bool lost = answer.status == 0;
    if (lost && tries_++ < 3) {
      step_ = Step::kAdmitAgain;
      return wake_in(random_.between(100 * kMillisecond, 3 * kSecond));
    }
    if (answer.status != 200) {
      step_ = Step::kAdmit;
      return rest(answer.wait);
    }
    // Asked again by habit: the same answer, and nothing more is held.
    if (step_ == Step::kAdmit && random_.permille(100)) {
      step_ = Step::kAdmitAgain;
      return wake_in(random_.between(kMillisecond, kSecond));
    }
    work();
  }

  void work() {
    used_ = random_.permille(100) ? output_ + random_.between(1, 200) : random_.between(0, output_);
    tries_ = 0;
    Call call{.ask = hold_ask_, .provider = "decision", .model = model_, .arrived = context_.schedule.now()};
    call.status = 200;
    if (plan_ != Plan::kCancel) call.produced = {.input_uncached = input_, .output_visible = used_};
    call_ = &context_.truth.arrive(std::move(call));
    // Some take longer than they said.
    const DurationNs length = random_.between(50 * kMillisecond, (hold_ + hold_ / 8) * kSecond);
    if (plan_ == Plan::kForget || stopped()) {
      context_.truth.end(*std::exchange(call_, nullptr), context_.schedule.now());
      step_ = Step::kAdmit;
      return rest();
    }
    step_ = plan_ == Plan::kSettle ? Step::kSettle : Step::kCancel;
    wake_in(length);
  }

  void closed(const Heard& answer) {
    const bool lost = answer.status == 0 || answer.status >= 500;
    if (lost && !stopped() && tries_++ < 6) return wake_in(random_.between(200 * kMillisecond, 5 * kSecond));
    if (call_ != nullptr) {
      call_->complete = answer.status == 200;
      if (call_->complete) call_->told = call_->produced;
      context_.truth.end(*std::exchange(call_, nullptr), context_.schedule.now());
    }
    // Said twice now and then: the answer stays the same.
    if (!lost && random_.permille(100)) return wake_in(random_.between(kMillisecond, kSecond));
    step_ = Step::kAdmit;
    rest();
  }

  Step step_ = Step::kAdmit;
  Plan plan_ = Plan::kSettle;
  int tries_ = 0;
  std::int64_t input_ = 0, output_ = 0, used_ = 0, hold_ = 60;
  std::string model_, tool_;
  std::uint64_t hold_ask_ = 0;
  Call* call_ = nullptr;

 public:
  // Stopped with a hold open: it expires.
  void stop() override {
    Actor::stop();
    if (call_ != nullptr && open_asks() == 0) {
      context_.truth.end(*std::exchange(call_, nullptr), context_.schedule.now());
    }
  }
};

}  // namespace

std::unique_ptr<Client> make_decider(const Manners& manners, Context& context) {
  return std::make_unique<Decider>(manners, context);
}

}  // namespace weir::sim::client
