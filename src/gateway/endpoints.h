// Weir's own endpoints, as the gateway sees them. Implemented in src/api.
#pragma once

#include <optional>
#include <string_view>

#include "gateway/http1.h"
#include "gateway/identity.h"
#include "gateway/reply.h"
#include "gateway/target.h"

namespace weir {

struct Services;

class ReplyEvents {
 public:
  virtual ~ReplyEvents() = default;
  virtual void on_reply(Reply reply) = 0;
  // An answer without a known end, such as server-sent events: its head (the body is the first piece), then pieces
  // until end_stream() or forget(). A piece is dropped, and false returned, while kMaxUnsentOfStream bytes wait for the
  // client.
  virtual void on_stream(Reply head) { on_reply(std::move(head)); }
  virtual bool on_piece(std::string_view) { return false; }
  virtual void end_stream() {}
};

struct OwnRequest {
  const Target& target;
  const RequestHead& head;
  const Identity& identity;  // kOk; null consumer and empty ip where the endpoint needs no key
  std::string_view request_id;
  Hash128 id{};           // of this request; unique
  std::string_view body;  // whole; valid during handle() only
  std::string_view peer;  // address of the socket; as long
};

inline constexpr std::size_t kMaxUnsentOfStream = 256 << 10;
inline constexpr std::size_t kMaxOwnBody = 1 << 20;  // of a request to these endpoints

class OwnEndpoints {
 public:
  virtual ~OwnEndpoints() = default;
  // Judged at the head of every request to the admin listener, before anything else: an answer ends it there.
  virtual std::optional<Reply> refuse_admin(Services&, const RequestHead&, std::string_view /*peer*/) {
    return std::nullopt;
  }
  // True if a key is needed.
  virtual bool needs_identity(const Target& target) const = 0;
  // Answers at once or later, exactly once, unless forget() comes first.
  virtual void handle(Services& services, const OwnRequest& request, ReplyEvents& events) = 0;
  virtual void forget(ReplyEvents& events) = 0;
};

}  // namespace weir
