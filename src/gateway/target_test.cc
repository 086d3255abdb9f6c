#include "gateway/target.h"

#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"

namespace weir {
namespace {

TEST(TargetTest, RoutesOfTheDataListener) {
  const auto policy = must_load(stage::kTestPolicy);
  const auto kind = [&](std::string_view method, std::string_view path) {
    return find_target(*policy, method, path).kind;
  };
  EXPECT_EQ(kind("POST", "/v1/chat/completions"), TargetKind::kLlm);
  EXPECT_EQ(find_target(*policy, "POST", "/v1/messages").operation, Operation::kMessages);
  EXPECT_EQ(find_target(*policy, "POST", "/v1/embeddings").operation, Operation::kEmbeddings);
  EXPECT_EQ(kind("GET", "/v1/models"), TargetKind::kModels);
  EXPECT_EQ(kind("GET", "/weir/v1/me"), TargetKind::kMe);
  EXPECT_EQ(kind("POST", "/weir/v1/admit"), TargetKind::kAdmit);
  EXPECT_EQ(kind("POST", "/weir/v1/settle"), TargetKind::kSettle);
  EXPECT_EQ(kind("POST", "/weir/v1/cancel"), TargetKind::kCancel);
  EXPECT_EQ(kind("POST", "/weir/v1/check"), TargetKind::kCheck);
  EXPECT_EQ(find_target(*policy, "GET", "/weir/v1/count").allow, "POST, OPTIONS");
  EXPECT_EQ(kind("GET", "/healthz"), TargetKind::kHealth);
  EXPECT_EQ(kind("GET", "/readyz"), TargetKind::kReady);
  EXPECT_EQ(kind("GET", "/schema.json"), TargetKind::kSchema);
  EXPECT_EQ(kind("GET", "/metrics"), TargetKind::kNone);
  EXPECT_EQ(kind("GET", "/v1/chat/completions/"), TargetKind::kNone);
  EXPECT_EQ(kind("GET", "/api/a/b"), TargetKind::kUpstream);
  EXPECT_EQ(find_target(*policy, "GET", "/api/a/b").route, "/api/**");
  EXPECT_EQ(kind("GET", "/apis"), TargetKind::kNone);
  EXPECT_EQ(kind("OPTIONS", "*"), TargetKind::kServerOptions);
  EXPECT_EQ(kind("GET", "*"), TargetKind::kNone);
}

TEST(TargetTest, DotsAreFoundHoweverTheyAreWritten) {
  for (const char* path :
       {"/api/../x", "/api/./x", "/api/..", "/api/%2e%2E/x", "/api/.%2e/x", "/api/..%2fx", "/api%5c..%5Cx",
        "/api/..;/x", "/api/..;v=1/x", "/api/.;/x", "/api/..%3b/x", "/api/%2e%2e%3B", "/..", "/."}) {
    EXPECT_TRUE(has_dot_segment(path)) << path;
  }
  for (const char* path : {"/", "/api/...", "/api/.x", "/api/..x", "/api/x..", "/api/x;..", "/api/v1.2/x", "/a.b;c/d",
                           "/api/%252e%252e/x"}) {
    EXPECT_FALSE(has_dot_segment(path)) << path;
  }
}

TEST(TargetTest, RoutesOfTheAdminListener) {
  EXPECT_EQ(find_admin_target("GET", "/metrics").kind, TargetKind::kMetrics);
  EXPECT_EQ(find_admin_target("GET", "/readyz").kind, TargetKind::kReady);
  EXPECT_EQ(find_admin_target("GET", "/").kind, TargetKind::kPage);
  EXPECT_EQ(find_admin_target("GET", "/assets/index-Ab12.js").kind, TargetKind::kPage);
  EXPECT_EQ(find_admin_target("GET", "/index.html").kind, TargetKind::kNone);
  EXPECT_EQ(find_admin_target("POST", "/v1/chat/completions").kind, TargetKind::kNone);
}

TEST(TargetTest, ErrorsTakeTheShapeOfTheRoute) {
  const auto policy = must_load(stage::kTestPolicy);
  const auto shape = [&](std::string_view path, std::string_view accept = {}) {
    return error_shape(find_target(*policy, "POST", path), path, accept);
  };
  EXPECT_EQ(shape("/v1/chat/completions"), ErrorShape::kOpenAi);
  EXPECT_EQ(shape("/v1/messages"), ErrorShape::kAnthropic);
  EXPECT_EQ(shape("/v1/messages/count_tokens"), ErrorShape::kAnthropic);  // not served, but asked for by that dialect
  EXPECT_EQ(shape("/v1/responses"), ErrorShape::kOpenAi);
  EXPECT_EQ(shape("/api/x"), ErrorShape::kProblem);
  EXPECT_EQ(shape("/weir/v1/me"), ErrorShape::kProblem);
  EXPECT_EQ(shape("/v1/messages", "text/html, application/problem+json"), ErrorShape::kProblem);
}

TEST(TargetTest, PathsAtTheProvider) {
  const auto path = [](std::string_view prefix, std::string_view dialect) {
    return provider_path({.tls = false, .host = "h", .port = 1, .path = std::string(prefix)}, dialect);
  };
  EXPECT_EQ(path("", "/v1/messages"), "/v1/messages");
  EXPECT_EQ(path("/base", "/v1/messages"), "/base/v1/messages");
  EXPECT_EQ(path("/v1", "/v1/messages"), "/v1/messages");
  EXPECT_EQ(path("/base/v1", "/v1/chat/completions"), "/base/v1/chat/completions");
}

TEST(TargetTest, OriginsCarryWhatTheDialerNeeds) {
  const auto policy = must_load(
      "providers: { a: { dialect: openai, url: \"https://h.test:8443\", ca: /ca.pem, timeouts: { connect: 3s } }, s: { "
      "simulate: {} } }\n");
  const Origin origin = origin_of(*policy->find_provider("a"));
  EXPECT_EQ(origin.host, "h.test");
  EXPECT_EQ(origin.port, 8443);
  EXPECT_TRUE(origin.tls);
  EXPECT_EQ(origin.ca, "/ca.pem");
  EXPECT_EQ(origin.connect_timeout, 3 * kSecond);
  EXPECT_EQ(origin.simulate, nullptr);
  EXPECT_NE(origin_of(*policy->find_provider("s")).simulate, nullptr);
}

}  // namespace
}  // namespace weir
