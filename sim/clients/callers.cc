#include "clients/callers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "words.h"

namespace weir::sim::client {
namespace {

// A session of an MCP server: handshake, list, some calls, the end. Modern ones have no session.
class Mcp final : public Actor {
 public:
  using Actor::Actor;

 private:
  enum class Step : std::uint8_t { kInitialize, kInitialized, kList, kCall, kBatch, kDelete };

  void act() override {
    submit([this](std::uint64_t number) { return request(number); });
  }

  static std::string meta() {
    return R"(,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
           R"("io.modelcontextprotocol/clientInfo":{"name":"sim","version":"1"},)"
           R"("io.modelcontextprotocol/clientCapabilities":{}})";
  }

  std::string call(std::uint64_t number, std::int64_t id) {
    tool_ = any(manners_.tools);
    return fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":"tools/call","params":{{"name":{},"arguments":)"
                       R"({{"q":"{} ask:{};"}}{}}}}})",
                       id, json_string(tool_), random_.below(1000), number, modern_ ? meta() : std::string());
  }

  std::string body(std::uint64_t number) {
    switch (step_) {
      case Step::kInitialize:
        return R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",)"
               R"("capabilities":{},"clientInfo":{"name":"sim","version":"1"}}})";
      case Step::kInitialized:
        return R"({"jsonrpc":"2.0","method":"notifications/initialized"})";
      case Step::kList:
        return fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":"tools/list","params":{{{}}}}})", ++id_,
                           modern_ ? meta().substr(1) : std::string());
      case Step::kBatch: {
        std::string out = "[" + call(number, ++id_);
        const std::int64_t more = random_.between(1, 3);
        for (std::int64_t i = 0; i < more; ++i) out += "," + call(number, ++id_);
        return out + "]";
      }
      case Step::kCall:
        return call(number, ++id_);
      case Step::kDelete:
        break;
    }
    return {};
  }

  std::optional<Outgoing> request(std::uint64_t number) {
    if (step_ == Step::kInitialize) {
      modern_ = random_.permille(300);
      left_ = between(manners_.turns);
      session_.clear();
      if (modern_) step_ = Step::kList;
    }
    Outgoing out = outgoing(number, Operation::kMcp, body(number));
    out.target = any(manners_.paths);
    if (step_ == Step::kDelete) out.method = "DELETE";
    out.headers.emplace_back("Accept",
                             random_.permille(100) ? "text/event-stream" : "application/json, text/event-stream");
    out.headers.emplace_back("X-Ask", fmt::format("ask:{};", number));
    if (!session_.empty()) out.headers.emplace_back("Mcp-Session-Id", session_);
    if (step_ != Step::kInitialize) {
      out.headers.emplace_back("MCP-Protocol-Version", modern_                 ? "2026-07-28"
                                                       : step_ == Step::kBatch ? "2025-03-26"
                                                                               : "2025-06-18");
    }
    if (modern_) out.headers.emplace_back("Mcp-Method", step_ == Step::kList ? "tools/list" : "tools/call");
    if (modern_ && step_ == Step::kCall) out.headers.emplace_back("Mcp-Name", tool_);
    return out;
  }

  void heard(const Ask&, const Heard& answer) override {
    if (!answer.session.empty()) session_ = answer.session;
    if (answer.status == 404 || (answer.status == 0 && random_.permille(300))) {
      step_ = Step::kInitialize;
      return rest(answer.wait);
    }
    if (answer.end == AskEnd::kAnswered) next();
    if (step_ == Step::kInitialize || answer.end != AskEnd::kAnswered) return rest(answer.wait);
    wake_in(random_.between(10 * kMillisecond, 3 * kSecond));
  }

  void next() {
    switch (step_) {
      case Step::kInitialize:
        step_ = Step::kInitialized;
        return;
      case Step::kInitialized:
        step_ = Step::kList;
        return;
      case Step::kList:
      case Step::kCall:
      case Step::kBatch:
        if (--left_ > 0) {
          step_ = !modern_ && random_.permille(150) ? Step::kBatch : Step::kCall;
        } else {
          step_ = !modern_ && random_.permille(500) ? Step::kDelete : Step::kInitialize;
        }
        return;
      case Step::kDelete:
        step_ = Step::kInitialize;
    }
  }

  Step step_ = Step::kInitialize;
  bool modern_ = false;
  std::int64_t left_ = 0, id_ = 1;
  std::string session_, tool_;
};

// A plain HTTP API, each request an operation.
class Caller final : public Actor {
 public:
  using Actor::Actor;

 private:
  void act() override {
    submit([this](std::uint64_t number) -> std::optional<Outgoing> {
      const bool post = random_.permille(400);
      Outgoing out = outgoing(number, Operation::kHttp, post ? fmt::format(R"({{"note":"ask:{};"}})", number) : "");
      out.method = post ? "POST" : "GET";
      out.target = fmt::format("{}/{}?n=ask:{};", any(manners_.paths), any(manners_.tools), number);
      out.headers.emplace_back("X-Ask", fmt::format("ask:{};", number));
      return out;
    });
  }
  void heard(const Ask&, const Heard& answer) override { rest(answer.wait); }
};

}  // namespace

std::unique_ptr<Client> make_mcp(const Manners& manners, Context& context) {
  return std::make_unique<Mcp>(manners, context);
}
std::unique_ptr<Client> make_caller(const Manners& manners, Context& context) {
  return std::make_unique<Caller>(manners, context);
}

}  // namespace weir::sim::client
