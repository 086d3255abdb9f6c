// An answer as a play: pieces of bytes with the time before each, and what the provider has done by then.
//
//   Script script = write_answer(question, plan, random);      // as a good provider would
//   misbehave(conduct, script, random);                        // … and as this one does
//
// Whole answers hold "thinking" steps without bytes before the one with the body. Values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "http_reader.h"
#include "model/usage.h"
#include "providers/question.h"
#include "random.h"

namespace weir::sim::provider {

struct Step {
  DurationNs wait = 0;
  std::string bytes;
  std::int64_t tokens = 0;  // of output that come to be in this step
  bool tells = false;       // its bytes hold the usage
  bool call = false;        // announces a tool call
};

struct Script {
  int status = 200;
  std::string type = "application/json";
  HeaderList headers;
  bool chunked = false;  // else one body with its length
  std::vector<Step> steps;
  Usage bill;                 // once everything was done; output comes step by step
  std::optional<Usage> told;  // as the steps say it
};

// What the provider will do, before anything goes wrong.
struct AnswerPlan {
  std::string id;
  std::int64_t output = 0;  // tokens, calls included; at most the cap
  std::int64_t cached = 0;  // of the prompt
  std::vector<ToolCall> calls;
  DurationNs first_byte = 0;
  std::int64_t tokens_per_second = 100;
  // Misbehaviour that an answer has to be written with.
  std::optional<Usage> lie;
  bool no_usage = false, double_usage = false;
  DurationNs usage_delay = 0;
};

Script write_answer(const Question& question, const AnswerPlan& plan, Random& random);
Script write_error(const Question& question, int status, std::int64_t retry_after_s);

}  // namespace weir::sim::provider
