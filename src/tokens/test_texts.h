// Texts for the tests of this folder: runs from alphabets that the pre-tokenizers treat differently.
//
//   const std::string text = *tokens_text();            // inside a rapidcheck property
//
// Tests only.
#pragma once

#include <rapidcheck.h>

#include <string>
#include <vector>

#include "tokens/encoding.h"

namespace weir {

inline constexpr Encoding kAllEncodings[] = {Encoding::kO200k, Encoding::kCl100k, Encoding::kP50k, Encoding::kR50k};

inline rc::Gen<std::string> tokens_text() {
  static const std::vector<std::string> kParts = {"a",
                                                  "b",
                                                  "the",
                                                  "Z",
                                                  "ABC",
                                                  " ",
                                                  " ",
                                                  "   ",
                                                  "\n",
                                                  "\r\n",
                                                  "\t",
                                                  "'s",
                                                  "'LL",
                                                  "'re",
                                                  "'",
                                                  "\u017F",
                                                  "7",
                                                  "123456",
                                                  "\u00B2",
                                                  ".",
                                                  "!!",
                                                  "/",
                                                  "//\n",
                                                  "{\"",
                                                  "\u00E9",
                                                  "\u00C9",
                                                  "\u4E2D",
                                                  "\u65E5",
                                                  "\u0301",
                                                  "\u01C5",
                                                  "\u02B0",
                                                  "\u0413",
                                                  "\u0434",
                                                  "\u3000",
                                                  "\u2028",
                                                  "\u0085",
                                                  "\u200B",
                                                  "\U0001F600",
                                                  "\U0001D400",
                                                  "\xFF",
                                                  "\xE4\xB8",
                                                  "\xF0\x9F",
                                                  "<|endoftext|>",
                                                  "aaaaaaaaaaaaaaaaaaaaaaaa",
                                                  "                        ",
                                                  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kParts)),
                      [](const std::vector<std::string>& parts) {
                        std::string text;
                        for (const std::string& part : parts) text += part;
                        return text;
                      });
}

}  // namespace weir
