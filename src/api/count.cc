#include "api/count.h"

#include "base/json_writer.h"
#include "providers/request.h"
#include "tokens/estimate.h"

namespace weir {

Call<std::int64_t> estimate_tokens(const CountQuestion& question, const BodyBounds& bounds) {
  if (question.text) {
    if (question.text->empty()) return 0;
    return estimate_input_tokens({.text_bytes = static_cast<std::int64_t>(question.text->size())});
  }
  const auto facts = read_request(Operation::kChatCompletions, question.body, bounds);
  if (!facts) return std::unexpected(CallFault{.status = facts.error().status, .message = facts.error().message});
  return estimate_input_tokens({facts->text_bytes, facts->flat_parts, facts->token_ids});
}

std::string count_answer(std::string_view model, const TokenCount& count) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("model").string(model).key("encoding");
  count.encoding.empty() ? json.null() : json.string(count.encoding);
  json.key("tokens").number(count.tokens).key("exact").boolean(count.exact).end_object();
  return out;
}

}  // namespace weir
