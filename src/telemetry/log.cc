#include "telemetry/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/json_writer.h"

namespace weir {
namespace {

constexpr std::array<std::string_view, 5> kNames{"debug", "info", "warn", "error", "off"};

// At most `most` bytes of text, not ending within a UTF-8 sequence.
std::string_view cut(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

std::string json_value(const LogField& field) {
  std::string out;
  JsonWriter json(out);
  if (const auto* number = std::get_if<std::int64_t>(&field.value)) json.number(*number);
  if (const auto* yes = std::get_if<bool>(&field.value)) json.boolean(*yes);
  if (const auto* real = std::get_if<double>(&field.value)) json.real(*real);
  if (const auto* text = std::get_if<std::string_view>(&field.value)) json.string(cut(*text, Log::kMaxText));
  return out;
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, cut(text, Log::kMaxText));
  return out;
}

// JSON escapes the controls of ASCII; a terminal also obeys DEL and the controls U+0080 to U+009F.
std::string without_controls(std::string text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
    if (byte(i) == 0x7F) text[i] = '?';
    if (byte(i) == 0xC2 && byte(i + 1) >= 0x80 && byte(i + 1) <= 0x9F) text.replace(i, 2, "?");
  }
  return text;
}

// As JSON writes it, but without quotes where the text has nothing that could be mistaken for structure.
std::string plain_value(const LogField& field) {
  const auto* text = std::get_if<std::string_view>(&field.value);
  const auto plain = [](char c) { return c > 0x20 && c < 0x7F && c != '"' && c != '=' && c != '\\'; };
  if (text == nullptr || text->empty() || !std::all_of(text->begin(), text->end(), plain)) {
    return without_controls(json_value(field));
  }
  return std::string(cut(*text, Log::kMaxText));
}

// Escaped, so that it can neither begin a line of its own nor steer a terminal; the quotes are not wanted here.
std::string plain_message(std::string_view text) {
  const std::string quoted = json_string(text);
  return without_controls(quoted.substr(1, quoted.size() - 2));
}

}  // namespace

Log::Log(LogLevel level, LogFormat format, Writer writer)
    : level_(level), format_(format), writer_(std::move(writer)) {}

void Log::write(LogLevel level, TimeNs at, std::string_view message, std::initializer_list<LogField> fields) const {
  if (!enabled(level)) return;
  const bool json = format_ == LogFormat::kJson;
  const std::string time = format_rfc3339(at, 3);
  const std::string_view name = kNames[static_cast<std::size_t>(level)];
  std::string line =
      json ? fmt::format(R"({{"time":"{}","level":"{}")", time, name) : fmt::format("{} {:<5} ", time, name);
  const std::string_view end = json ? "}\n" : "\n";
  const auto add = [&](const std::string& piece) {
    if (line.size() + piece.size() + end.size() <= kMaxLine) line += piece;
  };
  add(json ? ",\"message\":" + json_string(message) : plain_message(message));
  for (const LogField& field : fields) {
    add(json ? fmt::format(",{}:{}", json_string(field.name), json_value(field))
             : fmt::format(" {}={}", field.name, plain_value(field)));
  }
  line += end;
  writer_(line);
}

LogFormat log_format_of_stderr() {
  return isatty(STDERR_FILENO) == 1 ? LogFormat::kText : LogFormat::kJson;
}

void write_to_stderr(std::string_view line) {
  // A log that cannot be written must not stop the work; whoever reads stderr sees the gap.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace weir
