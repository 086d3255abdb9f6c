#include "base/sites.h"

namespace weir {

#ifdef WEIR_SITES
SiteEvents*& site_events() {
  thread_local SiteEvents* events = nullptr;
  return events;
}
#endif

}  // namespace weir
