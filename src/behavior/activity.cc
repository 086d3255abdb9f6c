#include "behavior/activity.h"

#include <algorithm>

#include "base/hash.h"

namespace weir {

namespace {

template <class List>
void make_room(List& list, std::size_t most) {
  // A quarter at once, so that a full list does not move with every entry.
  if (list.size() >= most) list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(most / 4));
}

}  // namespace

void Opening::open(TimeNs now, DurationNs cooldown) {
  until = now + std::max<DurationNs>(cooldown, 1);
  probing = false;
}

void Opening::probe(TimeNs now, DurationNs cooldown) {
  open(now, cooldown);
  probing = true;
}

void Opening::abandon_probe(TimeNs now) {
  if (!probing) return;
  until = std::max<TimeNs>(now, 1);
  probing = false;
}

std::int64_t PromptLog::same(std::uint64_t prompt, TimeNs since) const {
  return std::count_if(prompts_.begin(), prompts_.end(),
                       [&](const Prompt& known) { return known.prompt == prompt && known.at >= since; });
}

void PromptLog::add(std::uint64_t prompt, TimeNs at) {
  make_room(prompts_, kMaxPrompts);
  prompts_.push_back({prompt, at});
}

void PromptLog::remove_last(std::uint64_t prompt) {
  const auto known =
      std::find_if(prompts_.rbegin(), prompts_.rend(), [&](const Prompt& one) { return one.prompt == prompt; });
  if (known != prompts_.rend()) prompts_.erase(std::next(known).base());
}

Opening& PromptLog::opening(std::uint64_t prompt) {
  if (opening_.what != prompt) opening_ = {.what = prompt};
  return opening_;
}

void Activity::add_call(const CallSeen& call) {
  make_room(calls_, kMaxCalls);
  calls_.push_back(call);
}

CallSeen* Activity::find_call(std::uint64_t id) {
  if (id == 0) return nullptr;
  CallSeen* answered = nullptr;
  for (CallSeen& call : calls_) {
    if (call.id != id) continue;
    if (!call.has(CallSeen::kAnswered)) return &call;
    answered = &call;
  }
  return answered;
}

CallSeen* Activity::find_pending(std::uint32_t tool) {
  for (CallSeen& call : calls_) {
    if (!call.has(CallSeen::kAnswered) && (tool == 0 || call.tool == tool)) return &call;
  }
  return nullptr;
}

CallSeen* Activity::find_served(std::uint64_t signature) {
  for (CallSeen& call : calls_) {
    if (call.signature == signature && call.has(CallSeen::kServed)) return &call;
  }
  return nullptr;
}

CallSeen* Activity::find_executing(std::uint64_t signature) {
  for (CallSeen& call : calls_) {
    if (call.signature == signature && call.has(CallSeen::kExecuted) && !call.has(CallSeen::kAnswered)) return &call;
  }
  return nullptr;
}

CallSeen* Activity::find_executed(std::uint32_t tool) {
  for (CallSeen& call : calls_) {
    if (call.id == 0 && call.has(CallSeen::kExecuted) && call.has(CallSeen::kAnswered) && call.tool == tool) {
      return &call;
    }
  }
  return nullptr;
}

std::optional<std::uint8_t> Activity::remove_call(std::uint64_t signature, std::uint64_t id) {
  const auto known = std::find_if(calls_.rbegin(), calls_.rend(), [&](const CallSeen& call) {
    return call.signature == signature && call.id == id && !call.has(CallSeen::kAnswered);
  });
  if (known == calls_.rend()) return std::nullopt;
  const std::uint8_t flags = known->flags;
  calls_.erase(std::next(known).base());
  return flags;
}

std::int64_t Activity::same_calls(std::uint64_t signature, TimeNs since) const {
  return std::count_if(calls_.begin(), calls_.end(), [&](const CallSeen& call) {
    return call.signature == signature && call.at >= since && !call.has(CallSeen::kServed) &&
           !call.has(CallSeen::kForgiven);
  });
}

std::int64_t Activity::calls_of(std::uint32_t tool) const {
  return std::count_if(calls_.begin(), calls_.end(), [&](const CallSeen& call) { return call.tool == tool; });
}

std::optional<TimeNs> Activity::nth_last(std::int64_t count) const {
  for (auto call = calls_.rbegin(); call != calls_.rend(); ++call) {
    if (!call->has(CallSeen::kServed) && --count == 0) return call->at;
  }
  return std::nullopt;
}

int Activity::waits_for(std::uint64_t signature, std::uint32_t tool) const {
  int waits = 0;
  for (const CallSeen& call : calls_) {
    if (call.has(CallSeen::kAnswered)) continue;
    if (signature != 0 && call.signature == signature) return 2;
    if (tool == 0 || call.tool == tool) waits = 1;
  }
  return waits;
}

void Activity::take_errors(bool all, TimeNs called_at, const BreakerRules& rules, TimeNs now) {
  if (!all) {
    errors_.clear();
    errors.close();
    return;
  }
  if (!errors_.empty() && called_at < errors_.back()) return;
  make_room(errors_, kMaxErrors);
  errors_.push_back(now);
  if (errors.is_open()) {
    errors.open(now, rules.cooldown);
    return;
  }
  if (rules.tool_errors.count <= 0) return;
  const auto count = std::min(static_cast<std::size_t>(rules.tool_errors.count), kMaxErrors / 2);
  if (errors_.size() < count) return;
  const TimeNs first = errors_[errors_.size() - count];
  if (rules.tool_errors.within <= 0 || now - first <= rules.tool_errors.within) errors.open(now, rules.cooldown);
}

bool Activity::take_result(CallSeen& call, std::uint64_t content) {
  call.flags |= CallSeen::kAnswered;
  const std::uint64_t result = hash_pair(content, call.signature != 0 ? call.signature : call.tool);
  const bool fresh = std::find(results_.begin(), results_.end(), result) == results_.end();
  if (fresh) {
    make_room(results_, kMaxResults);
    results_.push_back(result);
    stale_ = 0;
    stalled.close();
    progress();
    if (Opening* opened = opening(call.signature); opened != nullptr && opened->probing) {
      // The loop is over: what was counted before does not count against the next calls.
      for (CallSeen& same : calls_) {
        if (same.signature == call.signature) same.flags |= CallSeen::kForgiven;
      }
      openings_.erase(openings_.begin() + (opened - openings_.data()));
    }
  } else if (!call.has(CallSeen::kExempt) && call.signature != 0) {
    ++stale_;
  }
  return fresh;
}

Opening* Activity::opening(std::uint64_t signature) {
  if (signature == 0) return nullptr;
  for (Opening& one : openings_) {
    if (one.what == signature) return &one;
  }
  return nullptr;
}

void Activity::open(std::uint64_t signature, TimeNs now, DurationNs cooldown) {
  if (Opening* known = opening(signature)) return known->open(now, cooldown);
  make_room(openings_, kMaxOpenings);
  openings_.push_back({.what = signature});
  openings_.back().open(now, cooldown);
}

std::int64_t& Activity::children(std::uint64_t node) {
  for (Node& known : nodes_) {
    if (known.node == node) return known.children;
  }
  make_room(nodes_, kMaxNodes);
  return nodes_.emplace_back(node, 0).children;
}

std::size_t Activity::bytes() const {
  return sizeof *this + calls_.capacity() * sizeof(CallSeen) + results_.capacity() * sizeof(std::uint64_t) +
         errors_.capacity() * sizeof(TimeNs) + openings_.capacity() * sizeof(Opening) +
         nodes_.capacity() * sizeof(Node);
}

}  // namespace weir
