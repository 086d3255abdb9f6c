#include "admin/access.h"

#include <algorithm>

namespace weir {

AdminCaller AdminAccess::caller_of(std::string_view presented, TimeNs now) const {
  if (presented.empty()) return {};
  if (token_.matches(presented)) return {.name = std::string(kPolicyTokenName), .role = AdminRole::kAdmin};
  const KeyHash hash = hasher_.hash(presented);
  AdminCaller caller;
  const MutexLock lock(mutex_);
  for (const StoredAdminToken& stored : tokens_) {
    if (!stored.hash.same(hash) || stored.token.expired(now)) continue;
    caller = {.name = stored.token.name, .role = stored.token.role, .expires_at = stored.token.expires_at};
  }
  for (const Session& session : sessions_) {
    if (session.hash.same(hash) && session.caller.expires_at > now) caller = session.caller;
  }
  return caller;
}

void AdminAccess::use(std::span<const StoredAdminToken> tokens) {
  const MutexLock lock(mutex_);
  tokens_.assign(tokens.begin(), tokens.end());
  std::erase_if(sessions_, [&](const Session& session) {
    return session.token && std::none_of(tokens.begin(), tokens.end(), [&](const StoredAdminToken& stored) {
             return stored.hash.same(*session.token);
           });
  });
}

void AdminAccess::add_code(std::string_view code, TimeNs now) {
  const MutexLock lock(mutex_);
  if (codes_.size() >= kMaxCodes) codes_.erase(codes_.begin());
  codes_.push_back({.hash = hasher_.hash(code), .until = now + kCodeFor});
}

bool AdminAccess::knows_code(std::string_view code, TimeNs now) const {
  const KeyHash hash = hasher_.hash(code);
  const MutexLock lock(mutex_);
  return std::any_of(codes_.begin(), codes_.end(),
                     [&](const Code& each) { return each.hash.same(hash) && each.until > now; });
}

std::optional<AdminCaller> AdminAccess::open_session(std::string_view code, std::string_view fresh, TimeNs now) {
  const KeyHash hash = hasher_.hash(code);
  const MutexLock lock(mutex_);
  const auto found = std::find_if(codes_.begin(), codes_.end(), [&](const Code& each) { return each.hash.same(hash); });
  if (found == codes_.end()) return std::nullopt;
  const bool late = found->until <= now;
  codes_.erase(found);
  if (late) return std::nullopt;
  Session session;
  session.caller = {.name = std::string(kPolicyTokenName), .role = AdminRole::kAdmin};
  return keep(std::move(session), fresh, now);
}

std::optional<AdminCaller> AdminAccess::open_session(const AdminCaller& caller, std::string_view fresh, TimeNs now) {
  Session session;
  session.caller = caller;
  const MutexLock lock(mutex_);
  if (caller.session != 0) {
    const auto found = std::find_if(sessions_.begin(), sessions_.end(),
                                    [&](const Session& each) { return each.caller.session == caller.session; });
    if (found == sessions_.end()) return std::nullopt;
    session.token = found->token;
  } else if (caller.name != kPolicyTokenName) {
    const auto found = std::find_if(tokens_.begin(), tokens_.end(),
                                    [&](const StoredAdminToken& each) { return each.token.name == caller.name; });
    if (found == tokens_.end()) return std::nullopt;
    session.token = found->hash;
  }
  return keep(std::move(session), fresh, now);
}

AdminCaller AdminAccess::keep(Session session, std::string_view fresh, TimeNs now) {
  std::erase_if(sessions_, [now](const Session& each) { return each.caller.expires_at <= now; });
  // Whoever may only read must not end the sessions of others by beginning many.
  const auto own = [&](const Session& each) { return each.caller.name == session.caller.name; };
  if (std::count_if(sessions_.begin(), sessions_.end(), own) >= static_cast<std::ptrdiff_t>(kMaxSessionsOfOne)) {
    sessions_.erase(std::find_if(sessions_.begin(), sessions_.end(), own));
  }
  if (sessions_.size() >= kMaxSessions) sessions_.erase(sessions_.begin());
  session.hash = hasher_.hash(fresh);
  const TimeNs until = now + kSessionFor;
  const TimeNs before = session.caller.expires_at;
  session.caller.expires_at = before == 0 ? until : std::min(before, until);
  session.caller.session = ++last_session_;
  sessions_.push_back(session);
  return std::move(session.caller);
}

bool AdminAccess::end_session(std::uint64_t session) {
  const MutexLock lock(mutex_);
  return std::erase_if(sessions_, [session](const Session& each) { return each.caller.session == session; }) > 0;
}

}  // namespace weir
