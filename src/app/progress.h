// A line on the terminal that says how far long work is. Nothing at all where nobody looks.
//
//   Progress progress(terminal_of_stderr(), context.now);
//   for (…) progress.show("reading monday.csv", double(line) / double(lines));
//   progress.clear();                                 // or the end of its life: what is printed next starts clean
//
// Work shorter than kQuiet shows nothing; the line is drawn at most every kRedraw, and the clock is read at most every
// kCallsBetween calls, so that show() may stand in a tight loop. Belongs to one thread; the stream must outlive it.
#pragma once

#include <functional>
#include <ostream>
#include <string_view>

#include "base/time.h"

namespace weir {

// std::cerr where a terminal shows it, else null.
std::ostream* terminal_of_stderr();

class Progress {
 public:
  static constexpr DurationNs kQuiet = 500 * kMillisecond;
  static constexpr DurationNs kRedraw = 100 * kMillisecond;
  static constexpr unsigned kCallsBetween = 64;

  // `terminal` null: shows nothing.
  Progress(std::ostream* terminal, std::function<TimeNs()> now);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `share` of the work that is done, 0 to 1.
  void show(std::string_view what, double share) {
    if (terminal_ != nullptr && calls_++ % kCallsBetween == 0) draw(what, share);
  }
  void clear();

 private:
  void draw(std::string_view what, double share);

  std::ostream* terminal_;
  std::function<TimeNs()> now_;
  TimeNs began_ = 0, drawn_ = 0;
  unsigned calls_ = 0;
  std::size_t width_ = 0;  // of what stands on the line
};

}  // namespace weir
