// Byte-pair encoding with OpenAI's public vocabularies: token ids identical to theirs, in time linear in the text.
//
//   const Tokenizer& tokenizer = Tokenizer::of(Encoding::kO200k);
//   std::int64_t tokens = tokenizer.count("hello world");      // 2
//   TokenCounter counter(tokenizer);
//   counter.append("hel"), counter.append("lo world");         // counter.tokens() == 2
//
// Text is UTF-8; what is not counts as U+FFFD, one for each longest part that could have begun a character
// (utf8_text.h). Names of special tokens ("<|endoftext|>") are ordinary text here: user content never becomes a control
// token. A tokenizer is immutable and thread-safe; a counter belongs to one thread and keeps the text whose last tokens
// are not final yet, usually a word, at most the longest run without a border.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokens/encoding.h"

namespace weir {

class Tokenizer {
 public:
  static const Tokenizer& of(Encoding encoding);  // nothing is loaded: tables are used in place

  std::int64_t count(std::string_view text) const;
  void encode(std::string_view text, std::vector<std::uint32_t>& ids) const;  // appends
  Encoding encoding() const;

  struct Impl;
  explicit Tokenizer(std::unique_ptr<const Impl> impl);
  ~Tokenizer();
  const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<const Impl> impl_;
};

// Counts a text that comes in pieces: tokens() is what count() says of everything appended so far. Pieces may end
// anywhere, inside a character too. Linear in what is appended, however it is cut.
class TokenCounter {
 public:
  explicit TokenCounter(const Tokenizer& tokenizer);
  ~TokenCounter();
  TokenCounter(TokenCounter&&) noexcept;
  TokenCounter& operator=(TokenCounter&&) noexcept;

  void append(std::string_view piece);
  std::int64_t tokens() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir
