// How each dialect says things: one writer for each operation, pieces of a stream and whole answers.
//
//   std::unique_ptr<Writer> writer = make_writer(question, plan);
//   script.steps.push_back({.bytes = writer->open()});
//
// One answer each.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "providers/script.h"

namespace weir::sim::provider {

class Writer {
 public:
  Writer(const Question& question, const AnswerPlan& plan) : question_(question), plan_(plan) {}
  virtual ~Writer() = default;
  virtual std::string_view stream_type() const { return "text/event-stream"; }
  virtual std::string open() { return {}; }
  virtual std::string text(std::string_view words) = 0;
  virtual std::string call(const ToolCall& call, std::size_t index) = 0;
  virtual std::string finish() { return {}; }
  // The event that holds the usage; some dialects have it whether or not there is any to tell.
  virtual std::string tell(const std::optional<Usage>& usage) = 0;
  virtual std::string end() { return {}; }
  virtual std::string whole(std::string_view words, const std::optional<Usage>& usage) = 0;
  // A stream of this question tells its usage at all.
  virtual bool tells() const { return true; }

 protected:
  const Question& question_;
  const AnswerPlan& plan_;
  bool capped() const { return question_.cap > 0 && plan_.output >= question_.cap; }
};

std::unique_ptr<Writer> make_openai_writer(const Question& question, const AnswerPlan& plan);
std::unique_ptr<Writer> make_responses_writer(const Question& question, const AnswerPlan& plan);
std::unique_ptr<Writer> make_anthropic_writer(const Question& question, const AnswerPlan& plan);
std::unique_ptr<Writer> make_gemini_writer(const Question& question, const AnswerPlan& plan);
std::unique_ptr<Writer> make_ollama_writer(const Question& question, const AnswerPlan& plan);
std::unique_ptr<Writer> make_writer(const Question& question, const AnswerPlan& plan);

}  // namespace weir::sim::provider
