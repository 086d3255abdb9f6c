// What looks like a destination, and whether a prompt names it.
//
//   PromptText prompt("Mail Bob (bob@corp.com), see corp.com/minutes");
//   prompt.has_email("Bob@Corp.com");             // true; not "bob@corp.com.evil.org"
//   prompt.has_url("https://corp.com/minutes?x"); // true: host and path occur
//   prompt.has_words("bob");                      // true: as whole words, without case
//
// A view of the text, which must outlive it, with a copy in lower case. Looking is linear in the text. ASCII is
// compared without case, other letters exactly; what touches it on either side must not belong to it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

// The whole text is one. URLs need a scheme or "www."; `bare` takes "corp.com/a" for one as well.
bool looks_like_email(std::string_view text);
bool looks_like_url(std::string_view text, bool bare);
bool looks_like_iban(std::string_view text);  // also in groups; without its checksum, so that typos count

class PromptText {
 public:
  static constexpr std::size_t kMaxSought = 2048;   // bytes; what is longer is not found
  static constexpr std::size_t kMaxTries = 10'000;  // places that look like it

  explicit PromptText(std::string_view text);

  bool has_email(std::string_view email) const;
  bool has_url(std::string_view url) const;
  bool has_iban(std::string_view iban) const;
  bool has_words(std::string_view words) const;

 private:
  std::string_view text_;
  std::string lower_;
};

}  // namespace weir
