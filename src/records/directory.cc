#include "records/directory.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/characters.h"
#include "base/check.h"

namespace weir {
namespace {

constexpr std::string_view kPrefix = "weir_";
constexpr std::size_t kBodyLength = 24;
constexpr std::size_t kChecksumLength = 6;
constexpr std::size_t kKeyLength = 5 + kBodyLength + 1 + kChecksumLength;
constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

std::string checksum_of(std::string_view body) {
  std::uint64_t value = XXH64(body.data(), body.size(), 0);
  std::string out(kChecksumLength, '0');
  for (char& c : out) {
    c = kDigits[value % kDigits.size()];
    value /= kDigits.size();
  }
  return out;
}

}  // namespace

std::string make_key(std::span<const unsigned char, 24> random) {
  // The bytes as one 192-bit number, written in base 62: its last 24 digits.
  std::array<std::uint32_t, 6> number;
  std::memcpy(number.data(), random.data(), random.size());
  std::string body(kBodyLength, '0');
  for (char& digit : body) {
    std::uint64_t remainder = 0;
    for (std::uint32_t& limb : number) {
      const std::uint64_t value = (remainder << 32) | limb;
      limb = static_cast<std::uint32_t>(value / kDigits.size());
      remainder = value % kDigits.size();
    }
    digit = kDigits[remainder];
  }
  return std::string(kPrefix) + body + '_' + checksum_of(body);
}

std::string make_admin_token(std::span<const unsigned char, 24> random) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "weiradmin_";
  for (const unsigned char byte : random) {
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

bool is_well_formed_key(std::string_view presented) {
  if (presented.size() != kKeyLength || !presented.starts_with(kPrefix)) return false;
  const std::string_view body = presented.substr(kPrefix.size(), kBodyLength);
  const bool base62 =
      std::all_of(body.begin(), body.end(), [](char c) { return is_ascii_digit(c) || is_ascii_letter(c); });
  return base62 && presented[kPrefix.size() + kBodyLength] == '_' && presented.ends_with(checksum_of(body));
}

std::size_t ConsumerSnapshot::HashOfHash::operator()(const KeyHash& h) const {
  std::size_t value = 0;  // keyed hashes are uniform: any part of them will do
  std::memcpy(&value, h.data(), sizeof value);
  return value;
}

std::shared_ptr<const Consumer> ConsumerSnapshot::find(const KeyHash& hash) const {
  // The bucket is chosen by secret-keyed bits; within it the comparison takes the same time wherever it differs.
  const auto found = by_hash_.find(hash);
  return found == by_hash_.end() ? nullptr : found->second;
}

std::shared_ptr<const Consumer> ConsumerSnapshot::find_name(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : found->second;
}

void ConsumerSnapshot::add(Entry entry) {
  by_name_[entry.consumer->name] = entry.consumer;
  by_hash_[entry.hash] = std::move(entry.consumer);
}

}  // namespace weir
