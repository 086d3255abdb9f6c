// count_prompt with the real vocabularies. Alone in its file: programs that count with something else do not link them.
#include "providers/prompt_count.h"
#include "tokens/tokenizer.h"

namespace weir {

PromptCount count_prompt(Operation operation, std::string_view body, Encoding encoding, std::string_view model) {
  const Tokenizer& tokenizer = Tokenizer::of(encoding);
  return count_prompt_with(operation, body, model, [&](std::string_view text) { return tokenizer.count(text); });
}

}  // namespace weir
