#include "api/count.h"

#include <algorithm>

#include "base/json_writer.h"
#include "gateway/llm_call.h"
#include "providers/request.h"
#include "tokens/tokenizer.h"

namespace weir {
namespace {

// An empty text has no tokens; whatever is sent has one at least.
CountedTokens count_text(std::string_view text, std::string_view model, const Learned& learned,
                         std::string_view owner) {
  if (const auto encoding = encoding_of_model(model)) {
    return {
        .encoding = std::string(to_string(*encoding)), .tokens = Tokenizer::of(*encoding).count(text), .exact = true};
  }
  if (text.empty()) return {};
  const auto bytes = static_cast<std::int64_t>(text.size());
  return {.encoding = {}, .tokens = learned.calibration.tokens_of(OutputHistory::key(owner, model), bytes).upper};
}

}  // namespace

Call<CountedTokens> count_tokens(const CountQuestion& question, const BodyBounds& bounds, const Learned& learned,
                                 std::string_view owner) {
  if (question.text) return count_text(*question.text, question.model, learned, owner);
  const auto facts = read_request(Operation::kChatCompletions, question.body, bounds);
  if (!facts) return std::unexpected(CallFault{.status = facts.error().status, .message = facts.error().message});
  const std::int64_t beside = tokens_beside_text(*facts) + tokens_behind_references(*facts, learned, owner);
  CountedTokens out;
  if (const auto encoding = encoding_of_model(question.model)) {
    const PromptCount prompt = count_prompt(Operation::kChatCompletions, question.body, *encoding, question.model);
    out = {
        .encoding = std::string(to_string(*encoding)), .tokens = prompt.tokens, .exact = prompt.exact && beside == 0};
  } else {
    out.tokens = learned.calibration.tokens_of(OutputHistory::key(owner, question.model), facts->text_bytes).upper;
  }
  out.tokens = std::clamp<std::int64_t>(out.tokens + beside, 1, kMaxAmount);
  return out;
}

std::string count_answer(std::string_view model, const CountedTokens& count) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("model").string(model).key("encoding");
  count.encoding.empty() ? json.null() : json.string(count.encoding);
  json.key("tokens").number(count.tokens).key("exact").boolean(count.exact).end_object();
  return out;
}

}  // namespace weir
