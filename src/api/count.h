// POST /weir/v1/count: how many tokens a text or a list of messages is for a model.
//
//   const auto count = count_tokens(question, bounds, learned, "tenant acme");
//   std::string body = count_answer("gpt-4o", *count);   // {"model":"gpt-4o","encoding":"o200k_base","tokens":2,…
//
// With the model's public vocabulary where it has one; else the upper estimate that the gateway would hold, learned
// from what this owner's calls of the model have used. Pure functions; thread-safe. Bodies: kMaxOwnBody.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/decision_request.h"
#include "gateway/learned.h"
#include "policy/policy.h"

namespace weir {

struct CountQuestion {
  std::string_view model;
  std::optional<std::string_view> text;  // absent: the messages of `body`
  std::string_view body;                 // {"model","messages"}, as a chat request has them
};

struct CountedTokens {
  std::string encoding;  // empty: the model has no public tokenizer
  std::int64_t tokens = 0;
  bool exact = false;
};

// A fault if the messages are not what a chat request has. `owner`: history_owner() of who asks.
Call<CountedTokens> count_tokens(const CountQuestion& question, const BodyBounds& bounds, const Learned& learned,
                                 std::string_view owner);
std::string count_answer(std::string_view model, const CountedTokens& count);

}  // namespace weir
