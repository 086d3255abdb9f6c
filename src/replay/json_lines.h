// A text of JSON objects, one per line, with places for messages. Internal to src/replay.
//
//   JsonLines lines(text, "runs.jsonl", kMaxRowBytes);
//   while (true) {
//     auto more = lines.next();                        // an error: a line that is too long
//     if (!more || !*more) break;
//     auto read = lines.each_field([&](std::string_view name, simdjson::ondemand::value value) -> Result<void> {…});
//   }
//
// Empty lines and CRLF are tolerated. What a field's value points to lasts until the next line. Belongs to one thread;
// the text must outlive it. Memory: one line.
#pragma once

#include <simdjson.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "replay/trace_format.h"

namespace weir {

class JsonLines {
 public:
  JsonLines(std::string_view text, std::string file, std::size_t most)
      : text_(text), file_(std::move(file)), most_(most) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  }

  // Copies the next line to where the JSON reader may read beyond its end. False: there is none.
  Result<bool> next() {
    while (at_ < text_.size()) {
      const std::size_t end = std::min(text_.find('\n', at_), text_.size());
      std::string_view line = text_.substr(at_, end - at_);
      at_ = end + 1;
      ++line_;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (trim(line).empty()) continue;
      if (line.size() > most_) return fault("is longer than " + std::to_string(most_ >> 10) + " KiB");
      buffer_.assign(line);
      buffer_.append(simdjson::SIMDJSON_PADDING, ' ');
      length_ = line.size();
      return true;
    }
    return false;
  }

  template <typename Visit>
  Result<void> each_field(Visit visit) {
    simdjson::ondemand::document document;
    simdjson::ondemand::object object;
    if (parser_.iterate(simdjson::padded_string_view(buffer_.data(), length_, buffer_.size())).get(document) ||
        document.get_object().get(object)) {
      return fault("is not a JSON object");
    }
    for (auto field : object) {
      std::string_view name;
      simdjson::ondemand::value value;
      if (field.unescaped_key().get(name) || field.value().get(value)) return fault("is not a JSON object");
      if (Result<void> visited = visit(name, value); !visited) return visited;
    }
    const char* rest = nullptr;
    if (document.current_location().get(rest) != simdjson::OUT_OF_BOUNDS) return fault("has more than one JSON value");
    return {};
  }

  Place place() const { return {file_, line_}; }
  std::unexpected<Error> fault(std::string_view message) const { return place().fault(message); }
  std::size_t line() const { return line_; }
  // The present line; its bytes stay readable for SIMDJSON_PADDING beyond its end.
  std::string_view text() const { return std::string_view(buffer_).substr(0, length_); }
  // Another reader of the same text from the line after the present one on.
  JsonLines ahead() const {
    JsonLines out(text_, file_, most_);
    out.at_ = at_;
    out.line_ = line_;
    return out;
  }

 private:
  std::string_view text_;
  std::string file_;
  std::size_t most_;
  std::size_t at_ = 0, line_ = 0, length_ = 0;
  std::string buffer_;
  simdjson::ondemand::parser parser_;
};

}  // namespace weir
