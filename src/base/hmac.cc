#include "base/hmac.h"

// The states of a hash can be copied only below EVP, and copying the two of a key is the point: EVP looks its algorithm
// up and allocates for every sum.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>

#include "base/check.h"

namespace weir {
namespace {

constexpr std::size_t kBlock = SHA256_CBLOCK;

SHA256_CTX begun_with(std::array<unsigned char, kBlock> block, unsigned char pad) {
  for (unsigned char& byte : block) byte = static_cast<unsigned char>(byte ^ pad);
  SHA256_CTX state;
  WEIR_CHECK(SHA256_Init(&state) == 1 && SHA256_Update(&state, block.data(), block.size()) == 1);
  OPENSSL_cleanse(block.data(), block.size());
  return state;
}

}  // namespace

bool HmacSha256::Sum::same(const Sum& other) const {
  return CRYPTO_memcmp(data(), other.data(), size()) == 0;
}

struct HmacSha256::Keyed {
  SHA256_CTX inner, outer;
};

HmacSha256::HmacSha256(std::string_view key) {
  std::array<unsigned char, kBlock> block{};
  if (key.size() > kBlock) {
    WEIR_CHECK(SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), block.data()) != nullptr);
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  keyed_ = std::make_unique<const Keyed>(Keyed{.inner = begun_with(block, 0x36), .outer = begun_with(block, 0x5c)});
  OPENSSL_cleanse(block.data(), block.size());
}

HmacSha256::~HmacSha256() = default;

HmacSha256::Sum HmacSha256::of(std::initializer_list<std::string_view> parts) const {
  Sum sum;
  SHA256_CTX state = keyed_->inner;
  for (const std::string_view part : parts) WEIR_CHECK(SHA256_Update(&state, part.data(), part.size()) == 1);
  WEIR_CHECK(SHA256_Final(sum.data(), &state) == 1);
  state = keyed_->outer;
  WEIR_CHECK(SHA256_Update(&state, sum.data(), sum.size()) == 1 && SHA256_Final(sum.data(), &state) == 1);
  return sum;
}

}  // namespace weir
