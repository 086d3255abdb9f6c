// What the event stream and GET /live say, as JSON (docs/admin-api.md, "Live").
//
//   std::string out;
//   append_event(out, "decision", event_json(event));
//
// Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "admin/hot_limits.h"
#include "admin/live_series.h"
#include "gateway/event_feed.h"

namespace weir {

// One second that is over.
struct Second {
  std::int64_t second = 0;  // since 1970
  LiveCounts total;
  std::vector<NamedCounts> by_tier, by_model, by_layer, by_key;  // by_key: the largest
  std::vector<HotSubject> hot;                                   // as the second ended
  std::int64_t in_flight = 0;
};

// "event: tick\ndata: {…}\n\n"; `json` is one line.
void append_event(std::string& out, std::string_view event, std::string_view json);

std::string event_json(const DecisionEvent& event);
// One sentence in words for people.
std::string sentence_of(const DecisionEvent& event);
std::string tick_json(const Second& second);
std::string sampled_json(std::int64_t shown, std::int64_t of);
std::string live_json(const LiveWindow& window, const std::vector<NamedCounts>& top_keys, std::int64_t in_flight,
                      TimeNs now);

}  // namespace weir
