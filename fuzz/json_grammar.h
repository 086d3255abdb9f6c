// For the targets that write JSON from their input: the same value in any spelling, and values of parsed JSON to
// compare.
//
//   JsonWriterOfFuzz json(input);
//   std::string body = json.object({{"model", json.text("m")}, {"n", "1"}});    // `{ "m\u006Fdel":"m" ,"n":1}`
//   JsonValues values = values_of(parsed);                                      // by member, minified
//
// Values, one thread.
#pragma once

#include <simdjson.h>

#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz.h"

namespace weir::fuzz {

using JsonMembers = std::vector<std::pair<std::string, std::string>>;  // name and JSON text

inline std::string_view pick_word(Input& input) {
  static constexpr std::string_view kWords[] = {"a",
                                                "find the weather",
                                                "gr\u00fc\u00dfe",
                                                "{\"q\":\"}]\"}",
                                                "line\nline\r\n\ttab",
                                                "\\",
                                                "\"",
                                                "data: [DONE]",
                                                "\u65e5\u672c\u8a9e",
                                                "\U0001F600!",
                                                "/path?x=1&y=2",
                                                "0",
                                                "null",
                                                "a longer text, with words in it, that is more than sixteen bytes"};
  return kWords[input.below(std::size(kWords))];
}

class JsonWriterOfFuzz {
 public:
  explicit JsonWriterOfFuzz(Input& input) : input_(input) {}

  std::string text(std::string_view value) {
    const bool escapes = input_.below(4) == 1;
    std::string out = "\"";
    for (const char c : value) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || (escapes && byte < 0x7F)) {
        char hex[8];
        std::snprintf(hex, sizeof hex, "\\u%04x", byte);
        out += hex;
      } else {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
      }
    }
    return out + '"';
  }
  std::string object(const JsonMembers& members) {
    std::string out = "{";
    for (const auto& [name, value] : members) {
      if (out.size() > 1) out += ',';
      out.append(space()).append(text(name)).append(space()).append(":").append(space()).append(value);
    }
    return out.append(space()).append("}");
  }
  std::string list(const std::vector<std::string>& values) {
    std::string out = "[";
    for (const std::string& value : values) {
      if (out.size() > 1) out += ',';
      out.append(space()).append(value);
    }
    return out.append(space()).append("]");
  }

 private:
  std::string_view space() {
    static constexpr std::string_view kSpaces[] = {"", "", "", " ", "\t", " \r\n"};
    return kSpaces[input_.below(std::size(kSpaces))];
  }
  Input& input_;
};

using JsonValues = std::map<std::string, std::string>;

inline JsonValues values_of(const simdjson::dom::element& value) {
  JsonValues values;
  simdjson::dom::object object;
  require(value.get_object().get(object) == simdjson::SUCCESS);
  for (const auto [name, each] : object) values[std::string(name)] = simdjson::minify(each);
  return values;
}

inline std::vector<std::string> elements_of_list(const simdjson::dom::element& value) {
  std::vector<std::string> elements;
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) return elements;
  for (const simdjson::dom::element each : list) elements.emplace_back(simdjson::minify(each));
  return elements;
}

// A few bytes flipped, cut, put in or written twice.
inline void change_bytes(Input& input, std::string& bytes) {
  for (std::uint32_t times = 1 + input.below(3); times > 0 && !bytes.empty(); --times) {
    const std::size_t at = input.below(65'536) % bytes.size();
    switch (input.below(4)) {
      case 0:
        bytes[at] = static_cast<char>(input.byte());
        break;
      case 1:
        bytes.erase(at, 1 + input.below(20));
        break;
      case 2:
        bytes.insert(at, input.text(1 + input.below(12)));
        break;
      default:
        bytes.insert(at, bytes.substr(input.below(65'536) % bytes.size(), 1 + input.below(60)));
    }
  }
}

}  // namespace weir::fuzz
