// Weir's own endpoints on both listeners: /v1/models, /weir/v1/me, /healthz, /readyz, /schema.json, /metrics.
//
// Request value in, response value out; no sockets. One worker's thread per object.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>

#include "gateway/endpoints.h"
#include "gateway/services.h"

namespace weir {

struct ApiOptions {
  std::string admin_token;  // for /metrics
  // Refreshes gauges that are read at scrape time (table sizes and the like).
  std::function<void()> before_metrics;
  std::function<std::string()> why_not_ready;  // empty when ready
};

class Api final : public OwnEndpoints {
 public:
  explicit Api(const ApiOptions& options);
  ~Api() override;

  bool needs_identity(const Target& target) const override;
  void handle(Services& services, const OwnRequest& request, ReplyEvents& events) override;
  void forget(ReplyEvents& events) override;

 private:
  class MeQuery;
  Reply metrics(Services& services, const OwnRequest& request) const;
  Reply ready() const;

  const ApiOptions& options_;
  std::unordered_map<ReplyEvents*, std::unique_ptr<MeQuery>> waiting_;
};

}  // namespace weir
