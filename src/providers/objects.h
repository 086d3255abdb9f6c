// Walks over simdjson's DOM that the readers share. Internal to this folder. Pure; any thread.
//
//   each_object(message, "tool_calls", [&](const object& call) { ids.push_back(string_at(call, "id")); });
#pragma once

#include <simdjson.h>

#include <string_view>
#include <type_traits>

namespace weir {

// The string, or empty if it is not one.
inline std::string_view string_value(const simdjson::dom::element& value) {
  std::string_view text;
  return value.get_string().get(text) == simdjson::SUCCESS ? text : std::string_view{};
}
inline std::string_view string_at(const simdjson::dom::object& from, std::string_view key) {
  std::string_view text;
  return from.at_key(key).get_string().get(text) == simdjson::SUCCESS ? text : std::string_view{};
}

// What `each` says of an object, true if it says nothing; it may take the object's place too.
template <typename Each>
bool told(Each& each, const simdjson::dom::object& fields, std::size_t place) {
  const auto run = [&] {
    if constexpr (std::is_invocable_v<Each, const simdjson::dom::object&, std::size_t>) {
      return each(fields, place);
    } else {
      return each(fields);
    }
  };
  if constexpr (std::is_void_v<decltype(run())>) {
    run();
    return true;
  } else {
    return run();
  }
}

// Each object in an array. `each` may return bool: false ends it.
template <typename Each>
bool each_object_of(const simdjson::dom::element& value, Each each) {
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) return true;
  std::size_t place = 0;
  for (const simdjson::dom::element item : list) {
    simdjson::dom::object fields;
    if (item.get_object().get(fields) == simdjson::SUCCESS && !told(each, fields, place)) return false;
    ++place;
  }
  return true;
}

// The same, and of the one object that may stand there instead.
template <typename Each>
bool each_object(const simdjson::dom::element& value, Each each) {
  simdjson::dom::object fields;
  return value.get_object().get(fields) == simdjson::SUCCESS ? told(each, fields, 0) : each_object_of(value, each);
}
template <typename Each>
bool each_object(const simdjson::dom::object& from, std::string_view key, Each each) {
  simdjson::dom::element value;
  return from.at_key(key).get(value) != simdjson::SUCCESS || each_object(value, each);
}

}  // namespace weir
