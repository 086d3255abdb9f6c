#include "net/signals.h"

#include <csignal>

namespace weir {
namespace {

sigset_t handled() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

void block_signals() {
  const sigset_t set = handled();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of the write, as on a full disk
}

void wait_for_termination(const std::function<void()>& reload) {
  const sigset_t set = handled();
  int signal = 0;
  while (sigwait(&set, &signal) == 0) {
    if (signal != SIGHUP) {
      pthread_sigmask(SIG_UNBLOCK, &set, nullptr);  // a second one ends the process at once
      return;
    }
    reload();
  }
}

}  // namespace weir
