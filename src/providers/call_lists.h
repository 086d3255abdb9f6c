// Dialects that list calls in arrays of their events: OpenAI chat, Gemini, Ollama. A subclass finds the lists and the
// calls in them; what leaves of an event is decided here. Internal to this folder. One thread at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "providers/body_edit.h"
#include "providers/call_book.h"
#include "providers/event_text.h"
#include "providers/json_view.h"

namespace weir {

class CallLists : public CallDialect {
 public:
  void read(std::string_view json, CallBook& book) final;
  void write(const EventText& event, CallBook& book, std::string& out) final;

 protected:
  // One array with calls, or one member that is a call.
  struct List {
    std::int64_t choice = 0;
    TextRange array;   // empty: a single call
    TextRange member;  // goes when the list becomes empty; empty: an empty array stays
    TextRange value;   // of that member
  };
  struct Entry {
    std::size_t call;
    std::size_t list;
    TextRange element;
    TextRange index;  // empty: it has no number
  };

  virtual void find(const JsonView& root, CallBook& book) = 0;
  // Whether an event still says something when its calls are taken away.
  virtual bool says_more(const JsonView& root) const = 0;
  // Corrections that follow from what was ruled.
  virtual void mend(const JsonView& root, const CallBook& book, TextEdits& edits) const = 0;
  // The same event with this call alone.
  virtual std::string extracted(const JsonView& root, const Entry& entry) const = 0;
  // Where the number of the only call of such an event stands.
  virtual TextRange index_of_extracted(const JsonView& root) const = 0;

  std::vector<List> lists_;
  std::vector<Entry> entries_;

 private:
  Numbering& numbering(std::int64_t choice);
  void place(StreamedCall& call);
  void release(const EventText& event, CallBook& book, std::string& out);
  bool leaves_as_it_came(CallBook& book);
  void edit_list(const JsonView& root, std::size_t list, const CallBook& book, TextEdits& edits) const;

  std::vector<std::pair<std::int64_t, Numbering>> numberings_;  // per choice with calls
};

}  // namespace weir
