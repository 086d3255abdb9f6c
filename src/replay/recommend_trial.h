// What proposed limits would have refused: the second pass of `weir recommend`, by the engine itself.
//
//   auto trial = Trial::make(policy, book);                   // a replay for each of kMultiples
//   while (…next(row)…) if (auto added = trial->add(row); !added) return fail(added.error().message);
//   trial->finish();
//   trial->choices(group)[0];                                 // at 4 times p95: refused, of whom
//
// The rows are those of the first pass, placed on the calendar (recommend_clock.h). Every row asks for exactly what it
// used: what is refused is refused for its use, not for a caller's cap. A consumer whose use can break no proposed
// limit in any order of events is not replayed: that changes no decision, for limits per caller are nobody else's (a
// test compares both). Only a run that several users of a key share counts for the first of them that is replayed.
//
// Belongs to one thread; the policy and the book must outlive it. Memory: the limiters' counters and 20 bytes a
// consumer.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "replay/recommend_proposal.h"
#include "replay/recommend_use.h"
#include "replay/replay.h"

namespace weir {

inline constexpr std::size_t kConsumersNamed = 5;
inline constexpr double kAcceptedRefusals = 0.001;  // share of requests that the chosen multiple may refuse
double accepted_refusals(const GroupUse& group);    // in requests

// One multiple for one group.
struct Choice {
  GroupProposal proposal;
  std::int64_t refused = 0;                                 // requests
  std::int64_t consumers = 0;                               // of which something was refused
  std::vector<std::pair<std::string, std::int64_t>> named;  // those with most refusals
};

class Trial {
 public:
  explicit Trial(const UseBook& book) : book_(book) {}  // of nothing; use make()
  // `every_row`: consumers that nothing can be refused of are replayed too.
  static Result<std::unique_ptr<Trial>> make(const Policy& policy, const UseBook& book, ServiceTime service = {},
                                             bool every_row = false);

  Result<void> add(const TraceRow& row);
  void finish();

  // By multiple, of the group at this place in the book. After finish().
  const std::array<Choice, kMultiples.size()>& choices(std::size_t group) const { return choices_[group]; }
  // The smallest multiple that refuses at most kAcceptedRefusals of the group's requests; the largest if none does.
  std::size_t chosen(std::size_t group) const;
  std::int64_t replayed() const { return replayed_; }  // rows, of all multiples

 private:
  const UseBook& book_;
  std::vector<std::array<Choice, kMultiples.size()>> choices_;
  std::vector<std::unique_ptr<Replay>> replays_;                       // by multiple
  std::vector<std::uint8_t> asks_;                                     // by consumer: bit per multiple
  std::vector<std::array<std::uint32_t, kMultiples.size()>> refused_;  // by consumer
  std::size_t present_ = 0;                                            // consumer of the row that is replayed
  std::int64_t replayed_ = 0;
};

}  // namespace weir
