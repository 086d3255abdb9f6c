#include "journal/open_requests.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "journal/test_support.h"

namespace weir {
namespace {

RC_GTEST_PROP(OpenRequests, BehavesAsAMap, ()) {
  OpenRequests open;
  std::map<Hash128, std::pair<std::string, std::int64_t>> model;
  const int steps = *rc::gen::inRange(0, 3000);
  std::uint64_t seed = *rc::gen::arbitrary<std::uint64_t>() | 1;
  const auto next = [&seed] { return (seed = seed * 6364136223846793005ull + 1442695040888963407ull) >> 33; };
  for (int i = 0; i < steps; ++i) {
    // Few distinct ids, so that runs of the probing form and break; also ids that differ only in one half.
    const Hash128 id = next() % 2 == 0 ? test_id(next() % 700) : Hash128{.high = next() % 300, .low = 5};
    switch (next() % 4) {
      case 0:
      case 1: {
        const std::string row = std::to_string(next());
        RC_ASSERT(open.insert(id, row));
        model[id] = {row, 0};
        break;
      }
      case 2: {
        const auto found = model.find(id);
        RC_ASSERT(open.raise(id, 3, 1) == (found != model.end()));
        if (found != model.end()) found->second.second += 3;
        break;
      }
      default:
        RC_ASSERT(open.erase(id) == (model.erase(id) > 0));
    }
    RC_ASSERT(open.size() == model.size());
  }
  std::size_t seen = 0;
  open.for_each([&](Hash128 id, std::string_view row, std::int64_t tokens, std::int64_t, bool) {
    ++seen;
    const auto found = model.find(id);
    RC_ASSERT(found != model.end());
    RC_ASSERT(found->second.first == row && found->second.second == tokens);
  });
  RC_ASSERT(seen == model.size());
}

TEST(OpenRequests, HoldsItsMaximumAndNotOneMore) {
  OpenRequests open;
  for (std::size_t i = 0; i < kMaxOpenRequests; ++i) ASSERT_TRUE(open.insert(test_id(i), ""));
  EXPECT_FALSE(open.insert(test_id(kMaxOpenRequests), ""));
  EXPECT_TRUE(open.insert(test_id(5), "again"));
  EXPECT_TRUE(open.erase(test_id(0)));
  EXPECT_TRUE(open.insert(test_id(kMaxOpenRequests), ""));
  EXPECT_EQ(open.size(), kMaxOpenRequests);
}

}  // namespace
}  // namespace weir
