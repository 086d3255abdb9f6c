#include "telemetry/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace weir {
namespace {

constexpr TimeNs kAt = 1'763'632'800'123'456'789;  // 2025-11-20T10:00:00.123Z

class LogTest : public testing::Test {
 protected:
  Log make(LogLevel level, LogFormat format) {
    return Log(level, format, [this](std::string_view line) { lines_ += line; });
  }
  std::string lines_;
};

TEST_F(LogTest, WritesJsonLines) {
  make(LogLevel::kInfo, LogFormat::kJson)
      .write(LogLevel::kWarn, kAt, "upstream \"x\" closed\n",
             {{"provider", "openai"}, {"bytes", 512}, {"share", 0.5}, {"late", true}, {"odd", std::nan("")}});
  EXPECT_EQ(lines_,
            "{\"time\":\"2025-11-20T10:00:00.123Z\",\"level\":\"warn\",\"message\":\"upstream \\\"x\\\" closed\\n\","
            "\"provider\":\"openai\",\"bytes\":512,\"share\":0.5,\"late\":true,\"odd\":null}\n");
}

TEST_F(LogTest, WritesTextForPeople) {
  make(LogLevel::kDebug, LogFormat::kText)
      .write(LogLevel::kInfo, kAt, "listening",
             {{"address", "127.0.0.1:8080"}, {"note", "a b"}, {"empty", ""}, {"n", -1}});
  EXPECT_EQ(lines_, "2025-11-20T10:00:00.123Z info  listening address=127.0.0.1:8080 note=\"a b\" empty=\"\" n=-1\n");
}

TEST_F(LogTest, OutsideTextCannotForgeALine) {
  const std::string evil = "x\n2025-11-20T10:00:00.000Z error all lost\x1b[2J\x7f\xff";
  make(LogLevel::kInfo, LogFormat::kText).write(LogLevel::kInfo, kAt, evil, {{"model", evil}});
  make(LogLevel::kInfo, LogFormat::kJson).write(LogLevel::kInfo, kAt, evil, {{"model", evil}});
  EXPECT_EQ(std::count(lines_.begin(), lines_.end(), '\n'), 2);
  EXPECT_EQ(lines_.find('\x1b'), std::string::npos);
  EXPECT_EQ(lines_.find('\xff'), std::string::npos);
}

TEST_F(LogTest, TextCannotSteerATerminal) {
  make(LogLevel::kInfo, LogFormat::kText).write(LogLevel::kInfo, kAt, "\u009b2J\x7f\u00e9", {{"v", "\u009b2J \u00e9"}});
  EXPECT_TRUE(lines_.ends_with(" info  ?2J?\u00e9 v=\"?2J \u00e9\"\n")) << lines_;
}

TEST_F(LogTest, LeavesOutWhatIsBelowItsLevel) {
  const Log log = make(LogLevel::kWarn, LogFormat::kText);
  log.write(LogLevel::kInfo, kAt, "no");
  log.write(LogLevel::kOff, kAt, "no");
  EXPECT_EQ(lines_, "");
  EXPECT_FALSE(log.enabled(LogLevel::kInfo));
  EXPECT_TRUE(log.enabled(LogLevel::kWarn));
  log.write(LogLevel::kError, kAt, "yes");
  EXPECT_NE(lines_, "");
  lines_.clear();
  make(LogLevel::kOff, LogFormat::kText).write(LogLevel::kError, kAt, "no");
  EXPECT_EQ(lines_, "");
}

TEST_F(LogTest, LinesAreBounded) {
  for (const LogFormat format : {LogFormat::kJson, LogFormat::kText}) {
    // Control characters take six bytes each once escaped: the whole value does not fit and is left out.
    const std::string big(100'000, '\x01');
    const std::string text(100'000, 'v');
    make(LogLevel::kInfo, format).write(LogLevel::kInfo, kAt, text, {{"a", text}, {"b", big}, {"c", text}, {"d", 1}});
    EXPECT_LE(lines_.size(), Log::kMaxLine);
    EXPECT_EQ(lines_.find("\"b\""), std::string::npos);
    EXPECT_NE(lines_.find(format == LogFormat::kJson ? "\"d\":1" : " d=1"), std::string::npos);
    EXPECT_NE(lines_.find(std::string(Log::kMaxText, 'v')), std::string::npos);
    EXPECT_EQ(lines_.find(std::string(Log::kMaxText + 1, 'v')), std::string::npos);
    EXPECT_EQ(lines_.back(), '\n');
    lines_.clear();
  }
}

TEST_F(LogTest, CutsBetweenCharacters) {
  std::string text(Log::kMaxText - 1, 'a');
  text += "\u00e9tail";
  make(LogLevel::kInfo, LogFormat::kJson).write(LogLevel::kInfo, kAt, text);
  EXPECT_NE(lines_.find(std::string(Log::kMaxText - 1, 'a') + "\"}"), std::string::npos);
}

}  // namespace
}  // namespace weir
