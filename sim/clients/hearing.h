// What a client makes of an answer, piece by piece: text, tool calls, errors, the machine part of refusals.
//
//   Hearing hearing(Operation::kChat);
//   hearing.begin(head);  hearing.take(bytes);  …
//   const Heard& heard = hearing.conclude(true);
//
// One answer each. Text beyond kMaxKept is counted, not kept.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http_reader.h"
#include "providers/question.h"
#include "truth.h"

namespace weir::sim::client {

using provider::Operation;
using provider::ToolCall;

struct Heard {
  AskEnd end = AskEnd::kBroken;
  int status = 0;               // 0: no head came
  std::string text;             // of the model
  std::int64_t tokens = 0;      // of output: text and calls
  std::vector<ToolCall> calls;  // announced
  std::string answer_id, request_id, lineage, session;
  std::optional<RefusalSeen> refusal;
  std::optional<DurationNs> wait;  // that the answer told, in whatever way
  bool error = false;              // in the stream, or of a tool
  std::string last_json;           // the last object that came, for who needs more of it
};

class Hearing {
 public:
  static constexpr std::size_t kMaxKept = 64 << 10;

  explicit Hearing(Operation operation) : operation_(operation) {}
  void begin(const HttpHead& head);
  bool begun() const { return heard_.status != 0; }
  void take(std::string_view bytes);
  // No more comes. `whole`: HTTP says that it was all.
  const Heard& conclude(bool whole);

 private:
  void take_events();
  void take_objects(std::string_view bytes);
  void object(std::string_view json);

  Operation operation_;
  Heard heard_;
  std::size_t text_bytes_ = 0;
  bool events_ = false, stream_ = false, finished_ = false;
  std::string pending_;  // an event, or an object
  int depth_ = 0;
  bool in_string_ = false, escaped_ = false;
};

}  // namespace weir::sim::client
