// A program of its own that uses the installed library: two requests per minute, the third is refused.
#include <weir/limiter.h>
#include <weir/subject.h>

#include <cstdio>

int main() {
  weir::SubjectSecret secret{};
  weir::SubjectHasher hasher(secret);
  weir::Limiter limiter;
  const weir::CounterId requests = limiter.define({.identity = "requests", .window = 60'000'000'000});
  const weir::Subject subject{.key = hasher.begin("caller").add("ann").finish()};
  weir::Demand demand;
  demand.counter = requests;
  demand.cost = 1;
  demand.quota.amount = 2;
  weir::Decision decision;
  for (int i = 0; i < 3; ++i) {
    limiter.admit({.subjects = {&subject, 1}, .demands = {&demand, 1}, .now = 1'000'000'000}, decision);
    std::printf("%s\n", decision.admitted ? "admitted" : "refused");
    if (decision.admitted != (i < 2)) return 1;
  }
  return decision.retry_after == 60'000'000'000 ? 0 : 1;
}
