// A secret that callers present, such as a bearer token: compared in constant time, never with ==, never streamed.
//
//   Secret token("from the configuration");
//   if (token.matches(presented)) …          // no secret at all matches nothing
//   std::cout << token.reveal();             // the one word to search for when asking where it is shown
//
// matches() takes as long wherever the first difference is, and tells no length. A value; the bytes are wiped when it
// goes. Const calls are thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// Same bytes? Takes time by the longer of the two, wherever they differ.
bool same_in_constant_time(std::string_view a, std::string_view b);

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  ~Secret();
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&);
  bool operator==(const Secret&) const = delete;

  bool empty() const { return text_.empty(); }
  bool matches(std::string_view presented) const;
  const std::string& reveal() const { return text_; }

 private:
  std::string text_;
};

}  // namespace weir
