// Edits of a JSON text that leave every other byte as it is.
//
//   auto cap = find_member(body, root_of(body), {"max_tokens"});   // where its value stands
//   TextEdits edits;
//   edits.replace(cap->value, "100");
//   edits.insert_member(body, root_of(body), "\"n\":1");           // as the first one of an object
//   std::string out = edits.apply(body);
//
// The text was parsed before: the scanner only has to find where strings and values end. Keys compare as JSON does,
// escapes decoded. Internal to this folder. Linear in the text; thread-safe.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

// Bytes of the whole body.
struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string_view in(std::string_view body) const { return body.substr(begin, end - begin); }
};

struct MemberRange {
  TextRange key;  // with its quotes
  TextRange value;
  TextRange erased;  // what goes when the member goes: with one comma
};

// The value that is the body, without the spaces around it.
TextRange root_of(std::string_view body);
// The first member with one of the names, of the object at `object`; nullopt: none, or no object.
std::optional<MemberRange> find_member(std::string_view body, TextRange object,
                                       std::initializer_list<std::string_view> names);
// The elements of the array at `array`, in order; empty for other values.
std::vector<TextRange> elements_of(std::string_view body, TextRange array);

class TextEdits {
 public:
  // Ranges may not overlap; several insertions at one place stay in their order.
  void replace(TextRange range, std::string with);
  void erase(TextRange range) { replace(range, {}); }
  // `member`: "\"key\":value" without a comma.
  void insert_member(std::string_view body, TextRange object, std::string member);
  bool empty() const { return edits_.empty(); }
  std::string apply(std::string_view body);

 private:
  struct Edit {
    TextRange range;
    std::string with;
    std::size_t order;
  };
  std::vector<Edit> edits_;
};

}  // namespace weir
