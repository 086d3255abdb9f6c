// Dialects whose streams consist of numbered items, each with events of its own: OpenAI Responses (output_index) and
// Anthropic (index of content blocks). A subclass reads an event; whether it leaves, and under which numbers, is
// decided here. Internal to this folder. One thread at a time. At most kMaxItems items are remembered; later ones are
// numbered by the cut calls before them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "providers/body_edit.h"
#include "providers/call_book.h"
#include "providers/event_text.h"
#include "providers/json_view.h"

namespace weir {

class CallItems : public CallDialect {
 public:
  static constexpr std::size_t kMaxItems = 4096;

  CallItems(const char* number_key, const char* sequence_key) : number_key_(number_key), sequence_key_(sequence_key) {}
  void read(std::string_view json, CallBook& book) final;
  void write(const EventText& event, CallBook& book, std::string& out) final;

 protected:
  // `call_` and `begins_item_` are set where they apply.
  virtual void find(const JsonView& root, std::int64_t number, CallBook& book) = 0;
  // Corrections that follow from what was ruled.
  virtual void mend(const JsonView& root, const CallBook& book, TextEdits& edits) const = 0;

  bool is_disturbed() const { return numbering_.disturbed(); }
  std::size_t call_of(std::int64_t number, CallBook& book, bool begins) const;

  std::size_t call_ = CallBook::kNone;  // the event belongs to this call
  bool begins_item_ = false;

 private:
  struct Item {
    std::int64_t number, placed;  // placed: -1 for a call of which nothing left
  };

  void emit(const EventText& event, const JsonView& root, TextEdits& edits, std::string& out);
  void withhold(const JsonView& root, std::int64_t number);
  void release(const EventText& event, CallBook& book, std::string& out);
  std::int64_t placed(std::int64_t number) const;

  const char* number_key_;
  const char* sequence_key_;  // nullptr: events are not numbered
  Numbering numbering_;
  std::vector<Item> items_;
  bool renumbers_ = false;
  std::int64_t last_sequence_ = -1;
};

}  // namespace weir
