// What the parts of an answer say: usage in the normal form, and the text that was generated. Shared by whole answers
// and stream events. Internal to this folder (it shows simdjson). Pure but for the listener; any thread.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/usage.h"
#include "providers/dialect.h"
#include "providers/objects.h"

namespace weir {

// Where generated text goes: it is counted, and heard by whoever listens.
class TextSink {
 public:
  TextSink(AnswerFacts& facts, GeneratedText* listener) : facts_(facts), listener_(listener) {}
  void add(std::string_view text) {
    if (text.empty()) return;
    facts_.text_bytes += static_cast<std::int64_t>(text.size());
    if (listener_ != nullptr) listener_->on_text(text);
  }
  // A string, an array of parts with `text` or `refusal`; anything else is nothing.
  void add_content(const simdjson::dom::element& content);
  // As JSON, unless it is an empty object, which announces that its content follows in pieces.
  void add_object(const simdjson::dom::element& value);

 private:
  AnswerFacts& facts_;
  GeneratedText* listener_;
};

enum class Field : std::uint8_t { kAbsent, kGood, kBad };
// null counts as absent; `value` is only touched by a good field: an integer from 0 to 2^40.
Field read_count(const simdjson::dom::object& from, std::string_view key, std::int64_t& value);

// OpenAI's `usage` object, with the names of chat or of Responses: cached, cache-write and audio tokens are parts of
// the input, reasoning of the output, unless total_tokens shows that they stand beside it. A part that exceeds its
// whole without that is cut to it, and makes nothing cheaper. nullopt if anything in it is negative, not an integer, >
// 2^40, or more of it is audio than there is.
std::optional<Usage> read_openai_usage(Operation operation, const simdjson::dom::object& usage);

// Anthropic's `usage`: cache reads and writes are beside input_tokens, not in it. In a stream, message_delta repeats
// whole-message totals: what is present overwrites.
// False if a field is malformed, or the parts of the cache writes are not their whole.
bool update_counts(AnthropicCounts& counts, const simdjson::dom::object& usage);
Usage normal_form(const AnthropicCounts& counts);

// Generated text in an OpenAI choice's `message` or `delta`.
void openai_text(const simdjson::dom::object& message, TextSink& sink);
// Generated text in one Anthropic content block, or one content_block_delta's `delta`.
void anthropic_text(const simdjson::dom::object& block, TextSink& sink);

// Whole answers: what stands at the root of the body.
void openai_answer(Operation operation, const simdjson::dom::object& root, AnswerFacts& facts, TextSink& sink);
void responses_answer(const simdjson::dom::object& root, AnswerFacts& facts, TextSink& sink);
void anthropic_answer(const simdjson::dom::object& root, AnswerFacts& facts, TextSink& sink);
void ollama_answer(Operation operation, const simdjson::dom::object& root, AnswerFacts& facts, TextSink& sink);

// Events of streams. openai_chunk: true if it is the extra one that only carries usage.
bool openai_chunk(Operation operation, const simdjson::dom::object& root, AnswerFacts& facts, TextSink& sink);
void responses_event(const simdjson::dom::object& root, StreamState& state, AnswerFacts& facts, TextSink& sink);
void anthropic_event(const simdjson::dom::object& root, StreamState& state, AnswerFacts& facts, TextSink& sink);
// Gemini's chunks are whole answers.
void gemini_chunk(const simdjson::dom::object& root, StreamState& state, AnswerFacts& facts, TextSink& sink);
void ollama_line(const simdjson::dom::object& root, StreamState& state, AnswerFacts& facts, TextSink& sink);

}  // namespace weir
