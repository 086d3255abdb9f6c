// What `top -H` calls the calling thread.
//
//   std::thread([] { name_thread("weir-drain"); … });
//
// Any thread, about itself. Limit: Linux keeps kMaxThreadName bytes, the rest is cut.
#pragma once

#include <pthread.h>

#include <string>

namespace weir {

inline constexpr std::size_t kMaxThreadName = 15;

inline void name_thread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, kMaxThreadName).c_str());
}

}  // namespace weir
