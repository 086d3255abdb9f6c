#include "providers/call_lists.h"

#include <algorithm>

namespace weir {
namespace {

using State = StreamedCall::State;

bool stays(const StreamedCall& call) {
  return call.state == State::kPassing;
}

bool is_set(TextRange range) {
  return range.end > range.begin;
}

}  // namespace

void CallLists::read(std::string_view json, CallBook& book) {
  lists_.clear();
  entries_.clear();
  find(JsonView(json), book);
}

Numbering& CallLists::numbering(std::int64_t choice) {
  const auto found =
      std::find_if(numberings_.begin(), numberings_.end(), [&](const auto& entry) { return entry.first == choice; });
  return found != numberings_.end() ? found->second : numberings_.emplace_back(choice, Numbering()).second;
}

void CallLists::place(StreamedCall& call) {
  if (call.index >= 0 && call.placed < 0) call.placed = numbering(call.choice).place(call.index);
}

void CallLists::release(const EventText& event, CallBook& book, std::string& out) {
  if (!book.has_released()) return;
  for (std::size_t i = 0; i < book.size(); ++i) {
    StreamedCall& call = book.at(i);
    if (!stays(call) || call.held.empty()) continue;
    place(call);
    call.held.each([&](const std::string& json) {
      const TextRange index = index_of_extracted(JsonView(json));
      if (call.placed == call.index || !is_set(index)) {
        out += event.before(json);
        return;
      }
      TextEdits edits;
      edits.replace(index, std::to_string(call.placed));
      out += event.before(edits.apply(json));
    });
    book.released(i);
  }
}

void CallLists::edit_list(const JsonView& root, std::size_t at, const CallBook& book, TextEdits& edits) const {
  const List& list = lists_[at];
  bool any = false;
  bool any_gone = false;
  std::vector<bool> gone;
  const std::vector<JsonView> elements = JsonView(root.text(), list.array).elements();
  std::size_t next = 0;
  while (next < entries_.size() && entries_[next].list < at) ++next;
  const auto judge = [&](TextRange element) {
    const bool is_call = next < entries_.size() && entries_[next].element.begin == element.begin;
    const Entry* entry = is_call ? &entries_[next++] : nullptr;
    const bool goes = entry != nullptr && !stays(book.at(entry->call));
    gone.push_back(goes);
    any |= !goes;
    any_gone |= goes;
    if (goes || entry == nullptr || !is_set(entry->index)) return;
    const StreamedCall& call = book.at(entry->call);
    if (call.placed != call.index) edits.replace(entry->index, std::to_string(call.placed));
  };
  for (const JsonView& element : elements) judge(element.range());
  if (!is_set(list.array)) judge(list.value);
  if (!any_gone) return;
  if (any || !is_set(list.member)) {
    erase_elements(elements, gone, edits);
  } else if (at > 0 && lists_[at - 1].choice == list.choice) {
    edits.replace(list.value, "null");  // its neighbour may have gone with the comma between them
  } else {
    edits.erase(list.member);
  }
}

// Of a stream of which nothing was cut: its calls leave as they came.
bool CallLists::leaves_as_it_came(CallBook& book) {
  if (book.cut() > 0) return false;
  bool same = true;
  for (const Entry& entry : entries_) {
    StreamedCall& call = book.at(entry.call);
    if (!stays(call)) return false;
    place(call);
    same &= !is_set(entry.index) || call.placed == call.index;
  }
  return same;
}

void CallLists::write(const EventText& event, CallBook& book, std::string& out) {
  release(event, book, out);
  if (leaves_as_it_came(book)) {
    out.append(event.raw());
    return;
  }
  const JsonView root(event.json());
  bool leaves = entries_.empty() || says_more(root);
  for (const Entry& entry : entries_) {
    StreamedCall& call = book.at(entry.call);
    if (stays(call)) {
      place(call);
      leaves = true;
    } else {
      if (entry.call != 0) numbering(call.choice).disturb();
      // As it stands where it is all that the event says.
      if (call.is_withheld()) {
        const bool alone = entries_.size() == 1 && !leaves;
        book.hold(entry.call, alone ? std::string(event.json()) : extracted(root, entry));
      }
    }
  }
  // An array without its first element would begin with a comma.
  if (!leaves && !event.begins_array()) return;
  TextEdits edits;
  for (std::size_t i = 0; i < lists_.size(); ++i) edit_list(root, i, book, edits);
  mend(root, book, edits);
  if (edits.empty()) {
    out.append(event.raw());
  } else {
    out += event.with(edits.apply(event.json()));
  }
}

}  // namespace weir
