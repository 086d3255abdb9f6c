// Weir's own endpoints on both listeners: /v1/models, /weir/v1/*, /healthz, /readyz, /schema.json, /metrics.
//
// Request value in, response value out; no sockets. One worker's thread per object.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>

#include "admin/access.h"
#include "admin/observer.h"
#include "admin/router.h"
#include "admin/work.h"
#include "api/count.h"
#include "api/decision_router.h"
#include "gateway/endpoints.h"
#include "gateway/services.h"

namespace weir {

struct ApiOptions {
  const AdminAccess* access = nullptr;  // who may ask for /metrics and /admin/v1/*; null: nobody
  // The admin API and the thread that runs it; null: /admin/v1/* answers 503.
  const AdminRouter* router = nullptr;
  AdminWork* admin = nullptr;
  Observer* observer = nullptr;  // null: nobody can watch
  // Refreshes gauges that are read at scrape time (table sizes and the like).
  std::function<void()> before_metrics;
  std::function<std::string()> why_not_ready;  // empty when ready
};

class Api final : public OwnEndpoints {
 public:
  explicit Api(const ApiOptions& options);
  ~Api() override;

  std::optional<Reply> refuse_admin(Services& services, const RequestHead& head, std::string_view peer) override;
  bool needs_identity(const Target& target) const override;
  void handle(Services& services, const OwnRequest& request, ReplyEvents& events) override;
  void forget(ReplyEvents& events) override;

  // Holds of other shards are kept elsewhere; without a router all are kept here.
  void use(DecisionRouter& router, std::size_t shard) {
    router_ = &router;
    shard_ = shard;
  }
  // Drops what is under way; before the services go.
  void shut_down();
  DecisionDesk& desk() { return desk_; }

 private:
  class MeQuery;
  class Check;
  // One call of the decision API that its client waits for.
  struct Ticket {
    Ticket();
    Ticket(Ticket&&) noexcept;
    ~Ticket();
    ReplyEvents* events = nullptr;
    std::unique_ptr<Check> check;
    std::uint64_t watcher = 0;  // of the event stream
  };
  using DeskWork = std::function<void(DecisionDesk&, Services&, DecisionDesk::Done)>;

  void administer(Services& services, const OwnRequest& request, ReplyEvents& events);
  void watch(Services& services, const OwnRequest& request, ReplyEvents& events);
  void close_ticket(ReplyEvents& events);
  void decide(Services& services, const OwnRequest& request, ReplyEvents& events);
  std::uint64_t open_ticket(ReplyEvents& events);
  void deliver(std::uint64_t ticket, Reply reply);
  DecisionDesk::Done answer_to(std::uint64_t ticket);
  void at_desk_of(Services& services, Hash128 id, ReplyEvents& events, const DeskWork& work);
  Reply metrics(Services& services) const;
  Reply ready() const;

  const ApiOptions& options_;
  std::unordered_map<ReplyEvents*, std::unique_ptr<MeQuery>> waiting_;
  DecisionDesk desk_;
  DecisionRouter* router_ = nullptr;
  std::size_t shard_ = 0;
  std::uint64_t next_ticket_ = 0;
  std::unordered_map<std::uint64_t, Ticket> tickets_;
  std::unordered_map<ReplyEvents*, std::uint64_t> ticket_of_;
};

}  // namespace weir
