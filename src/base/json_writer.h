// Writes JSON into a string it is given. Reading JSON is simdjson's work.
//
//   JsonWriter w(out);
//   w.begin_object().key("name").string("acme").key("used").number(42).end_object();
//
// The caller keeps the nesting right; commas are the writer's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// Appends `text` as a JSON string with quotes. Invalid UTF-8 becomes U+FFFD, so the result is always valid JSON.
void append_json_string(std::string& out, std::string_view text);

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view value);
  JsonWriter& number(std::int64_t value);
  // Shortest form that reads back equal; not finite becomes null.
  JsonWriter& real(double value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  // `json` must be one complete JSON value.
  JsonWriter& raw(std::string_view json);

 private:
  void separate();

  std::string& out_;
  bool need_comma_ = false;
};

}  // namespace weir
