#include "providers/request_parts.h"

#include <algorithm>
#include <array>

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::uint64_t kMaxTokenId = (std::uint64_t{1} << 32) - 1;
constexpr std::string_view kPdfHead = "JVBERi";  // "%PDF" in base64

bool is_url(std::string_view text) {
  return text.starts_with("data:") || text.starts_with("https://") || text.starts_with("http://");
}

enum class FileKind : std::uint8_t { kPdf, kText, kOther };

FileKind kind_of_file(std::string_view payload, std::string_view media_type) {
  if (media_type == "application/pdf" || base64_payload(payload).starts_with(kPdfHead)) return FileKind::kPdf;
  return media_type.empty() || media_type.starts_with("image/") ? FileKind::kOther : FileKind::kText;
}

// Both have the file's members: {"type":"file","file":{…}} and {"type":"input_file",…}.
bool file_holder(const object& part, std::string_view type, object& holder) {
  holder = part;
  return type == "input_file" || part.at_key(type).get_object().get(holder) == simdjson::SUCCESS;
}

}  // namespace

void PartReader::begin(const object& root, std::string_view path_model) {
  // Once for all parts: a body may have very many members and very many images.
  model_ = path_model.empty() ? string_at(root, "model") : path_model;
}

void PartReader::reference(std::string_view id) {
  if (facts_.references.size() < RequestFacts::kMaxReferences && !id.empty() && id.size() <= kMaxReferenceBytes) {
    facts_.references.emplace_back(id);
  } else {
    ++facts_.flat_parts;
  }
}

void PartReader::sized_image(std::optional<ImageSize> size, std::string_view detail) {
  const auto tokens = media_image_tokens(dialect_, model_, size, image_detail_from(detail));
  if (tokens) {
    facts_.media_tokens += *tokens;
  } else {
    ++facts_.flat_parts;
  }
}

// A data: URL, another URL, or something that is neither and stays text.
void PartReader::image(std::string_view source, std::string_view detail) {
  sized_image(source.starts_with("data:") ? image_size(source) : std::nullopt, detail);
  if (is_url(source)) discount(source);
}

void PartReader::audio(std::string_view payload) {
  facts_.media_tokens += media_audio_tokens(dialect_, payload);
  discount(payload);
}

void PartReader::document(std::string_view payload, std::string_view media_type) {
  discount(payload);
  switch (kind_of_file(payload, media_type)) {
    case FileKind::kPdf:
      facts_.media_tokens += media_pdf_tokens(dialect_, model_, payload, pdf_budget_);
      return;
    case FileKind::kOther:
      ++facts_.flat_parts;
      return;
    case FileKind::kText:
      // Sheets, sources, letters: the model gets their text.
      facts_.text_bytes += decoded_size(base64_payload(payload));
  }
}

// {"type":"image_url","image_url":"…"} or {"type":"image_url","image_url":{"url":"…","detail":"low"}}
void PartReader::openai_url(const object& part, std::string_view type) {
  object holder;
  const bool nested = part.at_key(type).get_object().get(holder) == simdjson::SUCCESS;
  const std::string_view url = nested ? string_at(holder, "url") : string_at(part, type);
  if (type == "image_url") return image(url, nested ? string_at(holder, "detail") : std::string_view{});
  ++facts_.flat_parts;
  if (is_url(url)) discount(url);
}

void PartReader::openai_part(const object& part, std::string_view type) {
  if (type == "image_url" || type == "video_url" || type == "audio_url") return openai_url(part, type);
  if (type == "input_image" || type == "computer_screenshot") {
    const std::string_view id = string_at(part, "file_id");
    if (!id.empty()) return reference(id);
    return image(string_at(part, "image_url"), string_at(part, "detail"));
  }
  if (!is_openai_attachment(type)) return;
  object holder;
  if (!file_holder(part, type, holder)) {
    ++facts_.flat_parts;
    return;
  }
  if (type == "input_audio") return audio(string_at(holder, "data"));
  const std::string_view id = string_at(holder, "file_id");
  if (!id.empty()) return reference(id);
  const std::string_view data = string_at(holder, "file_data");
  if (!data.empty()) return document(data, media_type_of(data));
  ++facts_.flat_parts;
  discount(string_at(holder, "file_url"));
}

