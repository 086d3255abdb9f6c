// The words of each dialect for one kind of error. Internal to this folder. Pure; any thread.
#pragma once

#include <string_view>

#include "providers/errors.h"

namespace weir {

// `type` and `code` of the error object; an empty code is null.
struct OpenAiWords {
  std::string_view type, code;
};
OpenAiWords openai_words(ErrorKind kind, int status);
std::string_view anthropic_type(ErrorKind kind, int status);
// A word of google.rpc.Code.
std::string_view google_status(int status);

}  // namespace weir
