// Limits made from recorded use: amounts at a multiple of p95, in the windows that suit the callers' shape.
//
//   GroupProposal at_six = propose(group, 6);
//   at_six.limits[0];                          // {meter "requests", windows {"60/1m", "2k/day"}}
//   std::string yaml = limits_yaml(groups, proposals, known_tiers, "free");
//
// Windows: conversational callers, and those of unknown shape, get a short sliding window that stops a flood and a day
// that bounds the sum. A batch gets buckets that pace it instead of cutting it, tokens by the hour and day, and a bound
// on what it does at once. Autonomous callers get a bucket, tokens per sliding hour, and money and runs as their last
// bounds. Amounts are rounded up to what people write (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8 and powers of ten times
// them); a longer window never gets less than a shorter one. What was never used gets no limit. A window
// that is longer than all that was seen gets none either: part of a day's use is no measure of a day's; where no other
// window is left, the longest one that was seen stands in.
//
// Pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "replay/recommend_use.h"

namespace weir {

inline constexpr std::array<int, 5> kMultiples = {4, 5, 6, 8, 10};  // of p95

// `amount` rounded up to a figure that people write; one that is less by no more than a quantile may be off will do.
// usd in micro-dollars, at least a cent.
std::int64_t written_amount(std::int64_t amount, UseMeter meter);
// "50k", "1500", "2M"; usd "2.50".
std::string amount_text(std::int64_t amount, UseMeter meter);
// For people: "$1,350.57", below a dollar "$0.004130".
std::string dollars_text(std::int64_t micros);
// p95 times the multiple, written. 0: nothing was used, or less time was seen than such a window has.
std::int64_t amount_at(const GroupUse& group, UseWindow window, UseMeter meter, int multiple);

struct ProposedLimit {
  std::string meter;
  std::vector<std::string> windows;  // as `allow` has them
};

struct GroupProposal {
  int multiple = 0;
  std::vector<ProposedLimit> limits;
  // The amounts in `limits`: what a window holds. 0: that is not limited.
  std::array<Amounts, kUseWindows> sums{};
  bool bucket = false;           // requests: the hour's amount refills, the minute's is the burst
  std::int64_t concurrency = 0;  // 0: not limited
};

GroupProposal propose(const GroupUse& group, int multiple);

// False: this consumer stays within the proposal whatever happens in which order, so a replay need not ask. True: it
// may be refused.
bool may_be_refused(const ConsumerUse& consumer, const GroupProposal& proposal);

// A proposal of this meter stands for such a limit.
bool is_sized(const LimitRule& rule, std::string_view meter);

// Window types for people: "short sliding windows and a day".
std::string_view suits(Shape shape);

// A `limits:` section, maps by tier, for each kind of consumer that has its own use. `tiers`: those that may be named;
// the amounts of `fallback`, else of the first group, hold for all others. Tier by tier in the order of `groups`, of
// which `proposals` are. The ladders of limits that are `replaced` go on.
std::string limits_yaml(std::span<const GroupUse> groups, std::span<const GroupProposal> proposals,
                        std::span<const std::string> tiers, std::string_view fallback,
                        std::span<const LimitRule> replaced = {});

}  // namespace weir
