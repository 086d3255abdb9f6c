#include "gateway/mcp_sessions.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace weir {
namespace {

constexpr Hash128 kAnn{1, 1}, kBob{2, 2};

Hash128 session(std::uint64_t n) {
  return {n * 0x9E3779B97F4A7C15u, n};
}

TEST(McpSessions, AreAnyonesUntilTheyAreSomeones) {
  McpSessions sessions;
  EXPECT_TRUE(sessions.may_use(session(1), kAnn));
  EXPECT_TRUE(sessions.may_use(session(1), kBob)) << "asking makes nobody the owner";
  sessions.used(session(1), kAnn);
  EXPECT_TRUE(sessions.may_use(session(1), kAnn));
  EXPECT_FALSE(sessions.may_use(session(1), kBob));
  sessions.used(session(1), kBob);
  EXPECT_FALSE(sessions.may_use(session(1), kBob)) << "the first owner stays";
}

TEST(McpSessions, ForgetTheLongestUnusedBeyondTheirBound) {
  McpSessions sessions;
  sessions.used(session(0), kAnn);
  for (std::uint64_t n = 1; n <= 2 * McpSessions::kMaxSessions; ++n) sessions.used(session(n), kBob);
  EXPECT_LE(sessions.size(), McpSessions::kMaxSessions);
  EXPECT_TRUE(sessions.may_use(session(0), kBob)) << "forgotten";
  EXPECT_FALSE(sessions.may_use(session(2 * McpSessions::kMaxSessions), kAnn));
}

TEST(McpSessions, UseKeepsThem) {
  McpSessions sessions;
  sessions.used(session(0), kAnn);
  for (std::uint64_t n = 1; n <= 2 * McpSessions::kMaxSessions; ++n) {
    sessions.used(session(n), kBob);
    if (n % 64 == 0) sessions.used(session(0), kAnn);
  }
  EXPECT_FALSE(sessions.may_use(session(0), kBob));
}

TEST(McpSessions, WorkersShareThem) {
  McpSessions sessions;
  std::vector<std::thread> workers;
  for (std::uint64_t w = 0; w < 4; ++w) {
    workers.emplace_back([&, w] {
      for (std::uint64_t n = 0; n < 2000; ++n) sessions.used(session(n), Hash128{w + 1, 0});
    });
  }
  for (std::thread& worker : workers) worker.join();
  for (std::uint64_t n = 0; n < 2000; ++n) {
    int owners = 0;
    for (std::uint64_t w = 0; w < 4; ++w) owners += sessions.may_use(session(n), Hash128{w + 1, 0}) ? 1 : 0;
    EXPECT_EQ(owners, 1) << n;
  }
}

}  // namespace
}  // namespace weir
