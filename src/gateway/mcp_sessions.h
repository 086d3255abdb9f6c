// Whose the sessions of MCP servers are. A server behind Weir sees no keys: whoever shows its session id would be taken
// for the one who began it.
//
//   const Hash128 session = sessions.id_of(secret, "crm", head.headers.get("mcp-session-id"));
//   if (!sessions.may_use(session, owner)) return reply(404);      // as a session that is over: begin a new one
//   …once the server accepted it: sessions.used(session, owner);   // the first owner stays
//
// A session that is not known (after a restart) is its first user's. Bounded by kMaxSessions, the longest unused is
// forgotten first. Thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "weir/subject.h"

namespace weir {

class McpSessions {
 public:
  static constexpr std::size_t kMaxSessions = 65'536;

  McpSessions();
  ~McpSessions();
  McpSessions(const McpSessions&) = delete;
  McpSessions& operator=(const McpSessions&) = delete;

  static Hash128 id_of(const SubjectSecret& secret, std::string_view server, std::string_view id);

  bool may_use(Hash128 session, Hash128 owner) const;
  void used(Hash128 session, Hash128 owner);
  std::size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
