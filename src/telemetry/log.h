// A small structured log: one line per event, for people on a terminal and as JSON for programs otherwise.
//
//   Log log(LogLevel::kInfo, LogFormat::kJson, write_to_stderr);
//   log.write(LogLevel::kWarn, now, "upstream closed early", {{"provider", "openai"}, {"bytes", 512}});
//
// Thread-safe if the writer is; write_to_stderr is (one write(2) per line). The time is an argument, `at` in ns of wall
// time. Keeping secrets out of messages and fields is the caller's part. A line holds at most kMaxLine bytes: longer
// texts are cut, and fields that do not fit are left out, so that no request can flood the log with one line.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/time.h"

namespace weir {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat : std::uint8_t { kText, kJson };

struct LogField {
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  LogField(std::string_view n, T v) : name(n), value(static_cast<std::int64_t>(v)) {}
  LogField(std::string_view n, bool v) : name(n), value(v) {}
  LogField(std::string_view n, double v) : name(n), value(v) {}
  LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
  LogField(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}

  std::string_view name;
  std::variant<std::int64_t, bool, double, std::string_view> value;
};

class Log {
 public:
  static constexpr std::size_t kMaxLine = 4096;  // with its line feed
  static constexpr std::size_t kMaxText = 1024;  // of the message, and of each value

  using Writer = std::function<void(std::string_view line)>;

  Log(LogLevel level, LogFormat format, Writer writer);

  bool enabled(LogLevel level) const { return level >= level_ && level < LogLevel::kOff; }
  void write(LogLevel level, TimeNs at, std::string_view message, std::initializer_list<LogField> fields = {}) const;

 private:
  LogLevel level_;
  LogFormat format_;
  Writer writer_;
};

// Text on a terminal, JSON lines otherwise.
LogFormat log_format_of_stderr();
void write_to_stderr(std::string_view line);

}  // namespace weir
