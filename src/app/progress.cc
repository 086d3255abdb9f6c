#include "app/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "app/command.h"

namespace weir {
namespace {

constexpr std::size_t kBar = 24, kWhat = 40;

}  // namespace

std::ostream* terminal_of_stderr() {
  return isatty(STDERR_FILENO) == 1 ? &std::cerr : nullptr;
}

Progress::Progress(std::ostream* terminal, std::function<TimeNs()> now) : terminal_(terminal), now_(std::move(now)) {
  if (terminal_ != nullptr) began_ = now_();
}

void Progress::draw(std::string_view what, double share) {
  const TimeNs now = now_();
  if (now - began_ < kQuiet || now - drawn_ < kRedraw) return;
  drawn_ = now;
  const double part = share > 0 ? std::min(share, 1.0) : 0;  // not a number: nothing yet
  const auto full = static_cast<std::size_t>(part * kBar);
  const std::string line = fmt::format("{} [{}{}] {:3.0f}% {} s", shown_name(what, kWhat), std::string(full, '#'),
                                       std::string(kBar - full, '.'), 100 * part, (now - began_) / kSecond);
  *terminal_ << '\r' << line << std::string(width_ > line.size() ? width_ - line.size() : 0, ' ') << std::flush;
  width_ = line.size();
}

void Progress::clear() {
  if (width_ == 0) return;
  *terminal_ << '\r' << std::string(width_, ' ') << '\r' << std::flush;
  width_ = 0;
}

}  // namespace weir
