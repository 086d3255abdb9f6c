// Degrade ladders: what becomes of a request while a limit runs out (PRODUCT section 3).
//
//   Degradation change = rules.degradation(plan, peeked, model, ladders);
//   if (change.any()) …plan again with change.model, forward with change.max_tokens…
//
// A rung is entered at its share of the amount and left 5 points below it, so that a consumer at the edge does not
// flap between two models. Which rungs are in force is remembered per limit, window and subject in Ladders.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "weir/types.h"

namespace weir {

struct Degradation {
  std::string model;                        // empty: as asked
  std::optional<std::int64_t> max_tokens;   // the smallest of the rungs in force
  std::optional<std::size_t> keep_messages;  // likewise
  std::string limits;                       // names of the limits whose rungs are in force: "spend" or "spend, tokens"

  bool any() const { return !model.empty() || max_tokens || keep_messages; }
  // As in X-Weir-Degraded: "spend; model=gpt-4o-mini; max_tokens=2048". Empty if nothing applies.
  std::string header() const;
};

// Bounded (kMaxEntries; what was used least recently is forgotten first, which only costs it its hysteresis).
// Thread-safe.
class Ladders {
 public:
  static constexpr std::size_t kMaxEntries = 100'000;
  Ladders();
  ~Ladders();
  Ladders(const Ladders&) = delete;
  Ladders& operator=(const Ladders&) = delete;

  // The share of the amount (in percent) that counts for rungs now: `percent` itself, or the highest rung below
  // `percent` + 5 that was in force at the last call, if that is more. `rungs`: ascending.
  int effective(const Hash128& subject, std::uint64_t counter, int percent, const int* rungs, std::size_t count);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
