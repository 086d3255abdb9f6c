// Parts of Gemini's contents and Ollama's images.
#include "providers/request_parts.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// Both spellings that protobuf JSON takes.
bool object_at(const object& from, std::string_view camel, std::string_view snake, object& out) {
  return from.at_key(camel).get_object().get(out) == simdjson::SUCCESS ||
         from.at_key(snake).get_object().get(out) == simdjson::SUCCESS;
}

std::string_view string_at_either(const object& from, std::string_view camel, std::string_view snake) {
  const std::string_view text = string_at(from, camel);
  return text.empty() ? string_at(from, snake) : text;
}

}  // namespace

void PartReader::inline_data(const object& blob) {
  const std::string_view type = string_at_either(blob, "mimeType", "mime_type");
  const std::string_view data = string_at(blob, "data");
  if (type.starts_with("audio/")) return audio(data);
  if (type.starts_with("image/") || type.starts_with("video/")) {
    discount(data);
    if (type.starts_with("image/")) return sized_image(image_size(data), {});
    facts_.media_tokens += media_video_tokens(data);
    return;
  }
  document(data, type);
}

void PartReader::gemini_part(const object& part) {
  object holder;
  if (object_at(part, "inlineData", "inline_data", holder)) inline_data(holder);
  if (object_at(part, "fileData", "file_data", holder)) {
    const std::string_view uri = string_at_either(holder, "fileUri", "file_uri");
    reference(uri);
    discount(uri);
  }
  // A function may answer with images.
  if (object_at(part, "functionResponse", "function_response", holder)) gemini_parts(holder);
}

void PartReader::gemini_parts(const object& holder) {
  each_object(holder, "parts", [this](const object& part) { gemini_part(part); });
}

void PartReader::turn(const object& content) {
  gemini_parts(content);
}

void PartReader::images(const element& list) {
  simdjson::dom::array items;
  if (list.get_array().get(items) != simdjson::SUCCESS) return;
  for (const element item : items) {
    std::string_view data;
    if (item.get_string().get(data) != simdjson::SUCCESS) continue;
    sized_image(std::nullopt, {});
    discount(data);
  }
}

}  // namespace weir
