#include "behavior/lineage.h"

#include <algorithm>
#include <array>
#include <span>

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
using Mac = HmacSha256::Sum;
static_assert(sizeof(Mac) == kMacBytes);

// Writes the characters and answers where they end.
char* put_base64url(char* out, std::span<const unsigned char> bytes) {
  const char* const digits = kAlphabet.data();
  for (; bytes.size() >= 3; bytes = bytes.subspan(3)) {
    const unsigned bits = (unsigned{bytes[0]} << 16) | (unsigned{bytes[1]} << 8) | bytes[2];
    for (int shift = 18; shift >= 0; shift -= 6) *out++ = digits[(bits >> shift) & 63];
  }
  if (bytes.empty()) return out;
  const unsigned bits = (unsigned{bytes[0]} << 16) | (bytes.size() == 2 ? unsigned{bytes[1]} << 8 : 0U);
  for (int shift = 18; shift >= 18 - 6 * static_cast<int>(bytes.size()); shift -= 6)
    *out++ = digits[(bits >> shift) & 63];
  return out;
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

std::string_view bytes_of(const Fields& fields) {
  return {reinterpret_cast<const char*>(fields.data()), fields.size()};
}

}  // namespace

LineageSigner::LineageSigner(std::string_view secret) : hmac_(secret) {}

std::string LineageSigner::sign(const Lineage& lineage, std::string_view scope) const {
  Fields fields{};
  put(put(put(put(fields.data(), lineage.run.high), lineage.run.low), lineage.node), lineage.depth);
  char token[kTokenChars];
  char* at = std::copy(kVersion.begin(), kVersion.end(), token);
  at = put_base64url(at, fields);
  *at++ = '.';
  put_base64url(at, hmac_.of({kVersion, bytes_of(fields), scope}));
  return std::string(token, sizeof token);
}

std::optional<Lineage> LineageSigner::verify(std::string_view token, std::string_view scope) const {
  if (token.size() != kTokenChars || !token.starts_with(kVersion)) return std::nullopt;
  const std::string_view body = token.substr(kVersion.size());
  Fields fields{};
  Mac told{};
  if (body[kFieldChars] != '.' || !parse_base64url(body.substr(0, kFieldChars), fields) ||
      !parse_base64url(body.substr(kFieldChars + 1), told)) {
    return std::nullopt;
  }
  const Mac own = hmac_.of({kVersion, bytes_of(fields), scope});
  if (!own.same(told)) return std::nullopt;
  Lineage out;
  take(take(take(take(fields.data(), out.run.high), out.run.low), out.node), out.depth);
  return out;
}

}  // namespace weir
