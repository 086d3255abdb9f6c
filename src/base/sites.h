// Places in the product that a simulation may bend, or wants to know were reached. Outside of a simulation nothing
// happens at them; release builds leave them out.
//
//   const std::size_t most = maybe("journal.short-write") ? bytes.size() / 2 : bytes.size();   // legal, but rare
//   reached("exchange.client-left-in-top-up");
//
// maybe() may only stand where both ways are right at any time: a write that is short, a batch that is small, a cache
// that has forgotten. Sites are one thread's: a simulation listens on its own.
#pragma once

#include <string_view>

namespace weir {

class SiteEvents {
 public:
  virtual ~SiteEvents() = default;
  virtual bool on_maybe(std::string_view site) = 0;
  virtual void on_reached(std::string_view site) = 0;
};

#ifdef WEIR_SITES
// Null: nobody listens.
SiteEvents*& site_events();

inline bool maybe(std::string_view site) {
  SiteEvents* events = site_events();
  return events != nullptr && events->on_maybe(site);
}
inline void reached(std::string_view site) {
  if (SiteEvents* events = site_events()) events->on_reached(site);
}
#else
constexpr bool maybe(std::string_view) {
  return false;
}
constexpr void reached(std::string_view) {}
#endif

}  // namespace weir
