// Finds where the events of a stream end, whatever its framing, while bytes arrive.
//
//   StreamCutter cutter(Framing::kNdjson);
//   for (;;) {
//     const StreamCutter::Cut cut = cutter.next(bytes);   // bytes.substr(0, cut.length) belongs to the current event
//     if (!cut.complete) break;                           // all of `bytes`; the event goes on
//     bytes.remove_prefix(cut.length);
//   }
//
// Keeps a few flags, no bytes: time is linear in what is fed, memory constant. One thread at a time.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

// How a stream is cut into events.
enum class Framing : std::uint8_t { kSse, kNdjson, kJsonArray /* Gemini without alt=sse */ };

// Cuts a text into lines that end in LF, CR or CRLF.
class LineCutter {
 public:
  explicit LineCutter(std::string_view text) : text_(text) {}
  bool next(std::string_view& line);

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

class StreamCutter {
 public:
  struct Cut {
    std::size_t length = 0;
    bool complete = false;
    bool filler = false;  // of no event: the LF of a CRLF whose CR ended one, or what follows a closed array
  };

  explicit StreamCutter(Framing framing) : framing_(framing) {}
  Cut next(std::string_view bytes);
  bool closed() const { return closed_; }  // the array's closing bracket was seen

 private:
  Cut next_sse(std::string_view bytes);
  static Cut next_line(std::string_view bytes);
  Cut next_element(std::string_view bytes);
  bool structural(char c);  // true: ends an event

  Framing framing_;
  // Lines.
  bool in_event_ = false;
  bool at_line_start_ = true;
  bool after_cr_ = false;  // a line just ended in CR: an LF that follows belongs to it
  // Elements.
  bool in_array_ = false;
  bool in_string_ = false;
  bool escaped_ = false;
  bool closed_ = false;
  std::int64_t depth_ = 0;
};

}  // namespace weir
