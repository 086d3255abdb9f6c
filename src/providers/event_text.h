// One event of a stream, as the frame around a JSON text that can be exchanged.
//
//   EventText event(Framing::kSse);
//   event.assign("event: x\ndata: {\"a\":1}\n\n");
//   event.json();                    // {"a":1}
//   out += event.with("{\"a\":2}");  // the rest as it was
//
// Data that spans lines is joined for reading and split again for writing. Owns its bytes. Internal to this folder. One
// thread at a time.
#pragma once

#include <string>
#include <string_view>

#include "providers/body_edit.h"
#include "providers/stream_cutter.h"

namespace weir {

class EventText {
 public:
  explicit EventText(Framing framing) : framing_(framing) {}

  void assign(std::string_view raw);
  std::string_view raw() const { return raw_; }
  // Without the spaces around it; empty: the event has none.
  std::string_view json() const { return lines_ > 1 ? std::string_view(joined_) : data_.in(raw_); }
  bool begins_array() const { return framing_ == Framing::kJsonArray && raw_.find('[') < data_.begin; }
  std::string with(std::string_view json) const;
  // An event of the same kind that stands before this one.
  std::string before(std::string_view json) const;

 private:
  void find_data_lines();

  Framing framing_;
  std::string raw_, joined_;
  TextRange data_;  // in raw_; of a single line
  int lines_ = 0;
};

}  // namespace weir
