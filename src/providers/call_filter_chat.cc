// Calls in the chunks of OpenAI chat: fragments by index, several choices, the older function_call.
#include <fmt/format.h>

#include "providers/call_lists.h"

namespace weir {
namespace {

using State = StreamedCall::State;

constexpr std::int64_t kFunctionCall = -2;  // in place of an index

std::int64_t number_of(const JsonView& value) {
  const auto number = value.integer();
  return number && *number >= 0 ? *number : -1;
}

// {"function":{"name","arguments"}} or {"custom":{"name","input"}}.
void read_parts(std::size_t at, const JsonView& call, CallBook& book) {
  const JsonView function = call["function"];
  const JsonView body = function.is_object() ? function : call["custom"];
  book.identify(at, call["id"].string());
  book.append(at, body[function.is_object() ? "arguments" : "input"].string_or_json());
  book.name(at, body["name"].string());
}

bool says_tool_calls(const JsonView& finish) {
  const std::string reason = finish.string();
  return reason == "tool_calls" || reason == "function_call";
}

class ChatCalls final : public CallLists {
 public:
  bool concerns(std::string_view event, const CallBook& book) const override {
    return book.is_open() || mentions(event, '_', {"call"});
  }

 protected:
  void find(const JsonView& root, CallBook& book) override {
    if (!root.is_object()) {
      if (root.raw() == "[DONE]") book.complete_all([](const StreamedCall&) { return true; });
      return;
    }
    std::int64_t position = 0;
    for (const JsonView& choice : root["choices"].elements()) {
      const std::int64_t number = choice["index"].integer().value_or(position);
      ++position;
      find_in(number, choice["delta"], book);
      if (!choice["finish_reason"].is_string()) continue;
      book.complete_all([&](const StreamedCall& call) { return call.choice == number; });
    }
  }

  bool says_more(const JsonView& root) const override {
    if (root["usage"].is_object()) return true;
    for (const JsonView& choice : root["choices"].elements()) {
      if (choice["finish_reason"].is_string()) return true;
      if (choice["delta"].says_more_than({"tool_calls", "function_call"})) return true;
    }
    return false;
  }

  void mend(const JsonView& root, const CallBook& book, TextEdits& edits) const override {
    std::int64_t position = 0;
    for (const JsonView& choice : root["choices"].elements()) {
      const std::int64_t number = choice["index"].integer().value_or(position);
      ++position;
      const JsonView finish = choice["finish_reason"];
      if (!says_tool_calls(finish)) continue;
      bool cut = false;
      bool left = false;
      for (std::size_t i = 1; i < book.size(); ++i) {
        if (book.at(i).choice != number) continue;
        left |= book.at(i).state == State::kPassing;
        cut |= book.at(i).state == State::kCut;
      }
      if (cut && !left) edits.replace(finish.range(), "\"stop\"");
    }
  }

  std::string extracted(const JsonView& root, const Entry& entry) const override {
    const List& list = lists_[entry.list];
    const std::string_view call = entry.element.in(root.text());
    const bool single = list.array.end == 0;
    TextEdits edits;
    edits.replace(root["choices"].range(),
                  fmt::format(R"([{{"index":{},"delta":{{"{}":{}{}{}}},"finish_reason":null}}])", list.choice,
                              single ? "function_call" : "tool_calls", single ? "" : "[", call, single ? "" : "]"));
    if (const JsonView usage = root["usage"]; usage.is_object()) edits.replace(usage.range(), "null");
    return edits.apply(root.text());
  }

  TextRange index_of_extracted(const JsonView& root) const override {
    const auto choices = root["choices"].elements();
    for (const JsonView& choice : choices) {
      const auto calls = choice["delta"]["tool_calls"].elements();
      if (!calls.empty()) return calls.front()["index"].range();
    }
    return {};
  }

 private:
  void find_in(std::int64_t choice, const JsonView& delta, CallBook& book) {
    if (!delta.is_object()) return;
    if (const auto calls = find_member(delta.text(), delta.range(), {"tool_calls"})) {
      const JsonView array(delta.text(), calls->value);
      if (array.is_array()) lists_.push_back({choice, calls->value, calls->erased, calls->value});
      for (const JsonView& call : array.elements()) {
        if (!call.is_object()) continue;
        const std::size_t at = call_of(choice, call, book);
        read_parts(at, call, book);
        const JsonView index = call["index"];
        entries_.push_back({at, lists_.size() - 1, call.range(), number_of(index) >= 0 ? index.range() : TextRange()});
      }
    }
    if (const auto member = find_member(delta.text(), delta.range(), {"function_call"})) {
      const JsonView call(delta.text(), member->value);
      if (!call.is_object()) return;
      std::size_t at = book.find([&](const StreamedCall& c) { return c.choice == choice && c.index == kFunctionCall; });
      if (at == CallBook::kNone) at = book.begin(choice, kFunctionCall);
      book.append(at, call["arguments"].string_or_json());
      book.name(at, call["name"].string());
      lists_.push_back({choice, {}, member->erased, member->value});
      entries_.push_back({at, lists_.size() - 1, member->value, {}});
    }
  }

  // Fragments belong together by index. Some servers leave it out, or give every call the same one: then a new id with
  // a name begins a new call.
  static std::size_t call_of(std::int64_t choice, const JsonView& call, CallBook& book) {
    const std::int64_t index = number_of(call["index"]);
    const std::string id = call["id"].string();
    const bool has_name = !call["function"]["name"].string().empty() || !call["custom"]["name"].string().empty();
    std::size_t at = CallBook::kNone;
    if (index >= 0) {
      at = book.find([&](const StreamedCall& c) { return c.choice == choice && c.index == index; });
      const bool other =
          at != CallBook::kNone && has_name && !id.empty() && !book.at(at).call.id.empty() && book.at(at).call.id != id;
      if (other) at = CallBook::kNone;
    } else if (!id.empty()) {
      at = book.find([&](const StreamedCall& c) { return c.choice == choice && c.call.id == id; });
    } else if (!has_name) {
      at = book.find([&](const StreamedCall& c) { return c.choice == choice && c.index == -1; });
    }
    return at != CallBook::kNone ? at : book.begin(choice, index);
  }
};

}  // namespace

std::unique_ptr<CallDialect> chat_call_dialect() {
  return std::make_unique<ChatCalls>();
}

}  // namespace weir
