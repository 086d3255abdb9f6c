// Dialects that announce a call as a whole: Gemini (Vertex may spread its arguments over parts) and Ollama.
#include <fmt/format.h>

#include "providers/call_lists.h"

namespace weir {
namespace {

JsonView call_in(const JsonView& part) {
  const JsonView call = part["functionCall"];
  return call.is_object() ? call : part["function_call"];
}

class GeminiCalls final : public CallLists {
 public:
  bool concerns(std::string_view event, const CallBook& book) const override {
    return book.is_open() || mentions(event, 'C', {"all\""}) || mentions(event, '_', {"call\""});
  }

 protected:
  void find(const JsonView& root, CallBook& book) override {
    std::int64_t position = 0;
    for (const JsonView& candidate : root["candidates"].elements()) {
      const std::int64_t number = candidate["index"].integer().value_or(position);
      ++position;
      const JsonView parts = candidate["content"]["parts"];
      bool any = false;
      for (const JsonView& part : parts.elements()) {
        const JsonView call = call_in(part);
        if (!call.is_object()) continue;
        if (!any) lists_.push_back({number, parts.range(), {}, {}});
        any = true;
        entries_.push_back({read_call(number, call, book), lists_.size() - 1, part.range(), {}});
      }
      if (!candidate["finishReason"].is_string()) continue;
      book.complete_all([&](const StreamedCall& call) { return call.choice == number; });
    }
  }

  bool says_more(const JsonView& root) const override {
    if (root["usageMetadata"].is_object() || root["promptFeedback"].is_object()) return true;
    for (const JsonView& candidate : root["candidates"].elements()) {
      if (candidate.says_more_than({"content", "index"})) return true;
      for (const JsonView& part : candidate["content"]["parts"].elements()) {
        if (!call_in(part).is_object()) return true;
      }
    }
    return false;
  }

  // A turn that only calls ends with STOP as any other.
  void mend(const JsonView& /*root*/, const CallBook& /*book*/, TextEdits& /*edits*/) const override {}

  std::string extracted(const JsonView& root, const Entry& entry) const override {
    return fmt::format(R"({{"candidates":[{{"content":{{"parts":[{}],"role":"model"}},"index":{}}}]}})",
                       entry.element.in(root.text()), lists_[entry.list].choice);
  }

  TextRange index_of_extracted(const JsonView& /*root*/) const override { return {}; }

 private:
  static std::size_t read_call(std::int64_t choice, const JsonView& call, CallBook& book) {
    const std::string name = call["name"].string();
    std::size_t at = CallBook::kNone;
    if (name.empty() && book.is_open()) {
      at = book.find([&](const StreamedCall& c) { return c.choice == choice && !c.complete; });
    }
    if (at == CallBook::kNone) at = book.begin(choice, -1);
    book.identify(at, call["id"].string());
    const JsonView arguments = call["args"];
    const JsonView pieces = call["partialArgs"];
    if (arguments.present()) book.set_arguments(at, arguments.string_or_json());
    if (pieces.present()) book.append(at, pieces.raw());
    const bool goes_on = call["willContinue"].raw() == "true";
    if (!goes_on && book.at(at).arguments.empty()) book.append(at, "{}");
    book.name(at, name);
    if (!goes_on) book.complete(at);
    return at;
  }
};

class OllamaCalls final : public CallLists {
 public:
  bool concerns(std::string_view event, const CallBook& /*book*/) const override {
    return mentions(event, '_', {"call"});
  }

 protected:
  void find(const JsonView& root, CallBook& book) override {
    const JsonView message = root["message"];
    if (!message.is_object()) return;
    const auto member = find_member(message.text(), message.range(), {"tool_calls"});
    if (!member) return;
    const JsonView array(message.text(), member->value);
    if (!array.is_array()) return;
    lists_.push_back({0, member->value, member->erased, member->value});
    for (const JsonView& call : array.elements()) {
      const JsonView function = call["function"];
      if (!function.is_object()) continue;
      const JsonView index = function["index"];
      const std::int64_t number = index.integer().value_or(-1);
      const std::size_t at = book.begin(0, number >= 0 ? number : -1);
      book.identify(at, call["id"].string());
      const JsonView arguments = function["arguments"];
      book.append(at, arguments.string_or_json());
      book.name(at, function["name"].string());
      book.complete(at);
      entries_.push_back({at, 0, call.range(), number >= 0 ? index.range() : TextRange()});
    }
  }

  bool says_more(const JsonView& root) const override {
    return root["done"].raw() == "true" || root["error"].present() ||
           root["message"].says_more_than({"tool_calls", "role"});
  }

  void mend(const JsonView& root, const CallBook& book, TextEdits& edits) const override {
    const JsonView reason = root["done_reason"];
    if (reason.string() == "tool_calls" && book.passed() == 0 && book.cut() > 0) {
      edits.replace(reason.range(), "\"stop\"");
    }
  }

  std::string extracted(const JsonView& root, const Entry& /*entry*/) const override {
    return std::string(root.text());  // calls come whole: none is ever kept back
  }

  TextRange index_of_extracted(const JsonView& /*root*/) const override { return {}; }
};

}  // namespace

std::unique_ptr<CallDialect> gemini_call_dialect() {
  return std::make_unique<GeminiCalls>();
}

std::unique_ptr<CallDialect> ollama_call_dialect() {
  return std::make_unique<OllamaCalls>();
}

}  // namespace weir
