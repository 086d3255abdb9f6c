// Tokens of a prompt by OpenAI's published rules (cookbook, "How to count tokens with tiktoken"): its texts, the
// overhead of messages, and that of function schemas.
//
//   PromptCount count = count_prompt_with(operation, body, "gpt-4o",
//                                         [&](std::string_view text) { return tokenizer.count(text); });
//   if (count.exact) …hold exactly count.tokens…
//
// Exact: chat messages of texts and flat function schemas for the models that the cookbook names; completions' and
// embeddings' input; a bare text ({"model","text"}). What has no published rule (calls in the history, nested schemas,
// Responses items, other dialects, parts and members that nobody has told us of) is counted as its JSON text plus a
// margin, and `exact` is false. Attachments are not counted here, but for the text in files of text: their tokens are
// RequestFacts::media_tokens. `count` must be thread-safe if this is called from several threads. A body that is no
// JSON object counts 0, not exact.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "providers/request.h"

namespace weir {

using TokenCount = std::function<std::int64_t(std::string_view)>;

PromptCount count_prompt_with(Operation operation, std::string_view body, std::string_view model,
                              const TokenCount& count);

// Per message and per reply, as published.
inline constexpr std::int64_t kMessageTokens = 3;
inline constexpr std::int64_t kNameTokens = 1;
inline constexpr std::int64_t kReplyTokens = 3;
// Added where no rule is published: a share of what was counted by the JSON text, and per message.
inline constexpr std::int64_t kMarginPercent = 10;
inline constexpr std::int64_t kMarginPerMessage = 8;

}  // namespace weir