void PartReader::anthropic_part(const object& part, std::string_view type) {
  element nested;
  if (type == "tool_result") {
    if (part.at_key("content").get(nested) == simdjson::SUCCESS) content(nested);
    return;
  }
  if (type == "container_upload") return reference(string_at(part, "file_id"));
  if (type != "image" && type != "document") return;
  object source;
  if (part.at_key("source").get_object().get(source) != simdjson::SUCCESS) {
    ++facts_.flat_parts;
    return;
  }
  const std::string_view kind = string_at(source, "type");
  if (kind == "text") return;
  if (kind == "content") {
    if (source.at_key("content").get(nested) == simdjson::SUCCESS) content(nested);
    return;
  }
  if (kind == "file") return reference(string_at(source, "file_id"));
  const std::string_view data = string_at(source, kind == "url" ? "url" : "data");
  if (type == "document" && kind == "base64") return document(data, string_at(source, "media_type"));
  if (kind == "base64" || kind == "url") discount(data);
  if (type == "document") {
    ++facts_.flat_parts;
  } else {
    sized_image(kind == "base64" ? image_size(data) : std::nullopt, {});
  }
}

void PartReader::content(const element& content) {
  each_object_of(content, [this](const object& each) { part(each); });
}

void PartReader::part(const object& part) {
  const std::string_view type = string_at(part, "type");
  if (type == "text") return;
  dialect_ == Dialect::kOpenAi ? openai_part(part, type) : anthropic_part(part, type);
}

void PartReader::message(const object& message) {
  for (auto it = message.begin(); it != message.end(); ++it) {
    const std::string_view key = it.key();
    if (dialect_ == Dialect::kOllama) {
      if (key == "images") images(it.value());
      continue;
    }
    if (key == "content") content(it.value());
    // An earlier spoken answer comes back by its id only, but the model hears it again.
    if (key == "audio" && dialect_ == Dialect::kOpenAi && it.value().is_object()) ++facts_.flat_parts;
  }
}

// A message, a call's output (text, parts, or a screenshot), an image made earlier, or a pointer to an item.
void PartReader::item(const object& item) {
  const std::string_view type = string_at(item, "type");
  if (type == "item_reference") return reference(string_at(item, "id"));
  if (type == "image_generation_call") {
    const std::string_view made = string_at(item, "result");
    sized_image(image_size(made), {});
    return discount(made);
  }
  element value;
  if (item.at_key("content").get(value) == simdjson::SUCCESS) content(value);
  if (item.at_key("output").get(value) != simdjson::SUCCESS) return;
  object fields;
  if (value.get_object().get(fields) == simdjson::SUCCESS) return part(fields);
  content(value);
}

bool is_openai_attachment(std::string_view type) {
  static constexpr std::array<std::string_view, 8> kTypes = {
      "image_url", "input_image", "computer_screenshot", "input_audio", "audio_url", "video_url", "file", "input_file"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

std::string_view text_file_of(const object& part, std::string_view type) {
  object holder;
  if ((type != "file" && type != "input_file") || !file_holder(part, type, holder)) return {};
  const std::string_view data = string_at(holder, "file_data");
  return kind_of_file(data, media_type_of(data)) == FileKind::kText ? base64_payload(data) : std::string_view{};
}

bool count_token_ids(const simdjson::dom::array& ids, RequestFacts& facts) {
  for (const element id : ids) {
    std::uint64_t value = 0;
    if (!id.is_int64() || id.get_uint64().get(value) != simdjson::SUCCESS || value > kMaxTokenId) return false;
    ++facts.token_ids;
  }
  return true;
}

bool measure_embedding_input(const element& value, RequestFacts& facts, std::int64_t& prompts) {
  prompts = 1;
  if (value.is_string()) return true;
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS || list.begin() == list.end()) return false;
  const element first = *list.begin();
  if (first.is_int64()) return count_token_ids(list, facts);
  const bool texts = first.is_string();
  prompts = 0;
  for (const element item : list) {
    ++prompts;
    if (texts != item.is_string()) return false;
    if (texts) continue;
    simdjson::dom::array ids;
    if (item.get_array().get(ids) != simdjson::SUCCESS || ids.begin() == ids.end()) return false;
    if (!count_token_ids(ids, facts)) return false;
  }
  return true;
}

}  // namespace weir
