#include "providers/stream_cutter.h"

#include <algorithm>

namespace weir {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// The first LF or CR from `at` on. Looked for in windows: a text with many of one and none of the other is still read
// about once, however often this is called.
std::size_t line_end(std::string_view text, std::size_t at) {
  constexpr std::size_t kWindow = 512;
  for (; at < text.size(); at += kWindow) {
    const std::string_view window = text.substr(at, kWindow);
    const std::size_t lf = window.find('\n');
    const std::size_t cr = window.substr(0, lf).find('\r');
    if (const std::size_t end = std::min(lf, cr); end != kNone) return at + end;
  }
  return kNone;
}

}  // namespace

bool LineCutter::next(std::string_view& line) {
  if (at_ >= text_.size()) return false;
  const std::size_t end = std::min(line_end(text_, at_), text_.size());
  line = text_.substr(at_, end - at_);
  at_ = end + (text_.substr(end).starts_with("\r\n") ? 2 : 1);
  return true;
}

StreamCutter::Cut StreamCutter::next(std::string_view bytes) {
  if (bytes.empty()) return {};
  switch (framing_) {
    case Framing::kSse:
      return next_sse(bytes);
    case Framing::kNdjson:
      return next_line(bytes);
    case Framing::kJsonArray:
      return next_element(bytes);
  }
  return {.length = bytes.size()};  // every framing is above
}

// An event ends with a blank line, as soon as the first byte of that line's end is there.
StreamCutter::Cut StreamCutter::next_sse(std::string_view bytes) {
  std::size_t at = 0;
  if (after_cr_ && bytes.front() == '\n') {
    after_cr_ = false;
    if (!in_event_) return {.length = 1, .complete = true, .filler = true};
    at = 1;
  }
  while (at < bytes.size()) {
    const std::size_t end = line_end(bytes, at);
    if (end == kNone) {
      after_cr_ = false;
      at_line_start_ = false;
      break;
    }
    const bool blank = at_line_start_ && end == at;
    at = end + 1;
    after_cr_ = bytes[end] == '\r';
    at_line_start_ = true;
    if (blank) {
      in_event_ = false;
      return {.length = at, .complete = true};
    }
    if (after_cr_ && at < bytes.size()) {
      if (bytes[at] == '\n') ++at;
      after_cr_ = false;
    }
  }
  in_event_ = true;
  return {.length = bytes.size()};
}

StreamCutter::Cut StreamCutter::next_line(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == kNone) return {.length = bytes.size()};
  return {.length = end + 1, .complete = true};
}

StreamCutter::Cut StreamCutter::next_element(std::string_view bytes) {
  if (closed_) return {.length = bytes.size(), .complete = true, .filler = true};
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const char c = bytes[at];
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
    } else if (structural(c)) {
      return {.length = at + 1, .complete = true};
    }
  }
  return {.length = bytes.size()};
}

bool StreamCutter::structural(char c) {
  if (c == '"') {
    in_string_ = true;
  } else if (c == '{' || c == '[') {
    if (c == '[' && depth_ == 0) in_array_ = true;
    ++depth_;
  } else if (c == '}' || c == ']') {
    if (depth_ > 0) --depth_;
    if (depth_ == 0) {
      closed_ |= in_array_ && c == ']';
      return true;
    }
    return in_array_ && depth_ == 1;
  }
  return false;
}

}  // namespace weir
