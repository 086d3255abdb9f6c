#include "gateway/event_feed.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace weir {

std::uint16_t permille_of(std::int64_t in_use, std::int64_t allowed) {
  constexpr std::int64_t kMost = std::numeric_limits<std::uint16_t>::max();
  if (allowed <= 0) return in_use > 0 ? kMost : 0;
  const double share = static_cast<double>(in_use) / static_cast<double>(allowed) * 1000;
  return static_cast<std::uint16_t>(std::clamp<double>(share, 0, kMost));
}

const char* to_string(DecisionEvent::What what) {
  constexpr const char* kWords[] = {"admitted", "settled", "refused",  "broken",
                                    "rejected", "warned",  "degraded", "stripped"};
  return kWords[static_cast<std::size_t>(what)];
}

void DecisionEvent::reset() {
  for (std::string* text : {&request_id, &key, &caller, &tenant, &user, &tier, &kind, &model, &provider, &route, &agent,
                            &run, &conversation, &layer, &limit, &evidence}) {
    text->clear();
  }
  time = 0;
  what = What::kAdmitted;
  shadow = of_call = false;
  audited.reset();
  input_tokens = output_tokens = usd_micros = reserved_tokens = 0;
  status = 0;
  retry_after_s = -1;
  pressure_count = 0;
  subjects.clear();
  demands.clear();
  shadow_limits = 0;
}

std::uint64_t EventFeed::take(EventBatch& out) {
  out.count = 0;
  const MutexLock lock(mutex_);
  std::swap(waiting_, out);
  return std::exchange(dropped_, 0);
}

}  // namespace weir
