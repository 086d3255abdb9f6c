// A value inside a JSON text, by where it stands: for edits that leave the other bytes as they are.
//
//   const JsonView root(json);
//   for (const JsonView& choice : root["choices"].elements())
//     if (choice["finish_reason"].string() == "tool_calls") edits.replace(choice["finish_reason"].range(), "\"stop\"");
//
// The text was parsed before (body_edit.h). What is missing is a view that is not present, whose members are missing
// too. Refers to the text, which must outlive it. Internal to this folder. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "providers/body_edit.h"

namespace weir {

class JsonView {
 public:
  JsonView() = default;
  explicit JsonView(std::string_view text) : text_(text), at_(root_of(text)) {}
  JsonView(std::string_view text, TextRange at) : text_(text), at_(at) {}

  bool present() const { return at_.end > at_.begin; }
  TextRange range() const { return at_; }
  std::string_view text() const { return text_; }  // all of it
  std::string_view raw() const { return at_.in(text_); }
  bool is_object() const { return raw().starts_with('{'); }
  bool is_array() const { return raw().starts_with('['); }
  bool is_string() const { return raw().starts_with('"'); }
  bool is_null() const { return raw() == "null"; }
  // The first member of that name.
  JsonView operator[](std::string_view name) const;
  std::vector<JsonView> elements() const;
  // The objects in an array, or the one that stands in its place.
  std::vector<JsonView> objects() const;
  std::string string() const;          // decoded; empty if it is no string
  std::string string_or_json() const;  // as it stands, if it is no string; empty if null
  std::optional<std::int64_t> integer() const;
  // An object with a member that says something: not null, not an empty text, array or object, and not one of
  // `ignored`.
  bool says_more_than(std::initializer_list<std::string_view> ignored) const;

 private:
  std::string_view text_;
  TextRange at_;
};

// Takes elements out of an array, each with one comma. `gone`: of the elements in order.
void erase_elements(const std::vector<JsonView>& elements, const std::vector<bool>& gone, TextEdits& edits);

bool is_json_object(std::string_view text);

}  // namespace weir
