// The calls of one stream as CallFilter knows them: what was ruled, what is kept back, what is still to be asked.
//
//   const std::size_t call = book.begin(choice, index);
//   book.name(call, "pay");            // kName will be asked
//   book.append(call, "{\"a\":1}");
//   book.complete(call);               // kCall will be asked, unless kName ends in kCut
//
// Internal to this folder. One thread at a time. Bounds: kMaxCallsInTurn calls, further ones share one place and are
// cut; CallFilter::kMaxHeld bytes of events, and as many of arguments.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "providers/held_events.h"
#include "providers/tool_calls.h"

namespace weir {

class EventText;

struct StreamedCall {
  enum class State : std::uint8_t { kUnnamed, kPassing, kHeld, kCut };

  std::int64_t choice = 0;
  std::int64_t index = -1;   // as the provider numbers it; -1: it does not
  std::int64_t placed = -1;  // as the client sees it; -1: nothing of it left yet
  std::string item;          // Responses: the item's id
  ToolCall call;
  std::string arguments;  // so far
  State state = State::kUnnamed;
  bool named = false, complete = false;
  HeldEvents held;

  bool is_withheld() const { return state == State::kUnnamed || state == State::kHeld; }
};

// Numbers things in the order in which they leave, once one of them was kept back or cut; before that as they came.
class Numbering {
 public:
  void disturb() { disturbed_ = true; }
  bool disturbed() const { return disturbed_; }
  std::int64_t place(std::int64_t index) {
    const std::int64_t placed = disturbed_ ? next_ : index;
    if (placed >= next_) next_ = placed + 1;
    return placed;
  }

 private:
  bool disturbed_ = false;
  std::int64_t next_ = 0;
};

class CallBook {
 public:
  using Asks = CallFilter::Asks;
  using Ruling = CallFilter::Ruling;

  CallBook();

  StreamedCall& at(std::size_t call) { return calls_[call]; }
  const StreamedCall& at(std::size_t call) const { return calls_[call]; }
  std::size_t size() const { return calls_.size(); }
  bool is_open() const { return open_ > 0; }  // a call is not complete yet
  // The latest that matches; kNone: none does.
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  template <class Matches>
  std::size_t find(Matches matches) const {
    for (std::size_t i = calls_.size(); i-- > 1;) {
      if (matches(calls_[i])) return i;
    }
    return kNone;
  }

  std::size_t begin(std::int64_t choice, std::int64_t index);
  void identify(std::size_t call, std::string_view id);
  void name(std::size_t call, std::string_view name);
  void append(std::size_t call, std::string_view arguments);
  void set_arguments(std::size_t call, std::string_view arguments);
  void complete(std::size_t call);
  template <class Matches>
  void complete_all(Matches matches) {
    if (!is_open()) return;
    for (std::size_t i = 1; i < calls_.size(); ++i) {
      if (!calls_[i].complete && matches(calls_[i])) complete(i);
    }
  }

  // Goes on to the next question of the event; kNothing: all are answered.
  Asks next();
  const ToolCall& asked() const;
  bool holds_asked() const;
  void rule(Ruling ruling);

  // Keeps an event of a call that is withheld; cuts the call when that is too much.
  void hold(std::size_t call, std::string_view event);
  bool has_released() const { return released_ > 0; }
  void released(std::size_t call);
  void drop_all();

  std::size_t passed() const { return passed_; }
  std::size_t cut() const { return cut_; }

 private:
  struct Question {
    std::size_t call;
    Asks asks;
  };

  void cut(StreamedCall& call);
  void forget_arguments(StreamedCall& call);

  std::vector<StreamedCall> calls_;  // the first stands for all beyond the bound
  std::vector<Question> questions_;
  std::size_t question_ = 0;
  std::size_t open_ = 0, passed_ = 0, cut_ = 0, released_ = 0;
  std::size_t held_bytes_ = 0, argument_bytes_ = 0;
};

// How one dialect writes calls in its events.
class CallDialect {
 public:
  virtual ~CallDialect() = default;
  // Whether the event could have to do with calls, by a look at its bytes.
  virtual bool concerns(std::string_view event, const CallBook& book) const = 0;
  // Finds the calls of the event and what is to be asked about them. `json`: valid until write().
  virtual void read(std::string_view json, CallBook& book) = 0;
  // Once all is ruled: what leaves.
  virtual void write(const EventText& event, CallBook& book, std::string& out) = 0;
};

std::unique_ptr<CallDialect> chat_call_dialect();
std::unique_ptr<CallDialect> responses_call_dialect();
std::unique_ptr<CallDialect> messages_call_dialect();
std::unique_ptr<CallDialect> gemini_call_dialect();
std::unique_ptr<CallDialect> ollama_call_dialect();

// True if one of `endings` follows somewhere on an `anchor`, or the text hides letters behind escapes. The anchor
// should be rare.
bool mentions(std::string_view text, char anchor, std::initializer_list<std::string_view> endings);

}  // namespace weir
