#include "model/admin_token.h"

#include <array>

#include "base/enum_words.h"

namespace weir {

const char* to_string(AdminRole role) {
  static constexpr std::array kWords = {"none", "viewer", "admin"};
  return word_of(kWords, role);
}

}  // namespace weir
