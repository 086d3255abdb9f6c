// What only Ollama's endpoints take.
#include "providers/request_reader.h"

namespace weir {

bool RequestReader::options(const element& value) {
  if (value.is_null()) return true;
  object fields;
  if (!object_of("options", value, fields)) return false;
  element predict;
  if (fields.at_key("num_predict").get(predict) != simdjson::SUCCESS || predict.is_null()) return true;
  // 0, -1 (no end) and -2 (until the context is full) are no cap.
  std::int64_t tokens = 0;
  if (!integer("options.num_predict", predict, -2, kMaxTokens, tokens)) return false;
  if (tokens > 0) facts_.output_cap = tokens;
  return true;
}

bool RequestReader::images(const element& value) {
  if (value.is_null()) return true;
  if (!value.is_array()) return refuse("`images` must be an array of base64 strings.", "images");
  parts_.images(value);
  return true;
}

// What an earlier answer gave back: the conversation so far, as token ids.
bool RequestReader::context(const element& value) {
  if (value.is_null()) return true;
  simdjson::dom::array ids;
  if (value.get_array().get(ids) != simdjson::SUCCESS || !count_token_ids(ids, facts_)) {
    return refuse("`context` must be the array of token ids that an earlier answer returned.", "context");
  }
  return true;
}

}  // namespace weir
