// Is a concurrent history linearizable? Searches for an order of its calls that respects real time and in which the
// reference model gives every answer that was really given.
//
//   std::vector<Call> calls = ...;                       // each with its interval and its answer
//   Linearizer search(calls);
//   EXPECT_TRUE(search.explains(model)) << dump(calls);  // the model in the state before the first call
//
// The search of Wing and Gong (1993) with the memory of Lowe (2017): a set of calls and the state behind it are looked
// at once. A call that changes nothing and whose answer is right now is taken at once, without looking at other places
// for it: moving it forward changes no other answer.
// Limits: kMaxCalls calls.
#pragma once

#include <limits>
#include <sstream>
#include <string>
#include <unordered_set>
#include <vector>

#include "engine/property_support.h"
#include "engine/reference_model.h"

namespace weir::engine {

inline constexpr std::size_t kMaxCalls = 64;

struct Call {
  // An expire() of many reservations is not one step: each is expired at its own instant within the call, and each that
  // is left was seen not to be due. So one call of expire() becomes one kExpired or kNotDue per id.
  enum class Kind : std::uint8_t { kAdmit, kPeek, kTopUp, kSettle, kCancel, kExpire, kExpired, kNotDue };

  Kind kind = Kind::kAdmit;
  int began = 0, ended = 0;  // on a counter that all threads share
  TimeNs now = 0;
  Hash128 id{};
  TimeNs deadline = 0;
  std::vector<Subject> subjects{};
  std::vector<Demand> demands{};
  std::vector<std::int64_t> amounts{};  // top-up, settle: one per demand
  Decision decision{};
  Outcome outcome = Outcome::kUnknown;
  std::vector<Hash128> expired{};

  AdmitRequest request() const {
    return {.subjects = subjects, .demands = demands, .now = now, .id = id, .deadline = deadline, .effects = nullptr};
  }
};

class Linearizer {
 public:
  explicit Linearizer(const std::vector<Call>& calls) : calls_(calls) {}

  bool explains(const ReferenceModel& model) {
    if (calls_.size() > kMaxCalls) return false;
    return search(model, calls_.size() == kMaxCalls ? 0 : ~std::uint64_t{0} << calls_.size());
  }
  std::size_t states() const { return seen_.size(); }

 private:
  enum class Answer : std::uint8_t { kWrong, kRight, kRightAndChanges };

  static Answer judge(const ReferenceModel& model, const Call& call) {
    const auto decided = [&](const Decision& expected) {
      if (!same(expected, call.decision)) return Answer::kWrong;
      const bool changes = call.kind != Call::Kind::kPeek && expected.admitted && !expected.replayed;
      return changes ? Answer::kRightAndChanges : Answer::kRight;
    };
    switch (call.kind) {
      case Call::Kind::kAdmit:
      case Call::Kind::kPeek:
        return decided(model.peek(call.request()));
      case Call::Kind::kTopUp:
        return decided(model.try_top_up(call.id, call.amounts, call.now));
      case Call::Kind::kSettle:
      case Call::Kind::kCancel:
        if (model.outcome_of(call.id) != call.outcome) return Answer::kWrong;
        return call.outcome == Outcome::kDone ? Answer::kRightAndChanges : Answer::kRight;
      case Call::Kind::kExpired:
        return model.is_due(call.id, call.now) ? Answer::kRightAndChanges : Answer::kWrong;
      case Call::Kind::kNotDue:
        return model.is_due(call.id, call.now) ? Answer::kWrong : Answer::kRight;
      case Call::Kind::kExpire:
        break;
    }
    return Answer::kWrong;
  }

  static void apply(ReferenceModel& model, const Call& call) {
    if (call.kind == Call::Kind::kAdmit) model.charge(call.request(), call.decision);
    if (call.kind == Call::Kind::kTopUp) model.top_up(call.id, call.amounts, call.now);
    if (call.kind == Call::Kind::kSettle) model.settle(call.id, call.amounts, call.now);
    if (call.kind == Call::Kind::kCancel) model.settle(call.id, {}, call.now);
    if (call.kind == Call::Kind::kExpired) model.expire_one(call.id);
  }

  // `done`: one bit per call, the unused ones set.
  bool search(const ReferenceModel& model, std::uint64_t done) {
    std::vector<std::size_t> changing;
    for (bool again = true; again;) {
      if (~done == 0) return true;
      again = false;
      changing.clear();
      int first_end = std::numeric_limits<int>::max();
      for (std::size_t i = 0; i < calls_.size(); ++i) {
        if ((done >> i & 1) == 0) first_end = std::min(first_end, calls_[i].ended);
      }
      for (std::size_t i = 0; i < calls_.size() && !again; ++i) {
        if ((done >> i & 1) != 0 || calls_[i].began > first_end) continue;
        const Answer answer = judge(model, calls_[i]);
        if (answer == Answer::kRightAndChanges) changing.push_back(i);
        if (answer != Answer::kRight) continue;
        done |= std::uint64_t{1} << i;
        again = true;
      }
    }
    if (!seen_.insert(done * 0x9E3779B97F4A7C15ull ^ model.digest()).second) return false;
    for (const std::size_t i : changing) {
      ReferenceModel next = model;
      apply(next, calls_[i]);
      if (search(next, done | std::uint64_t{1} << i)) return true;
    }
    return false;
  }

  const std::vector<Call>& calls_;
  std::unordered_set<std::uint64_t> seen_;
};

inline std::string dump(const std::vector<Call>& calls) {
  static constexpr std::array kNames{"admit", "peek", "top-up", "settle", "cancel", "expire", "expired", "not due"};
  std::ostringstream out;
  for (const Call& call : calls) {
    out << "[" << call.began << ", " << call.ended << "] " << kNames[static_cast<std::size_t>(call.kind)] << " id "
        << call.id.low << " now " << call.now - kTestStart;
    if (call.kind == Call::Kind::kAdmit) out << " deadline " << call.deadline - kTestStart;
    if (call.kind == Call::Kind::kSettle || call.kind == Call::Kind::kCancel) {
      out << " outcome " << static_cast<int>(call.outcome);
    }
    if (call.kind <= Call::Kind::kTopUp) out << (call.decision.admitted ? " admitted" : " refused");
    for (std::size_t i = 0; i < call.demands.size(); ++i) {
      const Demand& demand = call.demands[i];
      const Verdict& verdict = call.decision.verdicts[i];
      out << " {counter " << demand.counter << " of " << call.subjects[demand.subject].key.low << ": " << demand.cost
          << " on " << verdict.used << "+" << verdict.reserved << (verdict.refuses ? " refuses}" : "}");
    }
    for (const std::int64_t amount : call.amounts) out << " " << amount;
    out << "\n";
  }
  return out.str();
}

}  // namespace weir::engine
