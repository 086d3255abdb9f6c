// Callers' behaviour without profiles, rates, trust and breakers: weak definitions for programs that are built without
// them. Everything is ordinary.
#include "behavior/caller_breakers.h"
#include "behavior/profiles.h"
#include "behavior/rates.h"
#include "behavior/trust.h"
#define WEAK [[gnu::weak]]
namespace weir {
struct RunUses::List {};
WEAK void RunUses::Free::operator()(List* list) const {
  delete list;
}
WEAK void RunUses::note(std::string_view, Destination) {}
WEAK std::span<const ToolUse> RunUses::tools() const {
  return {};
}
struct Profiles::Impl {};
WEAK Profiles::Profiles(Options) {}
WEAK Profiles::~Profiles() = default;
WEAK ProfileKey Profiles::key(Hash128 owner, std::string_view, std::string_view) {
  return {owner, 1};
}
WEAK std::optional<Profiles::Anomaly> Profiles::judge(const ProfileKey&, std::string_view, Destination,
                                                      const ProfileRules&, TimeNs) {
  return std::nullopt;
}
WEAK void Profiles::learn(const ProfileKey&, const RunUses&, TimeNs) {}
WEAK std::int64_t Profiles::learned(const ProfileKey&) const {
  return 0;
}
WEAK std::size_t Profiles::size() const {
  return 0;
}
struct Rates::Impl {};
WEAK Rates::Rates(Options) {}
WEAK Rates::~Rates() = default;
WEAK std::optional<RateAnomaly> Rates::note(Hash128, const RateEvent&, TimeNs) {
  return std::nullopt;
}
WEAK std::size_t Rates::size() const {
  return 0;
}
WEAK std::size_t Rates::bytes_per_caller() {
  return 0;
}
struct Trust::Impl {};
WEAK Trust::Trust(Options) {}
WEAK Trust::~Trust() = default;
WEAK TrustChange Trust::drop(Hash128, std::string_view, const TrustRules&, TimeNs) {
  return {};
}
WEAK int Trust::permille(Hash128, const TrustRules&, TimeNs) const {
  return kFull;
}
WEAK std::size_t Trust::size() const {
  return 0;
}
struct FailedPrompts::Impl {};
WEAK FailedPrompts::FailedPrompts(Options) {}
WEAK FailedPrompts::~FailedPrompts() = default;
WEAK BreakerGate FailedPrompts::enter(Hash128, const BreakerRules&, TimeNs) {
  return {};
}
WEAK void FailedPrompts::end(Hash128, Hash128, bool, bool, const BreakerRules&, TimeNs) {}
WEAK void FailedPrompts::abandon(Hash128, bool) {}
WEAK std::size_t FailedPrompts::size() const {
  return 0;
}
struct Unlinked::Impl {};
WEAK Unlinked::Unlinked(Options) {}
WEAK Unlinked::~Unlinked() = default;
WEAK BreakerGate Unlinked::enter(Hash128, std::uint64_t, bool, const BreakerRules&, TimeNs) {
  return {};
}
WEAK void Unlinked::end(Hash128, std::uint64_t, bool, bool, const BreakerRules&, TimeNs) {}
WEAK void Unlinked::refused(Hash128, std::uint64_t, TimeNs, bool) {}
WEAK std::size_t Unlinked::size() const {
  return 0;
}
}  // namespace weir
