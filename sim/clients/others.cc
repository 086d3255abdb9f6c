#include "clients/others.h"

#include <fmt/format.h>

#include <array>
#include <set>
#include <utility>

#include "node.h"

namespace weir::sim::client {
namespace {

// Each is wrong in a way that has to be noticed before anything is counted or sent on.
constexpr std::size_t kMistakes = 18;

class Garbage final : public Actor {
 public:
  using Actor::Actor;

 private:
  void act() override {
    submit([this](std::uint64_t number) -> std::optional<Outgoing> {
      Outgoing out = outgoing(number, Operation::kChat, {});
      out.ask.route = "garbage";
      out.patience = 40 * kSecond;
      const std::uint64_t kind = random_.below(kMistakes);
      out.raw = mistake(kind, number);
      context_.note(manners_.name, fmt::format("ask {} is mistake {}", number, kind));
      return out;
    });
  }
  void heard(const Ask&, const Heard& answer) override { rest(answer.wait); }

  std::string post(std::string_view target, std::string_view headers, std::string_view body) const {
    return fmt::format("POST {} HTTP/1.1\r\nHost: weir\r\n{}Content-Length: {}\r\n\r\n{}", target, headers, body.size(),
                       body);
  }

  // Damaged, or as long and as well formed as a real one, and signed by nobody.
  static std::string forged_lineage(std::uint64_t number) {
    const bool formed = number % 2 != 0;
    return "X-Weir-Lineage: v1." + (formed ? std::string(38, 'A') + "." + std::string(43, 'A') : "forged.token");
  }

  std::string mistake(std::uint64_t kind, std::uint64_t number) const {
    const std::string key = fmt::format("Authorization: Bearer {}\r\nX-Weir-User: ask-{}\r\n", secret(), number);
    const std::string model = manners_.models.front();
    const std::string good =
        fmt::format(R"({{"model":"{}","messages":[{{"role":"user","content":"hello ask:{};"}}]}})", model, number);
    const std::string chat = "/v1/chat/completions";
    const auto length = good.size();
    switch (kind) {
      case 0:
        return post(chat, key, R"({"model":"gpt-4o","messages":[)");
      case 1:
        return post(chat, key, R"({"model":5,"messages":[]})");
      case 2:
        return post("/v1/nothing/here", key, good);
      case 3:
        return fmt::format("GET {} HTTP/1.1\r\nHost: weir\r\n{}\r\n", chat, key);
      case 4:
        return post(chat, "Authorization: Bearer weir_notakeyatall\r\n", good);
      case 5:
        return post(chat, "", good);
      case 6:
        return post(chat, key + forged_lineage(number) + "\r\n", good);
      case 7:
        return post(chat, key + "X-Weir-Run-Budget: tokens=many\r\n", good);
      case 8:
        return post(chat, key + "Transfer-Encoding: chunked\r\n", good);  // two lengths
      case 9:
        return fmt::format("POST {} HTTP/1.1\r\nHost: weir\r\n{}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}", chat, key,
                           good);
      case 10:
        return fmt::format("POST {} HTTP/1.1\r\nHost: weir\r\n{}Content-Length: {}\r\nContent-Length: {}\r\n\r\n{}",
                           chat, key, length, length + 1, good);
      case 11:
        return fmt::format("POST {} HTTP/1.1\r\n{}Content-Length: {}\r\n\r\n{}", chat, key, length, good);  // no Host
      case 12:
        return post(chat, key + "Broken header\r\n", good);
      case 13:
        return post(chat, key + "X-Long: " + std::string(40'000, 'x') + "\r\n", good);
      case 14:
        return post("/weir/v1/admit", key, R"({"estimate":{"input_tokens":-1}})");
      case 15:
        return post("/weir/v1/settle", key, R"({"id":"nobodys","usage":{"input_tokens":1}})");
      case 16:
        return post(chat, key, good.substr(0, good.size() - 1) + R"(,"model":"other"})");  // a member twice
      default:
        return post(chat, key,
                    R"({"model":"gpt-4o","messages":)" + std::string(300, '[') + std::string(300, ']') + "}");
    }
  }
};

// Throws kill switches on names of the `tools`, or on its key, and takes them back after a while. With `keys` it also
// revokes those, one after the other, until none is left. With `overrides` ("limit 12/1m") it changes amounts of limits
// over the file, and takes that back.
class Operator final : public Actor {
 public:
  using Actor::Actor;

 private:
  void act() override {
    if (context_.node == nullptr || !context_.node->running()) return rest();
    if (revoked_ < crowd_.size() && random_.permille(300)) {
      const bool done = context_.node->revoke(crowd_[revoked_]).has_value();
      context_.note(manners_.name, fmt::format("revokes {} {}", crowd_[revoked_], done));
      if (done) ++revoked_;
    } else if (!manners_.overrides.empty() && random_.permille(700)) {
      change_a_limit();
    } else if (!thrown_) {
      const bool tool = !manners_.tools.empty() && random_.permille(600);
      thrown_ = KillSwitch{.kind = tool ? KillSwitch::Kind::kTool : KillSwitch::Kind::kKey,
                           .name = tool ? any(manners_.tools) : manners_.key,
                           .reason = "a drill",
                           .by = "cli",
                           .since = context_.schedule.now()};
      const bool done = context_.node->set_kill_switch(*thrown_).has_value();
      context_.note(manners_.name, fmt::format("stops {} {} {}", to_string(thrown_->kind), thrown_->name, done));
      if (!done) thrown_.reset();
    } else if (context_.node->clear_kill_switch(thrown_->kind, thrown_->name)) {
      context_.note(manners_.name, fmt::format("lets {} go on", thrown_->name));
      thrown_.reset();
    }
    rest();
  }

  void change_a_limit() {
    const std::string& words = any(manners_.overrides);
    const std::string limit = words.substr(0, words.find(' '));
    const bool back = overridden_.contains(limit) && random_.permille(500);
    const std::string json = back ? "" : fmt::format(R"({{"allow":"{}"}})", words.substr(limit.size() + 1));
    const bool done = context_.node->override_limit(limit, json).has_value();
    context_.note(manners_.name, fmt::format("limit {} is {} {}", limit, back ? "the file's" : json, done));
    if (!done) return;
    if (back) {
      overridden_.erase(limit);
    } else {
      overridden_.insert(limit);
    }
  }

  std::set<std::string> overridden_;  // limits
  std::optional<KillSwitch> thrown_;
  std::size_t revoked_ = 0;
};

}  // namespace

std::unique_ptr<Client> make_garbage(const Manners& manners, Context& context) {
  return std::make_unique<Garbage>(manners, context);
}
std::unique_ptr<Client> make_operator(const Manners& manners, Context& context) {
  return std::make_unique<Operator>(manners, context);
}

}  // namespace weir::sim::client
