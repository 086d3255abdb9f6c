// Parts of a request that are not plain text: images, audio, files, token ids, and what a body only refers to.
//
//   PartReader parts(operation, facts);
//   parts.begin(root);
//   parts.message(message);   // facts.media_tokens, flat_parts, references up; facts.text_bytes down by the payloads
//
// Only where the dialect itself puts such a part, with its own type name: a URL in a text or a schema stays text, since
// the model reads it as text. Internal to this folder (it shows simdjson). One thread, one body. Depth is bounded by
// the audit before, looking into PDFs by kMaxPdfScan.
#pragma once

#include <simdjson.h>

#include <optional>

#include "providers/media.h"
#include "providers/objects.h"
#include "providers/operation.h"
#include "providers/request.h"

namespace weir {

class PartReader {
 public:
  static constexpr std::size_t kMaxReferenceBytes = 512;  // longer ones are flat parts

  PartReader(Operation operation, RequestFacts& facts) : dialect_(dialect_of(operation)), facts_(facts) {}

  // The body's object, which names the model wherever it stands in it; and the model of the path.
  void begin(const simdjson::dom::object& root, std::string_view path_model);

  void message(const simdjson::dom::object& message);   // one of `messages`
  void item(const simdjson::dom::object& item);         // one of a response's `input`
  void content(const simdjson::dom::element& content);  // a `content` or `system` value: text, or an array of parts
  void part(const simdjson::dom::object& part);         // one of such an array
  void turn(const simdjson::dom::object& content);      // one of Gemini's `contents`
  void images(const simdjson::dom::element& list);      // Ollama's
  void reference(std::string_view id);

 private:
  void openai_part(const simdjson::dom::object& part, std::string_view type);
  void anthropic_part(const simdjson::dom::object& part, std::string_view type);
  void gemini_parts(const simdjson::dom::object& holder);
  void gemini_part(const simdjson::dom::object& part);
  void inline_data(const simdjson::dom::object& blob);
  void openai_url(const simdjson::dom::object& part, std::string_view type);
  void image(std::string_view source, std::string_view detail);
  void sized_image(std::optional<ImageSize> size, std::string_view detail);
  void audio(std::string_view payload);
  void document(std::string_view payload, std::string_view media_type);
  void discount(std::string_view payload) { facts_.text_bytes -= static_cast<std::int64_t>(payload.size()); }

  Dialect dialect_;
  RequestFacts& facts_;
  std::string_view model_;
  std::size_t pdf_budget_ = kMaxPdfScan;
};

// True for parts of OpenAI's messages that PartReader sizes by a rule of their own: images, recordings, files.
bool is_openai_attachment(std::string_view type);
// Of such a part: the base64 of a file whose text the model reads, empty for every other.
std::string_view text_file_of(const simdjson::dom::object& part, std::string_view type);
// Counts token ids, within 32 bits. False if anything else is among them.
bool count_token_ids(const simdjson::dom::array& ids, RequestFacts& facts);
// Counts token ids. False if the value has none of the four shapes that embeddings and completions take.
// `prompts`: how many texts it holds.
bool measure_embedding_input(const simdjson::dom::element& value, RequestFacts& facts, std::int64_t& prompts);

}  // namespace weir
