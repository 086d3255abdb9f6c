// What one run did, as far as its breakers need it: calls, results, errors in a row, prompts, children. No locks, no
// rules of its own: the guard asks, judges and tells. Made for a run once it does more than one plain request.
//
//   Activity activity;
//   if (activity.same_calls(signature, since) + 1 >= 5 && activity.gate(signature, now, cooldown) == …)
//   activity.add_call({.signature = signature, .id = id, .at = now});
//   auto news = activity.take_result(*activity.find_call(id), content);
//   activity.take_errors(errors == results, called_at, rules, now);     // of a turn
//
// Belongs to its run and is guarded by that run's stripe. Every list has a kMax; the oldest goes first. Scans are over
// at most kMaxCalls entries of 32 bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "behavior/profiles.h"
#include "model/behavior_rules.h"

namespace weir {

// What a breaker that can open lets pass.
enum class Gate : std::uint8_t { kPass, kProbe, kShut };

// Closed, or open until an instant; then one probe, and if that tells nothing, another after the next cooldown.
struct Opening {
  std::uint64_t what = 0;
  TimeNs until = 0;  // 0: closed
  bool probing = false;

  bool is_open() const { return until != 0; }
  Gate gate(TimeNs now) const { return !is_open() ? Gate::kPass : now < until ? Gate::kShut : Gate::kProbe; }
  void open(TimeNs now, DurationNs cooldown);
  void probe(TimeNs now, DurationNs cooldown);
  void abandon_probe(TimeNs now);  // it was never sent: the next one may be the probe
  void close() { *this = {.what = what}; }
};

// The same prompt again and again: of a run, or of a conversation.
class PromptLog {
 public:
  static constexpr std::size_t kMaxPrompts = 64;  // a higher threshold acts like this

  std::int64_t same(std::uint64_t prompt, TimeNs since) const;
  void add(std::uint64_t prompt, TimeNs at);
  void remove_last(std::uint64_t prompt);  // it was not sent after all
  Opening& opening(std::uint64_t prompt);

 private:
  struct Prompt {
    std::uint64_t prompt = 0;
    TimeNs at = 0;
  };
  std::vector<Prompt> prompts_;
  Opening opening_;  // of the prompt that broke last
};

struct CallSeen {
  std::uint64_t signature = 0;  // 0: unknown, of a result whose call was not seen
  std::uint64_t id = 0;         // hash of the call's id, or of the place of its result; 0: none yet
  TimeNs at = 0;
  std::uint32_t tool = 0;  // hash of its name; 0: unknown
  enum Flag : std::uint8_t {
    kAnswered = 1,   // its result was taken in
    kServed = 2,     // announced, executed at an upstream of this Weir, and not yet there: does not count
    kUnpaid = 4,     // its result arrived with a request that was refused: to be counted again
    kForgiven = 8,   // does not count as a repetition any more
    kExempt = 16,    // its tool polls
    kExecuted = 32,  // here
  };
  std::uint8_t flags = 0;
  bool has(Flag flag) const { return (flags & flag) != 0; }
};

struct RunBudget {
  Hash128 tag;                              // of whoever holds it
  std::int64_t tokens = 0, usd_micros = 0;  // 0: none
};

class Activity {
 public:
  static constexpr std::size_t kMaxCalls = 1024;   // higher thresholds act like this
  static constexpr std::size_t kMaxResults = 512;  // contents remembered
  static constexpr std::size_t kMaxErrors = 64;    // turns in a row; higher thresholds act like this
  static constexpr std::size_t kMaxOpenings = 16;  // broken signatures
  static constexpr std::size_t kMaxNodes = 64;     // with children
  static constexpr int kStale = 6;                 // results in a row that were all seen before: nothing new comes

  // Calls.
  void add_call(const CallSeen& call);
  CallSeen* find_call(std::uint64_t id);              // not yet answered, else the last that was
  CallSeen* find_pending(std::uint32_t tool);         // the oldest unanswered one, of that tool (0: any)
  CallSeen* find_served(std::uint64_t signature);     // the oldest announced and not executed one
  CallSeen* find_executing(std::uint64_t signature);  // the oldest executed here and unanswered one
  CallSeen* find_executed(std::uint32_t tool);        // executed here and answered, its id not known yet
  // The last such, unanswered. Its flags; nullopt: none.
  std::optional<std::uint8_t> remove_call(std::uint64_t signature, std::uint64_t id);
  std::int64_t same_calls(std::uint64_t signature, TimeNs since) const;
  std::int64_t calls_of(std::uint32_t tool) const;
  // When the `count`-th last counted call was made; nullopt: fewer were.
  std::optional<TimeNs> nth_last(std::int64_t count) const;
  // 2: this call is not answered yet; 1: one of this tool (0: any) is not; 0: none.
  int waits_for(std::uint64_t signature, std::uint32_t tool) const;

  // Results. True: something new came, which this call (name and arguments) had not brought before. Only a call whose
  // arguments are known can bring nothing new: many tools say no more than "ok".
  bool take_result(CallSeen& call, std::uint64_t content);
  // Results of one turn, which came together: all of them errors, or not. Those of a call that was made before the last
  // error was known are of that error's turn: the model could not have learned from it.
  void take_errors(bool all, TimeNs called_at, const BreakerRules& rules, TimeNs now);

  // Broken signatures.
  Opening* opening(std::uint64_t signature);
  void open(std::uint64_t signature, TimeNs now, DurationNs cooldown);

  // Children of nodes.
  std::int64_t& children(std::uint64_t node);
  void progress() { nodes_.clear(); }

  Opening errors;   // too many in a row: the whole run
  Opening stalled;  // nothing new: its calls
  PromptLog prompts;
  RunUses uses;
  RunBudget budget;
  std::int64_t errors_in_row() const { return static_cast<std::int64_t>(errors_.size()); }
  int stale_results() const { return stale_; }

  std::size_t bytes() const;

 private:
  struct Node {
    std::uint64_t node = 0;
    std::int64_t children = 0;
  };

  std::vector<CallSeen> calls_;
  std::vector<std::uint64_t> results_;  // contents with their calls, as they came
  std::vector<TimeNs> errors_;
  std::vector<Opening> openings_;
  std::vector<Node> nodes_;
  int stale_ = 0;
};

}  // namespace weir
