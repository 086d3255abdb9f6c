// The `sim` provider: answers every operation in its dialect without spending anything. In process; no sockets, no
// clock.
//
//   SimulatedAnswer answer(options, operation, body, ordinal, now, model_of_the_path, alt_sse);
//   for (SimulatedStep step; answer.next(step);) { wait(step.after); deliver(step.bytes); }
//
// Streams pace their tokens; other answers come whole after the time that generating them takes. Usage: prompt tokens =
// text bytes / 4, one token per word. Caps (`max_tokens`, `max_output_tokens`, `maxOutputTokens`, `num_predict`), `n`
// and `candidateCount`, `stream_options`, `dimensions`, `encoding_format` and a `tool_choice` or calling mode that
// demands a call (answered with arguments {}) are honoured.
//
// To try agents without a model: where a request declares tools and its last message is the user's, each line
// `weir-sim: call NAME {"json": "object"}` of it is a call that the answer announces, in the dialect's shape, instead
// of text (simulator_script.h). Once the results of tools come after it, the answer is text. Nothing else that a prompt
// says changes anything.
//
// The steps are the bytes of one HTTP/1.1 response, so that everything behind the socket treats it as any provider.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "providers/simulator_plan.h"

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
  // `ordinal` tells the requests of this process apart, of all workers: same seed, ordinal and body give the same
  // answer. Gemini only: `path_model`, and whether a stream is asked for as events (else it is one JSON array).
  SimulatedAnswer(const SimulatorOptions& options, Operation operation, std::string_view body, std::uint64_t ordinal,
                  TimeNs now, std::string_view path_model = {}, bool alt_sse = false);
  bool next(SimulatedStep& step);                     // false: the answer is complete
  const Usage& usage() const { return plan_.usage; }  // what it will report

 private:
  void read(std::string_view body, std::string_view path_model);
  void plan(const SimulatedRequest& request);
  void fail(int status, std::string message, std::string param);

  SimulatorOptions options_;
  SimulatedPlan plan_;
  bool stream_ = false;
  int status_ = 200;
  std::int64_t position_ = 0;  // of the next token in a stream
  bool done_ = false;
  std::string head_, whole_;  // whole_: of answers that are not streamed
};

}  // namespace weir
