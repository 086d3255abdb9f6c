#include "provider.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "providers/conduct.h"
#include "providers/connection.h"
#include "providers/tools.h"
#include "words.h"

namespace weir::sim {

using provider::AnswerPlan;
using provider::Conduct;
using provider::Connection;
using provider::Dialect;
using provider::Operation;
using provider::Question;
using provider::Script;
using provider::ToolCall;

struct Provider::Impl final : provider::Desk {
  Impl(std::string place, const Settings& settings, Context& into, Provider& self)
      : name(std::move(place)),
        context(into),
        listener(self),
        dice(context.random.fork("provider " + name)),
        habits(settings),
        output(settings.range("output", {5, 400})),
        first_byte(settings.durations("first_byte", {50 * kMillisecond, 3 * kSecond})),
        tokens_per_second(settings.range("tokens_per_second", {100, 100})),
        tool_calls(settings.number("tool_calls", 0)),
        cached(settings.number("cached", 0)),
        idle(settings.durations("idle", {30 * kSecond, 5 * kMinute})),
        down(settings.durations("down", {0, 0})),
        tools(dice.fork("tools"), settings.durations("first_byte", {5 * kMillisecond, 500 * kMillisecond}),
              settings.has("tools") ? settings.words("tools")
                                    : std::vector<std::string>{"search", "lookup", "send_email"},
              settings.number("tool_errors", 0)),
        outage(context.schedule, [this] { toggle(); }) {
    if (!provider::dialect_from(settings.word("dialect", "openai"), dialect)) known = false;
    WEIR_CHECK(known);
    context.network.listen(name, listener);
    if (down.second > 0) outage.set(context.schedule.now() + dice.between(down.first, down.second));
  }

  bool good() const { return healed || context.healing; }

  // From time to time nobody listens, for ten seconds to a minute; half of the time what is open is lost too.
  void toggle() {
    if (away) {
      away = false;
      context.network.listen(name, listener);
      context.note("provider " + name, "is back");
      if (!good()) outage.set(context.schedule.now() + dice.between(down.first, down.second));
      return;
    }
    if (good()) return;
    away = true;
    context.network.stop_listening(name);
    context.note("provider " + name, "is away");
    tools.forget_sessions();
    if (dice.permille(500)) {
      for (const auto& [id, connection] : connections) connection->abort();
    }
    outage.set(context.schedule.now() + dice.between(10 * kSecond, kMinute));
  }

  void plan_calls(const Question& question, AnswerPlan& plan) {
    plan.calls = question.asked;
    if (plan.calls.empty() && !question.tools.empty() && !good() && dice.permille(tool_calls)) {
      plan.calls.push_back({.id = {},
                            .name = question.tools[dice.below(question.tools.size())],
                            .arguments = fmt::format(R"({{"q":"{}"}})", dice.below(100))});
    }
    std::int64_t total = 0;
    for (const ToolCall& call : plan.calls) total += provider_tokens(call);
    if (question.cap > 0 && total > question.cap) plan.calls.clear();
    if (plan.calls.empty()) return;
    plan.output = total + std::min<std::int64_t>(plan.output, dice.between(0, 20));
    if (question.cap > 0) plan.output = std::min(plan.output, question.cap);
    for (ToolCall& call : plan.calls) call.id = fmt::format("call_{}_{}", name, next_id++);
  }

  static std::int64_t provider_tokens(const ToolCall& call) { return call_tokens(call.name, call.arguments); }

  AnswerPlan plan_answer(const Question& question, const Conduct& conduct) {
    AnswerPlan plan{.id = fmt::format("{}-{}", name, next_id++)};
    const bool embeds = question.operation == Operation::kEmbeddings || question.operation == Operation::kOllamaEmbed;
    const std::int64_t wish = dice.between(output.first, output.second);
    plan.output = embeds ? 0 : question.cap > 0 ? std::min(wish, question.cap) : wish;
    if (dice.permille(cached)) plan.cached = question.prompt_tokens / 2;
    plan.first_byte = dice.between(first_byte.first, first_byte.second);
    plan.tokens_per_second = dice.between(tokens_per_second.first, tokens_per_second.second);
    if (!embeds) plan_calls(question, plan);
    plan.no_usage = conduct.no_usage;
    plan.double_usage = conduct.double_usage;
    plan.usage_delay = conduct.late_usage ? dice.between(2 * kSecond, 30 * kSecond) : 0;
    const Usage bill{.input_uncached = question.prompt_tokens - plan.cached,
                     .cache_read = plan.cached,
                     .output_visible = plan.output};
    if (conduct.lie) plan.lie = provider::lie_about(bill, dice);
    return plan;
  }

  provider::Reply answer(const HttpHead& head, const std::string& body) override {
    provider::Reply reply;
    reply.question = provider::read_question(dialect, head, body);
    const Question& question = reply.question;
    reply.conduct = good() ? Conduct{} : habits.draw(dice);
    if (question.operation == Operation::kUnknown || !question.valid) {
      reply.conduct = {};
      reply.script = provider::write_error(question, question.valid ? 404 : 400, 0);
    } else if (reply.conduct.status != 200) {
      reply.script = provider::write_error(question, reply.conduct.status, reply.conduct.retry_after_s);
    } else if (question.operation == Operation::kMcp || question.operation == Operation::kHttp) {
      reply.script = tools.answer(question, good());
    } else {
      reply.script = provider::write_answer(question, plan_answer(question, reply.conduct), dice);
    }
    reply.lied = reply.conduct.lie || reply.conduct.no_usage || reply.conduct.double_usage;
    return reply;
  }

  Context& world() override { return context; }
  const std::string& place() const override { return name; }
  Random& chance() override { return dice; }
  bool healthy() const override { return good(); }
  DurationNs patience() override { return dice.between(idle.first, idle.second); }
  void gone(std::uint64_t id, DurationNs after) override {
    context.schedule.after(after, [this, id, alive = std::weak_ptr<int>(life)] {
      if (!alive.expired()) connections.erase(id);
    });
  }

  std::string name;
  Context& context;
  Provider& listener;
  Random dice;
  bool known = true, healed = false, away = false;
  Dialect dialect = Dialect::kOpenAi;
  provider::Habits habits;
  Range output, first_byte, tokens_per_second;
  std::int64_t tool_calls, cached;
  Range idle, down;
  provider::ToolServer tools;
  std::int64_t next_id = 1;
  std::uint64_t next_connection = 1;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections;
  Timer outage;
  std::shared_ptr<int> life = std::make_shared<int>(0);
};

Provider::Provider(std::string name, const Settings& settings, Context& context)
    : impl_(std::make_unique<Impl>(std::move(name), settings, context, *this)) {}

Provider::~Provider() {
  if (!impl_->away) impl_->context.network.stop_listening(impl_->name);
}

WireEvents* Provider::on_accept(std::unique_ptr<Wire> wire) {
  if (impl_->away) return nullptr;
  const std::uint64_t id = impl_->next_connection++;
  auto connection = std::make_unique<Connection>(id, std::move(wire), *impl_);
  WireEvents* events = connection.get();
  impl_->connections.emplace(id, std::move(connection));
  return events;
}

void Provider::heal() {
  impl_->healed = true;
  if (impl_->away) impl_->outage.set(impl_->context.schedule.now() + 1);
  for (const auto& [id, connection] : impl_->connections) connection->go_on();
}

std::size_t Provider::open_calls() const {
  std::size_t out = 0;
  for (const auto& [id, connection] : impl_->connections) out += connection->busy() ? 1U : 0U;
  return out;
}

}  // namespace weir::sim
