// Calls in the events of OpenAI's Responses: items of the output, and the object at the end that repeats them.
#include <simdjson.h>

#include <optional>

#include "providers/call_items.h"
#include "providers/call_reader.h"

namespace weir {
namespace {

using State = StreamedCall::State;

std::optional<ToolCall> call_of_item(const JsonView& item) {
  if (!item.is_object()) return std::nullopt;
  simdjson::dom::parser parser;
  simdjson::dom::object fields;
  const std::string_view json = item.raw();
  if (parser.parse(json.data(), json.size()).get_object().get(fields) != simdjson::SUCCESS) return std::nullopt;
  const auto view = responses_call(fields);
  return view ? std::optional(tool_call_of(*view)) : std::nullopt;
}

class ResponsesCalls final : public CallItems {
 public:
  ResponsesCalls() : CallItems("output_index", "sequence_number") {}

  bool concerns(std::string_view event, const CallBook& book) const override {
    return book.is_open() || is_disturbed() || book.cut() > 0 || mentions(event, '_', {"call", "item.added"});
  }

 protected:
  void find(const JsonView& root, std::int64_t number, CallBook& book) override {
    last_.clear();
    const std::string type = root["type"].string();
    if (type == "response.output_item.added" || type == "response.output_item.done") {
      const bool added = type.ends_with("added");
      begins_item_ = added;
      const JsonView item = root["item"];
      const auto call = call_of_item(item);
      if (!call) return;
      call_ = item_of(item["id"].string(), number, added, book);
      read_item(call_, *call, !added, book);
    } else if (type.starts_with("response.function_call_arguments.") ||
               type.starts_with("response.custom_tool_call_input.")) {
      call_ = item_of(root["item_id"].string(), number, false, book);
      book.append(call_, root["delta"].string());
      book.set_arguments(call_, root["arguments"].string());
      book.set_arguments(call_, root["input"].string());
      book.name(call_, root["name"].string());
    } else if (type == "response.completed" || type == "response.incomplete" || type == "response.failed") {
      find_in_output(root["response"]["output"], book);
      book.complete_all([](const StreamedCall&) { return true; });
    }
  }

  void mend(const JsonView& root, const CallBook& book, TextEdits& edits) const override {
    if (last_.empty()) return;
    std::vector<bool> gone;
    for (const std::size_t call : last_) {
      gone.push_back(call != CallBook::kNone && book.at(call).state != State::kPassing);
    }
    erase_elements(root["response"]["output"].elements(), gone, edits);
  }

 private:
  // By the item's id, else by where it stands.
  static std::size_t item_of(const std::string& id, std::int64_t number, bool begins, CallBook& book) {
    std::size_t at = CallBook::kNone;
    if (!begins && !id.empty()) at = book.find([&](const StreamedCall& call) { return call.item == id; });
    if (!begins && at == CallBook::kNone) {
      at = book.find(
          [&](const StreamedCall& call) { return call.index == number && (call.item.empty() || id.empty()); });
    }
    if (at == CallBook::kNone) at = book.begin(0, number);
    if (at != 0 && book.at(at).item.empty() && id.size() <= kMaxCallId) book.at(at).item = id;
    return at;
  }

  static void read_item(std::size_t at, const ToolCall& call, bool complete, CallBook& book) {
    book.identify(at, call.id);
    book.set_arguments(at, call.arguments);
    book.name(at, call.name);
    if (complete) book.complete(at);
  }

  void find_in_output(const JsonView& output, CallBook& book) {
    const std::vector<JsonView> items = output.elements();
    for (std::size_t i = 0; i < items.size(); ++i) {
      std::size_t at = CallBook::kNone;
      if (const auto call = call_of_item(items[i])) {
        at = item_of(items[i]["id"].string(), static_cast<std::int64_t>(i), false, book);
        read_item(at, *call, true, book);
      }
      last_.push_back(at);
    }
  }

  std::vector<std::size_t> last_;  // the calls that the last event's items are
};

}  // namespace

std::unique_ptr<CallDialect> responses_call_dialect() {
  return std::make_unique<ResponsesCalls>();
}

}  // namespace weir
