#include "app/progress.h"

#include <gtest/gtest.h>

#include <sstream>

namespace weir {
namespace {

struct Terminal {
  std::ostringstream text;
  TimeNs now = 0;
  std::function<TimeNs()> clock = [this] { return now; };
};

void show(Progress& progress, double share) {
  for (unsigned i = 0; i < Progress::kCallsBetween; ++i) progress.show("reading", share);
}

TEST(Progress, ShowsNothingWithoutATerminal) {
  Terminal terminal;
  Progress progress(nullptr, [] -> TimeNs {
    ADD_FAILURE() << "reads the clock for nobody";
    return 0;
  });
  show(progress, 0.5);
  EXPECT_EQ(terminal.text.str(), "");
}

TEST(Progress, ShowsNothingOfWorkThatIsSoonDone) {
  Terminal terminal;
  {
    Progress progress(&terminal.text, terminal.clock);
    terminal.now = Progress::kQuiet - 1;
    show(progress, 0.9);
  }
  EXPECT_EQ(terminal.text.str(), "");
}

TEST(Progress, ShowsHowFarLongWorkIsAndClearsTheLineAtTheEnd) {
  Terminal terminal;
  std::string drawn;
  {
    Progress progress(&terminal.text, terminal.clock);
    terminal.now = 2 * kSecond;
    show(progress, 0.5);
    drawn = terminal.text.str();
    EXPECT_EQ(drawn, "\rreading [############............]  50% 2 s");
  }
  const std::string blank(drawn.size() - 1, ' ');
  EXPECT_EQ(terminal.text.str(), drawn + "\r" + blank + "\r");
}

TEST(Progress, DrawsAtMostEveryTenthOfASecondHoweverOftenItIsCalled) {
  Terminal terminal;
  Progress progress(&terminal.text, terminal.clock);
  terminal.now = kSecond;
  for (int i = 0; i < 1'000; ++i) {
    terminal.now += kMillisecond;
    show(progress, i / 1'000.0);
  }
  const std::string text = terminal.text.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 10);
}

TEST(Progress, SharesThatMakeNoSenseAreDrawnAsNothingOrAll) {
  Terminal terminal;
  Progress progress(&terminal.text, terminal.clock);
  for (const double share : {-1.0, 7.0, 0.0 / 0.0}) {
    terminal.now += kSecond;
    show(progress, share);
  }
  EXPECT_NE(terminal.text.str().find("  0% 1 s"), std::string::npos);
  EXPECT_NE(terminal.text.str().find("100% 2 s"), std::string::npos);
  EXPECT_NE(terminal.text.str().find("  0% 3 s"), std::string::npos);
}

}  // namespace
}  // namespace weir
