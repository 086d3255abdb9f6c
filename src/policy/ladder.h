// Degrade ladders: what becomes of a request while a limit runs out (PRODUCT section 3).
//
//   Degradation change = rules.degradation(plan, peeked, model, ladders);
//   if (change.any()) …plan again for change.model, with the smaller change.max_tokens, and forward that…
//   if (admitted) rules.remember(plan, peeked, ladders);  // the plan and the state that degradation() saw
//
// A rung is entered at its share of the amount and left 5 points below it, so that a consumer at the edge does not
// flap between two models. Which rungs are in force is remembered per window of a limit and subject in Ladders, by
// admitted requests only: a refused one leaves no trace.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "weir/limiter.h"

namespace weir {

struct Degradation {
  std::string model;                         // empty: as asked
  std::optional<std::int64_t> max_tokens;    // the smallest of the rungs in force
  std::optional<std::size_t> keep_messages;  // likewise
  std::string limits;                        // names of the limits whose rungs are in force: "spend" or "spend, tokens"

  // Takes away what changes nothing for a request with this cap (none: it has none) and so many messages.
  void keep_what_changes(std::optional<std::int64_t> cap, std::size_t messages);
  bool any() const { return !model.empty() || max_tokens || keep_messages; }
  // As in X-Weir-Degraded: "spend; model=gpt-4o-mini; max_tokens=2048". Empty if nothing applies.
  std::string header() const;
};

// The highest rung in force, per subject and counter. Bounded: beyond kMaxEntries what was used least recently is
// forgotten, which only costs it its hysteresis. Counter ids are those of one limiter. Thread-safe.
class Ladders {
 public:
  static constexpr std::size_t kMaxEntries = 100'000;
  Ladders();
  ~Ladders();
  Ladders(const Ladders&) = delete;
  Ladders& operator=(const Ladders&) = delete;

  // The percent of the highest rung that was in force at the last remember(); 0 if none. Changes nothing, not even
  // what is forgotten next.
  int last(const Hash128& subject, CounterId counter) const;
  // `percent` 0: no rung is in force any more.
  void remember(const Hash128& subject, CounterId counter, int percent);
  std::size_t size() const;

 private:
  struct Shard;
  std::unique_ptr<Shard[]> shards_;
};

}  // namespace weir
