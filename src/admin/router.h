// The admin API's routes: finds the handler of a call, checks role, method and query, and runs it.
//
//   AdminRouter router(host);
//   router.add({"GET", "/admin/v1/keys/{name}", AdminRole::kViewer, {"since"}, show_key});
//   if (auto reply = router.handle(store, request, now, answer)) send(*reply);   // else `answer` gets it later
//
// Routes are added before the first call; handle() belongs to the thread that runs admin work. A handler is a function
// of the call's facts; what it needs beyond AdminContext it captures.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/host.h"
#include "admin/query.h"
#include "admin/request.h"
#include "base/time.h"
#include "gateway/reply.h"
#include "records/store.h"

namespace weir {

struct AdminContext {
  Store& store;
  AdminHost& host;
  const AdminRequest& request;
  const AdminQuery& query;
  TimeNs now = 0;
  const std::function<void(Reply)>& answer;

  const std::string& name(std::size_t i = 0) const { return request.names.at(i); }
  Change change() const { return {.at = now, .by = request.caller.name}; }
  // For work of seconds: it is done on the thread for long work, with that thread's store, and what it returns is the
  // answer. It must own all that it needs. Returns what the handler returns.
  std::optional<Reply> later(std::function<Reply(Store&, TimeNs)> work) const;
};

struct AdminRoute {
  std::string method;  // "GET" also answers HEAD
  std::string path;    // "/admin/v1/keys/{name}": a segment in braces takes any one segment, percent-decoded
  AdminRole role = AdminRole::kAdmin;
  std::vector<std::string> query;                              // parameters it takes; others are 400
  std::function<std::optional<Reply>(AdminContext&)> handler;  // nothing: the answer comes later
};

class AdminRouter {
 public:
  explicit AdminRouter(AdminHost& host) : host_(host) {}

  void add(AdminRoute route);
  const std::vector<AdminRoute>& routes() const { return routes_; }

  // Nothing if the answer takes long: `answer` is then called once, on the thread for long work.
  std::optional<Reply> handle(Store& store, AdminRequest request, TimeNs now,
                              const std::function<void(Reply)>& answer) const;

 private:
  AdminHost& host_;
  std::vector<AdminRoute> routes_;
};

// --- answers --------------------------------------------------------------------------------------------------------
Reply admin_json(std::string body, int status = 200);
// application/problem+json with the status's own kind of error.
Reply admin_problem(int status, std::string message);
Reply admin_store_failed(const Error& error);  // 503 and when to come back
Reply admin_too_much_waits();                  // likewise
// Strong ETag of a value: a quoted hash.
std::string etag_of(std::string_view value);
// Nothing if the call may go on: it sent no If-Match, `*`, or one that names `etag`. Else 412.
std::optional<Reply> refuse_stale(const AdminRequest& request, std::string_view etag);

}  // namespace weir
