// What `weir recommend` says to people: sections by tier and kind, readable at 100 columns.
//
//   print_recommendation(out, recommendation);
//
// Pure but for the stream.
#pragma once

#include <ostream>

#include "replay/recommend_report.h"

namespace weir {

void print_recommendation(std::ostream& out, const Recommendation& r);

}  // namespace weir
