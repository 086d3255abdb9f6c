#include "api/count.h"
#include "providers/request.h"
#include "tokens/tokenizer.h"

namespace weir {

TokenCount count_exactly(const CountQuestion& question, std::int64_t estimate) {
  const std::optional<Encoding> encoding = encoding_of_model(question.model);
  if (!encoding) return {.encoding = {}, .tokens = estimate, .exact = false};
  TokenCount out{.encoding = std::string(to_string(*encoding)), .tokens = 0, .exact = true};
  if (question.text) {
    out.tokens = Tokenizer::of(*encoding).count(*question.text);
  } else {
    const PromptCount prompt = count_prompt(Operation::kChatCompletions, question.body, *encoding, question.model);
    out.tokens = prompt.tokens;
    out.exact = prompt.exact;
  }
  return out;
}

}  // namespace weir
