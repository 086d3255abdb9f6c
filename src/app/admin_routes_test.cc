// Every route of the admin API is in the OpenAPI document, and every call of the document is a route, except for the
// event stream, which has no end and is served by Api::watch.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <set>

#include "admin/openapi.h"
#include "app/admin_desk.h"
#include "gateway/gateway_fixture.h"
#include "journal/test_support.h"

namespace weir {
namespace {

constexpr const char* kServedOutsideTheRouter = "GET /admin/v1/events viewer";

std::string upper(std::string_view method) {
  std::string out(method);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

TEST(AdminRoutes, AreThoseOfTheDocumentAndNeedTheRoleThatItSays) {
  stage::World world;
  TempDir dir;
  ASSERT_TRUE(Store::open(dir.path(), {.create = true}));
  const Clock clock;
  AdminAccess access{Secret("token")};
  Metrics metrics;
  auto desk = AdminDesk::open({.clock = clock,
                               .counters = *world.services.counters,
                               .guard = *world.services.guard,
                               .subject_secret = *world.services.secret,
                               .addresses = {"", "", dir.path(), ""},
                               .rules = [&] { return world.services.rules; },
                               .consumers = [&] { return world.services.consumers; },
                               .reload = [](std::string_view) { return ReloadOutcome{}; },
                               .records_changed = [] {},
                               .policy_state = [] { return std::make_shared<const PolicyState>(); },
                               .overrides_changed = [] { return ReloadOutcome{}; },
                               .access = access,
                               .key_secret = "secret",
                               .demo_key = {},
                               .health = [] { return ServerHealth{}; },
                               .in_flight = [] { return 0; },
                               .metrics = metrics});
  ASSERT_TRUE(desk) << desk.error().message;
  std::set<std::string> routes, documented;
  for (const AdminRoute& route : (*desk)->router().routes()) {
    routes.insert(route.method + " " + route.path + " " + to_string(route.role));
  }
  simdjson::dom::parser parser;
  simdjson::dom::object paths;
  ASSERT_EQ(parser.parse(openapi_document().data(), openapi_document().size())["paths"].get(paths), simdjson::SUCCESS);
  for (const auto [path, item] : paths) {
    simdjson::dom::object methods;
    ASSERT_EQ(item.get(methods), simdjson::SUCCESS);
    for (const auto [method, operation] : methods) {
      std::string_view role;
      if (operation["x-weir-role"].get(role) != simdjson::SUCCESS) continue;  // what all methods have in common
      documented.insert(upper(method) + " /admin/v1" + std::string(path) + " " + std::string(role));
    }
  }
  EXPECT_TRUE(routes.insert(kServedOutsideTheRouter).second) << "the router has it too; it would never be asked";
  EXPECT_EQ(routes, documented);
}

}  // namespace
}  // namespace weir
