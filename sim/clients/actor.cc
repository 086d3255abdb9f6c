#include "clients/actor.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "words.h"

namespace weir::sim::client {
namespace {

std::vector<std::string> words_or(const Settings& settings, const std::string& one, const std::string& many,
                                  std::vector<std::string> otherwise) {
  std::vector<std::string> out = settings.words(many);
  for (std::string& word : settings.words(one)) out.push_back(std::move(word));
  return out.empty() ? otherwise : out;
}

// The key goes where the official clients of each dialect put it.
std::pair<std::string, std::string> credential(Operation operation, const std::string& secret) {
  switch (operation) {
    case Operation::kMessages:
      return {"x-api-key", secret};
    case Operation::kGenerateContent:
      return {"x-goog-api-key", secret};
    default:
      return {"Authorization", "Bearer " + secret};
  }
}

}  // namespace

Manners::Manners(const Settings& settings, std::string actor_name)
    : kind(settings.word("kind", "")),
      name(std::move(actor_name)),
      key(settings.word("key", "")),
      keys(settings.word("keys", "")),
      tenant(settings.word("tenant", "")),
      service(settings.word("key_kind", "") == "service"),
      every(settings.durations("every", {3 * kSecond, kMinute})),
      prompt(settings.range("prompt", {50, 400})),
      max_tokens(settings.range("max_tokens", {100, 400})),
      timeout(settings.durations("timeout", {2 * kMinute, 5 * kMinute})),
      turns(settings.range("turns", {2, 8})),
      burst(settings.range("burst", {4, 16})),
      stream(settings.number("stream", 500)),
      connections(settings.number("connections", 1)),
      depth(settings.number("pipeline", 1)),
      uncapped(settings.number("uncapped", 100)),
      honest(settings.number("honest", 900)),
      json_array(settings.number("json_array", 300)),
      no_include_usage(settings.number("no_include_usage", 300)),
      dialects(words_or(settings, "dialect", "dialects", {"openai"})),
      models(words_or(settings, "model", "models", {"gpt-4o"})),
      tools(words_or(settings, "tool", "tools", {"search", "lookup", "send_email"})),
      paths(words_or(settings, "path", "paths", {"/mcp/crm"})),
      overrides(settings.words("overrides")) {
  channel.depth = static_cast<int>(depth);
  if (settings.has("pause")) channel.pause = settings.durations("pause", {0, 0});
  for (const std::string& dialect : dialects) {
    if (!operation_from(dialect)) bad_dialect = dialect;
  }
}

Actor::Actor(Manners manners, Context& context)
    : manners_(std::move(manners)),
      context_(context),
      random_(context.random.fork("client " + manners_.name)),
      timer_(context.schedule, [this] {
        if (!stopped()) act();
      }) {
  const std::int64_t channels = std::max<std::int64_t>(1, manners_.connections);
  for (std::int64_t i = 0; i < channels; ++i) {
    channels_.push_back(
        std::make_unique<Channel>(context, random_.fork(fmt::format("channel {}", i)), manners_.channel));
  }
  if (manners_.keys.empty()) return;
  const std::string prefix = manners_.keys + "-";
  for (const auto& [name, secret] : context.keys) {
    if (name.starts_with(prefix)) crowd_.push_back(name);
  }
}

void Actor::start() {
  timer_.set(context_.schedule.now() + random_.between(1, std::max<std::int64_t>(1, manners_.every.second)));
}

void Actor::stop() {
  stopped_ = true;
  timer_.set(0);
  for (const auto& channel : channels_) channel->drop_waiting();
}

std::size_t Actor::open_asks() const {
  std::size_t out = 0;
  for (const auto& channel : channels_) out += channel->open();
  return out;
}

void Actor::rest(std::optional<DurationNs> told) {
  DurationNs wait = between(manners_.every);
  if (told && random_.permille(manners_.honest)) wait = std::max(wait, *told + random_.between(0, 2 * kSecond));
  wake_in(wait);
}

Wish Actor::wish() {
  Wish out;
  const std::size_t dialect = random_.below(manners_.dialects.size());
  out.operation = *operation_from(manners_.dialects[dialect]);
  const bool pairs = manners_.models.size() == manners_.dialects.size();
  out.model = pairs ? manners_.models[dialect] : any(manners_.models);
  out.stream = random_.permille(manners_.stream);
  if (!random_.permille(manners_.uncapped)) out.cap = between(manners_.max_tokens);
  out.json_array = random_.permille(manners_.json_array);
  out.include_usage = !random_.permille(manners_.no_include_usage);
  return out;
}

Turn Actor::question(std::int64_t tokens) {
  return {.who = Turn::Who::kUser, .text = words(tokens, random_), .calls = {}, .call_id = {}, .tool = {}};
}

std::string Actor::pick_key() {
  return crowd_.empty() ? manners_.key : crowd_[random_.below(crowd_.size())];
}

const std::string& Actor::secret() const {
  static const std::string kNone;
  const auto found = context_.keys.find(key_now_);
  return found == context_.keys.end() ? kNone : found->second;
}

Outgoing Actor::outgoing(std::uint64_t number, Operation operation, const std::string& body) {
  key_now_ = pick_key();
  Outgoing out;
  out.operation = operation;
  out.body = body;
  out.ask.client = manners_.name;
  out.ask.key = key_now_;
  out.ask.tenant = manners_.tenant;
  out.ask.route = route_name(operation);
  out.patience = between(manners_.timeout);
  if (!secret().empty()) out.headers.push_back(credential(operation, secret()));
  out.headers.emplace_back(manners_.service ? "X-Weir-Conversation" : "X-Weir-User", fmt::format("ask-{}", number));
  if (!body.empty()) out.headers.emplace_back("Content-Type", "application/json");
  out.done = [this](const Ask& ask, const Heard& answer) { heard(ask, answer); };
  return out;
}

void Actor::submit(Make make, std::size_t channel) {
  channels_[channel % channels_.size()]->submit(
      [this, make = std::move(make)](std::uint64_t number) { return stopped() ? std::nullopt : make(number); });
}

void Actor::ask(const Wish& wish, const Talk& talk, const Extra& extra, std::size_t channel) {
  submit(
      [this, wish, talk, extra](std::uint64_t number) -> std::optional<Outgoing> {
        const std::string mark = fmt::format("ask:{};", number);
        const std::string body = body_of(wish, talk, extra.mark_in_header ? std::string() : " " + mark);
        Outgoing out = outgoing(number, wish.operation, body);
        out.target = target_of(wish);
        for (const auto& header : extra.headers) out.headers.push_back(header);
        if (!extra.run.empty()) out.headers.emplace_back("X-Weir-Run", extra.run);
        if (extra.mark_in_header) out.headers.emplace_back("X-Ask", mark);
        if (extra.patience) out.patience = *extra.patience;
        out.ask.model = wish.model;
        out.ask.run = extra.run;
        out.ask.stream = wish.stream;
        out.ask.ordinary = extra.ordinary;
        out.ask.prompt_tokens = prompt_tokens(body);
        out.ask.cap = wish.operation == Operation::kMessages && wish.cap == 0 ? 1024 : wish.cap;
        return out;
      },
      channel);
}

}  // namespace weir::sim::client
