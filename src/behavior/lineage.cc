#include "behavior/lineage.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <span>

#include "base/check.h"

namespace weir {

namespace {

constexpr std::string_view kVersion = "v1.";
constexpr std::size_t kFieldBytes = 16 + 8 + 4;
constexpr std::size_t kMacBytes = 32;
constexpr std::size_t kFieldChars = (kFieldBytes * 4 + 2) / 3;
constexpr std::size_t kMacChars = (kMacBytes * 4 + 2) / 3;
constexpr std::size_t kTokenChars = kVersion.size() + kFieldChars + 1 + kMacChars;
static_assert(kTokenChars <= kMaxLineage);

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

using Fields = std::array<unsigned char, kFieldBytes>;
using Mac = std::array<unsigned char, kMacBytes>;

void append_base64url(std::string& out, std::span<const unsigned char> bytes) {
  std::uint32_t bits = 0;
  int have = 0;
  for (const unsigned char byte : bytes) {
    bits = (bits << 8) | byte;
    for (have += 8; have >= 6; have -= 6) out += kAlphabet[(bits >> (have - 6)) & 63];
  }
  if (have > 0) out += kAlphabet[(bits << (6 - have)) & 63];
}

// Strict: exactly as many characters as the bytes take, and no bits left over, so that one token has one spelling.
bool parse_base64url(std::string_view text, std::span<unsigned char> out) {
  std::uint32_t bits = 0;
  int have = 0;
  std::size_t at = 0;
  for (const char c : text) {
    const std::size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return false;
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    if (at == out.size()) return false;
    out[at++] = static_cast<unsigned char>(bits >> have);
  }
  return at == out.size() && (bits & ((1U << have) - 1)) == 0;
}

template <class Number>
unsigned char* put(unsigned char* at, Number value) {
  for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8) {
    *at++ = static_cast<unsigned char>(value >> shift);
  }
  return at;
}

template <class Number>
const unsigned char* take(const unsigned char* at, Number& value) {
  value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) value = static_cast<Number>((value << 8) | *at++);
  return at;
}

}  // namespace

struct LineageSigner::Impl {
  EVP_MAC* mac = nullptr;
  EVP_MAC_CTX* context = nullptr;

  Mac sum(const Fields& fields, std::string_view scope) const {
    Mac out{};
    std::size_t length = 0;
    // Without a key: starts again with the one given at construction.
    WEIR_CHECK(EVP_MAC_init(context, nullptr, 0, nullptr) == 1);
    const auto* version = reinterpret_cast<const unsigned char*>(kVersion.data());
    WEIR_CHECK(EVP_MAC_update(context, version, kVersion.size()) == 1);
    WEIR_CHECK(EVP_MAC_update(context, fields.data(), fields.size()) == 1);
    WEIR_CHECK(EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(scope.data()), scope.size()) == 1);
    WEIR_CHECK(EVP_MAC_final(context, out.data(), &length, out.size()) == 1 && length == out.size());
    return out;
  }
};

LineageSigner::LineageSigner(std::string_view secret) : impl_(std::make_unique<Impl>()) {
  impl_->mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  WEIR_CHECK(impl_->mac != nullptr);
  impl_->context = EVP_MAC_CTX_new(impl_->mac);
  WEIR_CHECK(impl_->context != nullptr);
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_construct_end()};
  // HMAC of an empty secret is well defined, but a null key would mean "the one from before".
  const auto* key = reinterpret_cast<const unsigned char*>(secret.empty() ? "" : secret.data());
  WEIR_CHECK(EVP_MAC_init(impl_->context, key, secret.size(), params) == 1);
}

LineageSigner::~LineageSigner() {
  EVP_MAC_CTX_free(impl_->context);
  EVP_MAC_free(impl_->mac);
}

std::string LineageSigner::sign(const Lineage& lineage, std::string_view scope) {
  Fields fields{};
  put(put(put(put(fields.data(), lineage.run.high), lineage.run.low), lineage.node), lineage.depth);
  std::string token;
  token.reserve(kTokenChars);
  token += kVersion;
  append_base64url(token, fields);
  token += '.';
  append_base64url(token, impl_->sum(fields, scope));
  return token;
}

std::optional<Lineage> LineageSigner::verify(std::string_view token, std::string_view scope) {
  if (token.size() != kTokenChars || !token.starts_with(kVersion)) return std::nullopt;
  const std::string_view body = token.substr(kVersion.size());
  Fields fields{};
  Mac told{};
  if (body[kFieldChars] != '.' || !parse_base64url(body.substr(0, kFieldChars), fields) ||
      !parse_base64url(body.substr(kFieldChars + 1), told)) {
    return std::nullopt;
  }
  const Mac own = impl_->sum(fields, scope);
  if (CRYPTO_memcmp(own.data(), told.data(), own.size()) != 0) return std::nullopt;
  Lineage out;
  take(take(take(take(fields.data(), out.run.high), out.run.low), out.node), out.depth);
  return out;
}

}  // namespace weir
