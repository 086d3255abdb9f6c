#include "base/secret.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace weir {

bool same_in_constant_time(std::string_view a, std::string_view b) {
  // Lengths differ in the last bit of the answer only: as many bytes are looked at as the longer one has.
  static constexpr char kZero = 0;
  unsigned char different = a.size() == b.size() ? 0 : 1;
  const std::size_t most = std::max(a.size(), b.size());
  for (std::size_t i = 0; i < most; ++i) {
    const char* x = i < a.size() ? &a[i] : &kZero;
    const char* y = i < b.size() ? &b[i] : &kZero;
    different = static_cast<unsigned char>(different | static_cast<unsigned char>(CRYPTO_memcmp(x, y, 1) & 0xff));
  }
  return different == 0;
}

Secret::~Secret() {
  OPENSSL_cleanse(text_.data(), text_.size());
}

Secret& Secret::operator=(const Secret& other) {
  if (this == &other) return *this;
  OPENSSL_cleanse(text_.data(), text_.size());
  text_ = other.text_;
  return *this;
}

bool Secret::matches(std::string_view presented) const {
  return !text_.empty() && same_in_constant_time(presented, text_);
}

}  // namespace weir
