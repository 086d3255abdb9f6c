// The `sim` provider: answers like OpenAI or Anthropic without spending anything. In process; no sockets, no clock.
//
//   SimulatedAnswer answer(options, operation, body, ordinal, now);
//   for (SimulatedStep step; answer.next(step);) { wait(step.after); deliver(step.bytes); }
//
// Streams pace their tokens; other answers come whole after the time that generating them takes. Usage: prompt tokens =
// text bytes / 4, one token per word. `max_tokens`, `n`, `stream_options`, `dimensions`, `encoding_format` and a
// `tool_choice` that demands a call (answered with arguments {}) are honoured. Nothing written in a prompt changes it.
//
// The steps are the bytes of one HTTP/1.1 response, so that everything behind the socket treats it as any provider.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "providers/dialect.h"

namespace weir {

struct SimulatorOptions {
  std::int64_t output_tokens_min = 20;
  std::int64_t output_tokens_max = 200;
  DurationNs first_byte = 150 * kMillisecond;
  std::int64_t tokens_per_second = 100;  // 0: as fast as possible
  std::uint64_t seed = 0;
};

struct SimulatedStep {
  DurationNs after = 0;  // since the step before
  std::string bytes;
};

class SimulatedAnswer {
 public:
  // `ordinal` numbers the requests of this process: same seed, ordinal and body give the same answer.
  SimulatedAnswer(const SimulatorOptions& options, Operation operation, std::string_view body, std::uint64_t ordinal,
                  TimeNs now);
  bool next(SimulatedStep& step);                // false: the answer is complete
  const Usage& usage() const { return usage_; }  // what it will report

 private:
  struct Request;
  void plan(const Request& request);
  std::string chat_answer() const;
  std::string message_answer() const;
  std::string chat_event(std::int64_t choice, std::string_view delta, std::string_view finish) const;
  std::string first_events() const;
  std::string token_event(std::int64_t choice, std::int64_t index) const;
  std::string last_events() const;
  std::string_view finish_of(std::int64_t choice) const;
  std::string call_id(std::int64_t choice) const;
  std::string word(std::int64_t choice, std::int64_t index) const;
  std::string text(std::int64_t choice) const;

  SimulatorOptions options_;
  Operation operation_;
  std::string model_, id_, tool_;  // tool_: name of the tool to call, empty for text
  bool stream_ = false;
  bool include_usage_ = false;
  std::uint64_t words_seed_ = 0;
  std::int64_t created_s_ = 0;
  std::vector<std::int64_t> lengths_;  // tokens, per choice
  std::vector<bool> cut_;              // stopped by the cap, per choice
  std::int64_t longest_ = 0;
  std::int64_t position_ = 0;  // of the next token in a stream
  bool done_ = false;
  std::string head_, whole_;  // whole_: of answers that are not streamed
  Usage usage_;
};

}  // namespace weir
