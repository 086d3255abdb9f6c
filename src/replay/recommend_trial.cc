#include "replay/recommend_trial.h"

#include <algorithm>

#include "base/characters.h"
#include "replay/recommend_clock.h"

namespace weir {
namespace {

// As the policy's file would have them.
Result<std::vector<LimitRule>> limits_of(const UseBook& book, std::span<const GroupProposal> proposals,
                                         const std::string& fallback) {
  std::vector<std::string> tiers{fallback};
  std::string head = "default_tier: " + fallback + "\ntiers:\n  " + fallback + ": { weight: 1 }\n";
  for (const GroupUse& group : book.groups()) {
    const bool name = is_lower_word(group.tier) && group.tier != "default" && group.tier != "anonymous";
    if (group.tier == "anonymous") tiers.push_back(group.tier);
    if (!name || std::find(tiers.begin(), tiers.end(), group.tier) != tiers.end()) continue;
    tiers.push_back(group.tier);
    head += "  " + group.tier + ": { weight: 1 }\n";
  }
  const LoadedPolicy loaded = load_policy(head + limits_yaml(book.groups(), proposals, tiers, fallback), "proposal",
                                          [](std::string_view) { return std::nullopt; });
  if (loaded.policy) return loaded.policy->limits;
  for (const Diagnostic& diagnostic : loaded.diagnostics) {
    if (diagnostic.error) return fail("the proposal cannot be tried: " + to_string(diagnostic));
  }
  return fail("the proposal cannot be tried");
}

}  // namespace

Result<std::unique_ptr<Trial>> Trial::make(const Policy& policy, const UseBook& book, ServiceTime service,
                                           bool every_row) {
  auto trial = std::make_unique<Trial>(book);
  Trial& self = *trial;
  const std::vector<GroupUse>& groups = book.groups();
  self.choices_.resize(groups.size());
  self.asks_.resize(book.consumers().size());
  self.refused_.resize(book.consumers().size());
  for (std::size_t at = 0; at < kMultiples.size(); ++at) {
    std::vector<GroupProposal> proposals;
    for (const GroupUse& group : groups) proposals.push_back(propose(group, kMultiples[at]));
    auto limits = limits_of(book, proposals, policy.default_tier);
    if (!limits) return std::unexpected(limits.error());
    auto tried = std::make_shared<Policy>(policy);
    tried->limits = std::move(*limits);
    self.replays_.push_back(std::make_unique<Replay>(
        std::move(tried), ReplayOptions{.whole_cap = true, .service = service, .max_tokens = 0},
        [&self, at](const ReplayedRow& row) {
          if (row.decision == ReplayDecision::kRefuse) ++self.refused_[self.present_][at];
        }));
    self.replays_.back()->begin_trace(PlacedRows());
    for (std::size_t i = 0; i < self.asks_.size(); ++i) {
      const ConsumerUse& consumer = book.consumers()[i];
      if (every_row || consumer.own || may_be_refused(consumer, proposals[consumer.group])) {
        self.asks_[i] = static_cast<std::uint8_t>(self.asks_[i] | (1u << at));
      }
    }
    for (std::size_t g = 0; g < groups.size(); ++g) self.choices_[g][at].proposal = std::move(proposals[g]);
  }
  return trial;
}

Result<void> Trial::add(const TraceRow& row) {
  present_ = book_.find(row);
  if (present_ >= asks_.size()) return {};
  for (std::size_t at = 0; at < replays_.size(); ++at) {
    if ((asks_[present_] >> at & 1) == 0) continue;
    if (auto added = replays_[at]->add(row); !added) return added;
    ++replayed_;
  }
  return {};
}

void Trial::finish() {
  for (const auto& replay : replays_) replay->finish();
  for (std::size_t i = 0; i < refused_.size(); ++i) {
    const ConsumerUse& consumer = book_.consumers()[i];
    for (std::size_t at = 0; at < kMultiples.size(); ++at) {
      const std::int64_t refused = refused_[i][at];
      if (refused == 0) continue;
      Choice& choice = choices_[consumer.group][at];
      choice.refused += refused;
      ++choice.consumers;
      const auto place = std::find_if(choice.named.begin(), choice.named.end(),
                                      [&](const auto& named) { return named.second < refused; });
      choice.named.insert(place, {consumer.name, refused});
      if (choice.named.size() > kConsumersNamed) choice.named.pop_back();
    }
  }
}

double accepted_refusals(const GroupUse& group) {
  return kAcceptedRefusals * static_cast<double>(group.requests);
}

std::size_t Trial::chosen(std::size_t group) const {
  const double accepted = accepted_refusals(book_.groups()[group]);
  for (std::size_t at = 0; at < kMultiples.size(); ++at) {
    if (static_cast<double>(choices_[group][at].refused) <= accepted) return at;
  }
  return kMultiples.size() - 1;
}

}  // namespace weir
