// POST /weir/v1/count: how many tokens a text or a list of messages is for a model.
//
//   std::string body = count_answer("gpt-4o", {.encoding = "o200k_base", .tokens = 2, .exact = true});
//
// Pure functions; thread-safe.
#pragma once

#include <functional>
#include <string>

#include "api/decision_request.h"
#include "policy/policy.h"

namespace weir {

struct CountQuestion {
  std::string_view model;
  std::optional<std::string_view> text;  // absent: the messages of `body`
  std::string_view body;                 // {"model","messages"}, as a chat request has them
};

struct TokenCount {
  std::string encoding;  // empty: the model has no public tokenizer
  std::int64_t tokens = 0;
  bool exact = false;
};

using CountTokens = std::function<TokenCount(const CountQuestion&, std::int64_t estimate)>;

// From above, without a tokenizer. A fault if the messages are not what a chat request has.
Call<std::int64_t> estimate_tokens(const CountQuestion& question, const BodyBounds& bounds);
// With the model's public vocabulary where it has one; else `estimate`.
TokenCount count_exactly(const CountQuestion& question, std::int64_t estimate);
std::string count_answer(std::string_view model, const TokenCount& count);

}  // namespace weir
