#include "admin/questions.h"

namespace weir {

Result<PageAsk> page_of(const AdminQuery& query) {
  const auto size = query.number("page_size", 1, kMaxPageSize, kDefaultPageSize);
  if (!size) return std::unexpected(size.error());
  return PageAsk{.size = static_cast<std::size_t>(*size), .cursor = query.text("cursor")};
}

Reply question_refused(const Error& error) {
  if (!asker_can_mend(error)) return admin_store_failed(error);
  std::string message = error.message;
  if (!message.empty() && message[0] >= 'a' && message[0] <= 'z')
    message[0] = static_cast<char>(message[0] - 'a' + 'A');
  return admin_problem(400, message + ".");
}

std::vector<std::string> with_range(std::vector<std::string> more) {
  more.insert(more.begin(), {"since", "until"});
  return more;
}

void add_next(JsonWriter& json, const std::string& next) {
  json.key("next");
  next.empty() ? json.null() : json.string(next);
}

}  // namespace weir
