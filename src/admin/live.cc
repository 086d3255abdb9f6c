// GET /admin/v1/live: the last minutes second by second.
#include "admin/observer.h"
#include "admin/routes.h"

namespace weir {
namespace {

Reply show_live(AdminContext& context) {
  constexpr auto kMost = static_cast<std::int64_t>(LiveSeries::kSeconds);
  const Result<std::int64_t> seconds = context.query.number("seconds", 1, kMost, kMost);
  if (!seconds) return admin_problem(400, seconds.error().message);
  return admin_json(context.host.observer().live(static_cast<std::size_t>(*seconds), context.now));
}

}  // namespace

void add_live_routes(AdminRouter& router) {
  router.add({"GET", "/admin/v1/live", AdminRole::kViewer, {"seconds"}, show_live});
}

}  // namespace weir
