// Parts of a request that are not plain text: images, audio, files, token ids.
//
//   discount_message(Dialect::kOpenAi, message, facts);   // facts.flat_parts up, facts.text_bytes down by their
//   payload
//
// Only where the dialect itself puts such a part, with its own type name: a URL in a text or a schema stays text, since
// the model reads it as text. Internal to this folder (it shows simdjson). Depth is bounded by the audit before.
#pragma once

#include <simdjson.h>

#include "providers/dialect.h"

namespace weir {

// One element of `messages`.
void discount_message(Dialect dialect, const simdjson::dom::object& message, RequestFacts& facts);
// A `content` or `system` value: text, or an array of parts.
void discount_flat_parts(Dialect dialect, const simdjson::dom::element& content, RequestFacts& facts);
// Counts token ids. False if the value has none of the four shapes that embeddings take.
bool measure_embedding_input(const simdjson::dom::element& value, RequestFacts& facts);

}  // namespace weir
