// CallFilter: asks about the calls of a stream, event by event, and lets pass what was not cut. How each dialect writes
// calls is in call_filter_chat.cc and its like.
#include <optional>
#include <utility>

#include "providers/answer.h"
#include "providers/call_book.h"
#include "providers/event_text.h"
#include "providers/json_view.h"
#include "providers/tool_calls.h"

namespace weir {
namespace {

std::unique_ptr<CallDialect> dialect_for(Operation operation) {
  switch (operation) {
    case Operation::kChatCompletions:
      return chat_call_dialect();
    case Operation::kResponses:
      return responses_call_dialect();
    case Operation::kMessages:
      return messages_call_dialect();
    case Operation::kGenerate:
    case Operation::kStreamGenerate:
      return gemini_call_dialect();
    case Operation::kOllamaChat:
      return ollama_call_dialect();
    default:
      return nullptr;  // announces no calls
  }
}

}  // namespace

struct CallFilter::Impl {
  Impl(Operation operation, Framing with) : framing(with), dialect(dialect_for(operation)), event(with) {}

  Asks judge(std::string_view bytes, std::string& out) {
    if (!dialect->concerns(bytes, book)) {
      out.append(bytes);
      return Asks::kNothing;
    }
    event.assign(bytes);
    const std::string_view json = event.json();
    if (json != "[DONE]" && !is_json_object(json)) {
      out.append(bytes);
      return Asks::kNothing;
    }
    dialect->read(json, book);
    return proceed(out);
  }

  Asks proceed(std::string& out) {
    asks = book.next();
    if (asks != Asks::kNothing) return asks;
    const std::size_t before = out.size();
    dialect->write(event, book, out);
    drops_lf = out.size() == before && event.raw().ends_with('\r');
    return asks;
  }

  // Pieces of an event that was too long for who took it from the stream. One without calls goes on at once; else it is
  // put together, and dropped where that is too much.
  Asks piece(std::string_view bytes, std::string& out) {
    if (!cutter) {
      cutter.emplace(framing);
      passes = !dialect->concerns(bytes, book);
    }
    bool complete = false;
    for (std::string_view rest = bytes; !rest.empty();) {
      const StreamCutter::Cut cut = cutter->next(rest);
      complete = cut.complete;
      rest.remove_prefix(cut.length);
    }
    if (passes) {
      out.append(bytes);
    } else if (!drops && pieces.size() + bytes.size() <= kMaxHeld) {
      pieces.append(bytes);
    } else {
      drops = true;
      std::string().swap(pieces);
    }
    if (!complete) return Asks::kNothing;
    dropped += drops ? 1 : 0;
    drops_lf = drops && bytes.ends_with('\r');
    cutter.reset();
    passes = drops = false;
    const std::string whole = std::exchange(pieces, {});
    return whole.empty() ? Asks::kNothing : judge(whole, out);
  }

  Framing framing;
  std::unique_ptr<CallDialect> dialect;
  CallBook book;
  EventText event;  // at hand
  Asks asks = Asks::kNothing;
  std::optional<StreamCutter> cutter;
  bool passes = false, drops = false;
  bool drops_lf = false;  // the last event was dropped, and ended in CR
  std::string pieces;
  std::size_t dropped = 0;
};

CallFilter::CallFilter(Operation operation, Framing framing) : impl_(std::make_unique<Impl>(operation, framing)) {}
CallFilter::~CallFilter() = default;

bool CallFilter::concerns(std::string_view event) const {
  if (!impl_->dialect) return false;
  return impl_->drops_lf || impl_->cutter || event.size() > StreamReader::kMaxEvent ||
         impl_->dialect->concerns(event, impl_->book);
}

CallFilter::Asks CallFilter::take(std::string_view event, std::string& out) {
  if (!impl_->dialect) {
    out.append(event);
    return Asks::kNothing;
  }
  // The LF of a CRLF that came late belongs to its event.
  if (std::exchange(impl_->drops_lf, false) && event == "\n") return Asks::kNothing;
  if (impl_->cutter || event.size() > StreamReader::kMaxEvent) return impl_->piece(event, out);
  return impl_->judge(event, out);
}

const ToolCall& CallFilter::asked() const {
  return impl_->book.asked();
}

bool CallFilter::holds_asked() const {
  return impl_->book.holds_asked();
}

CallFilter::Asks CallFilter::rule(Ruling ruling, std::string& out) {
  if (impl_->asks == Asks::kNothing) return Asks::kNothing;
  impl_->book.rule(ruling);
  return impl_->proceed(out);
}

void CallFilter::finish(std::string& /*out*/) {
  impl_->book.drop_all();
  impl_->asks = Asks::kNothing;
  std::string().swap(impl_->pieces);
}

std::size_t CallFilter::calls() const {
  return impl_->book.passed();
}

std::size_t CallFilter::cut() const {
  return impl_->book.cut() + impl_->dropped;
}

}  // namespace weir
