#include "providers/call_items.h"

#include <algorithm>

namespace weir {
namespace {
using State = StreamedCall::State;
}

void CallItems::read(std::string_view json, CallBook& book) {
  call_ = CallBook::kNone;
  begins_item_ = false;
  const JsonView root(json);
  if (root.is_object()) find(root, root[number_key_].integer().value_or(-1), book);
}

std::size_t CallItems::call_of(std::int64_t number, CallBook& book, bool begins) const {
  std::size_t at = CallBook::kNone;
  if (!begins) at = book.find([&](const StreamedCall& call) { return call.index == number; });
  return at != CallBook::kNone ? at : book.begin(0, number);
}

std::int64_t CallItems::placed(std::int64_t number) const {
  std::int64_t withheld = 0;
  for (std::size_t i = items_.size(); i-- > 0;) {
    if (items_[i].number == number && items_[i].placed >= 0) return items_[i].placed;
    withheld += items_[i].placed < 0 && items_[i].number < number ? 1 : 0;
  }
  return number - withheld;
}

void CallItems::withhold(const JsonView& root, std::int64_t number) {
  if (number >= 0) numbering_.disturb();
  const bool known = std::any_of(items_.begin(), items_.end(), [&](const Item& item) { return item.number == number; });
  if (!known && number >= 0 && items_.size() < kMaxItems) items_.push_back({number, -1});
  if (renumbers_ || sequence_key_ == nullptr) return;
  const auto sequence = root[sequence_key_].integer();
  if (!sequence || *sequence < 0) return;
  renumbers_ = true;
  last_sequence_ = *sequence - 1;
}

void CallItems::emit(const EventText& event, const JsonView& root, TextEdits& edits, std::string& out) {
  const JsonView number = root[number_key_];
  if (const auto value = number.integer(); value && *value >= 0) {
    const std::int64_t now = placed(*value);
    if (now != *value) edits.replace(number.range(), std::to_string(now));
  }
  if (renumbers_) {
    const JsonView sequence = root[sequence_key_];
    if (const auto value = sequence.integer()) {
      ++last_sequence_;
      if (*value != last_sequence_) edits.replace(sequence.range(), std::to_string(last_sequence_));
    }
  }
  if (edits.empty()) {
    out.append(event.raw());
  } else {
    out += event.with(edits.apply(root.text()));
  }
}

void CallItems::release(const EventText& event, CallBook& book, std::string& out) {
  if (!book.has_released()) return;
  EventText held = event;
  for (std::size_t i = 0; i < book.size(); ++i) {
    StreamedCall& call = book.at(i);
    if (call.state != State::kPassing || call.held.empty()) continue;
    if (call.index >= 0) call.placed = numbering_.place(call.index);
    for (Item& item : items_) {
      if (item.number == call.index) item.placed = call.placed;
    }
    call.held.each([&](const std::string& raw) {
      held.assign(raw);
      TextEdits edits;
      emit(held, JsonView(held.json()), edits, out);
    });
    book.released(i);
  }
}

void CallItems::write(const EventText& event, CallBook& book, std::string& out) {
  release(event, book, out);
  const JsonView root(event.json());
  const std::int64_t number = root.is_object() ? root[number_key_].integer().value_or(-1) : -1;
  if (call_ != CallBook::kNone && book.at(call_).state != State::kPassing) {
    withhold(root, number);
    book.hold(call_, event.raw());
    return;
  }
  if (begins_item_ && number >= 0 && items_.size() < kMaxItems) {
    items_.push_back({number, numbering_.place(number)});
    if (call_ != CallBook::kNone) book.at(call_).placed = items_.back().placed;
  }
  TextEdits edits;
  if (root.is_object()) {
    mend(root, book, edits);
    emit(event, root, edits, out);
  } else {
    out.append(event.raw());
  }
}

}  // namespace weir
