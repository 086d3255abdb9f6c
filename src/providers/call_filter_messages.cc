// Calls in the events of Anthropic's messages: blocks of type tool_use.
#include "providers/call_items.h"

namespace weir {
namespace {

using State = StreamedCall::State;

class MessagesCalls final : public CallItems {
 public:
  MessagesCalls() : CallItems("index", nullptr) {}

  bool concerns(std::string_view event, const CallBook& book) const override {
    return book.is_open() || is_disturbed() || mentions(event, '_', {"use\"", "block_start\"", "json_delta\""});
  }

 protected:
  void find(const JsonView& root, std::int64_t number, CallBook& book) override {
    const std::string type = root["type"].string();
    if (type == "content_block_start") {
      begins_item_ = true;
      const JsonView block = root["content_block"];
      if (block["type"].string() != "tool_use") return;
      call_ = call_of(number, book, /*begins=*/true);
      book.identify(call_, block["id"].string());
      // Usually empty, and its content follows in pieces.
      if (const JsonView input = block["input"]; input.is_object()) book.append(call_, input.raw());
      pieces_ = false;
      book.name(call_, block["name"].string());
    } else if (type == "content_block_delta") {
      const JsonView delta = root["delta"];
      const bool is_piece = delta["type"].string() == "input_json_delta";
      const std::size_t at = block_of(number, book);
      if (at == CallBook::kNone) return;
      call_ = at;
      if (!is_piece) return;
      const std::string piece = delta["partial_json"].string();
      if (pieces_ || piece.empty()) {
        book.append(call_, piece);
      } else {
        book.set_arguments(call_, piece);
      }
      pieces_ |= !piece.empty();
    } else if (type == "content_block_stop") {
      call_ = block_of(number, book);
      if (call_ != CallBook::kNone) book.complete(call_);
    } else if (type == "message_stop" || (type == "message_delta" && root["delta"]["stop_reason"].is_string())) {
      book.complete_all([](const StreamedCall&) { return true; });
    }
  }

  void mend(const JsonView& root, const CallBook& book, TextEdits& edits) const override {
    const JsonView reason = root["delta"]["stop_reason"];
    if (reason.string() == "tool_use" && book.passed() == 0 && book.cut() > 0) {
      edits.replace(reason.range(), "\"end_turn\"");
    }
  }

 private:
  static std::size_t block_of(std::int64_t number, const CallBook& book) {
    return book.find([&](const StreamedCall& call) { return call.index == number; });
  }

  bool pieces_ = false;  // of the input of the block at hand
};

}  // namespace

std::unique_ptr<CallDialect> messages_call_dialect() {
  return std::make_unique<MessagesCalls>();
}

}  // namespace weir
