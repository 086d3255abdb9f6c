#include "policy/glob_overlap.h"

#include <vector>

namespace weir {

bool globs_overlap(std::string_view a, std::string_view b) {
  // reach[j]: the rest of `a` from i and the rest of `b` from j accept a common text; rows from the end.
  std::vector<char> below(b.size() + 1, 0);
  std::vector<char> reach(b.size() + 1, 0);
  for (std::size_t i = a.size() + 1; i-- > 0;) {
    for (std::size_t j = b.size() + 1; j-- > 0;) {
      const bool a_ends = i == a.size();
      const bool b_ends = j == b.size();
      bool both = a_ends && b_ends;
      if (!a_ends && a[i] == '*') both = both || below[j] || (!b_ends && reach[j + 1]);
      if (!b_ends && b[j] == '*') both = both || reach[j + 1] || (!a_ends && below[j]);
      if (!a_ends && !b_ends && a[i] == b[j]) both = both || below[j + 1];
      reach[j] = both;
    }
    below.swap(reach);
  }
  return below[0] != 0;
}

}  // namespace weir
