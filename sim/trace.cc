#include "trace.h"

#include <fmt/format.h>

namespace weir::sim {

void Trace::note(TimeNs at, std::string_view who, std::string_view what) {
  std::string line = fmt::format("{} {}: {}", format_rfc3339(at, 6), who, what);
  for (const char c : line) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  ++lines_;
  if (print_) std::fprintf(stdout, "%s\n", line.c_str());
  last_.push_back(std::move(line));
  if (last_.size() > kMaxKept) last_.pop_front();
}

void Trace::mix(std::uint64_t value) {
  hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15ull;
  hash_ ^= hash_ >> 29;
}

}  // namespace weir::sim
