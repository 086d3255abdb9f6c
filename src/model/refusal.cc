#include "model/refusal.h"

#include "base/json_writer.h"

namespace weir {
namespace {

constexpr std::size_t kUsualSize = 384;

void number_or_null(JsonWriter& json, const char* name, const std::string& decimal) {
  json.key(name);
  if (decimal.empty()) {
    json.null();
  } else {
    json.raw(decimal);
  }
}

}  // namespace

std::string machine_json(const Refusal& refusal) {
  std::string out;
  out.reserve(kUsualSize);
  JsonWriter json(out);
  json.begin_object().key("limit").string(refusal.limit).key("layer").string(refusal.layer).key("per").begin_object();
  for (const auto& [attribute, value] : refusal.per) json.key(attribute).string(value);
  json.end_object().key("meter").string(refusal.meter);
  number_or_null(json, "allowed", refusal.allowed);
  json.key("window");
  refusal.window.empty() ? json.null() : json.string(refusal.window);
  number_or_null(json, "used", refusal.used);
  number_or_null(json, "reserved", refusal.reserved);
  number_or_null(json, "requested", refusal.requested);
  json.key("retry_after");
  refusal.retry_after_s < 0 ? json.null() : json.real(refusal.retry_after_s);
  json.key("reset_at");
  refusal.reset_at == 0 ? json.null() : json.string(format_rfc3339(refusal.reset_at, 3));
  json.key("also").begin_array();
  for (const std::string& name : refusal.also) json.string(name);
  json.end_array().end_object();
  return out;
}

}  // namespace weir
