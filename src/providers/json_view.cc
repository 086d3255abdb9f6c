#include "providers/json_view.h"

#include <simdjson.h>

#include <algorithm>

#include "base/characters.h"

namespace weir {
namespace {

constexpr std::size_t kSharedParser = 256 << 10;  // larger texts do not leave their memory behind

template <class Use>
bool with_parsed(std::string_view text, Use use) {
  thread_local simdjson::dom::parser shared;
  std::optional<simdjson::dom::parser> own;
  if (text.size() > kSharedParser) own.emplace();
  simdjson::dom::parser& parser = own ? *own : shared;
  simdjson::dom::element root;
  return parser.parse(text.data(), text.size(), /*realloc_if_needed=*/true).get(root) == simdjson::SUCCESS && use(root);
}

bool is_empty_value(const simdjson::dom::element& value) {
  std::string_view text;
  simdjson::dom::array array;
  simdjson::dom::object object;
  if (value.is_null()) return true;
  if (value.get_string().get(text) == simdjson::SUCCESS) return text.empty();
  if (value.get_array().get(array) == simdjson::SUCCESS) return array.begin() == array.end();
  return value.get_object().get(object) == simdjson::SUCCESS && object.begin() == object.end();
}

}  // namespace

JsonView JsonView::operator[](std::string_view name) const {
  if (!is_object()) return {};
  const auto member = find_member(text_, at_, {name});
  return member ? JsonView(text_, member->value) : JsonView();
}

std::vector<JsonView> JsonView::elements() const {
  std::vector<JsonView> views;
  if (!is_array()) return views;
  for (const TextRange& range : elements_of(text_, at_)) views.emplace_back(text_, range);
  return views;
}

std::vector<JsonView> JsonView::objects() const {
  if (is_object()) return {*this};
  std::vector<JsonView> views = elements();
  std::erase_if(views, [](const JsonView& view) { return !view.is_object(); });
  return views;
}

std::string JsonView::string() const {
  const std::string_view text = raw();
  if (!is_string() || text.size() < 2) return {};
  const std::string_view inner = text.substr(1, text.size() - 2);
  if (inner.find('\\') == std::string_view::npos) return std::string(inner);
  std::string decoded;
  with_parsed(text, [&](const simdjson::dom::element& value) {
    std::string_view found;
    if (value.get_string().get(found) == simdjson::SUCCESS) decoded = found;
    return true;
  });
  return decoded;
}

std::string JsonView::string_or_json() const {
  if (is_string()) return string();
  return is_null() ? std::string() : std::string(raw());
}

std::optional<std::int64_t> JsonView::integer() const {
  return number_in<std::int64_t>(raw());
}

bool JsonView::says_more_than(std::initializer_list<std::string_view> ignored) const {
  if (!is_object()) return false;
  return with_parsed(raw(), [&](const simdjson::dom::element& value) {
    simdjson::dom::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) return false;
    return std::any_of(object.begin(), object.end(), [&](const auto& member) {
      return std::find(ignored.begin(), ignored.end(), member.key) == ignored.end() && !is_empty_value(member.value);
    });
  });
}

void erase_elements(const std::vector<JsonView>& elements, const std::vector<bool>& gone, TextEdits& edits) {
  bool kept = false;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const TextRange range = elements[i].range();
    if (!gone[i]) {
      kept = true;
    } else if (kept) {
      edits.erase({elements[i - 1].range().end, range.end});
    } else {
      edits.erase({range.begin, i + 1 < elements.size() ? elements[i + 1].range().begin : range.end});
    }
  }
}

bool is_json_object(std::string_view text) {
  return with_parsed(text, [](const simdjson::dom::element& value) { return value.is_object(); });
}

}  // namespace weir
