// Finds the consumer that a presented API key belongs to. An immutable snapshot of the store's keys, replaced when they
// change; lookups never touch the disk.
//
// Thread-safe: snapshot() from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/hmac.h"
#include "model/consumer.h"

namespace weir {

// HMAC-SHA-256 of the presented key under the store's secret.
using KeyHash = HmacSha256::Sum;

// Hashes presented keys. Immutable: one serves all threads.
class KeyHasher {
 public:
  explicit KeyHasher(std::string_view secret) : hmac_(secret) {}
  KeyHash hash(std::string_view presented_key) const { return hmac_.of({presented_key}); }

 private:
  HmacSha256 hmac_;
};

// weir_<24 base62>_<6 checksum>. `random` supplies 24 bytes of entropy.
std::string make_key(std::span<const unsigned char, 24> random);
// weiradmin_<48 hexadecimal digits>: a token of the admin API.
std::string make_admin_token(std::span<const unsigned char, 24> random);
// Form and checksum only: rejects typos before anything is hashed.
bool is_well_formed_key(std::string_view presented);

class ConsumerSnapshot {
 public:
  struct Entry {
    KeyHash hash;
    std::shared_ptr<const Consumer> consumer;
  };
  // Active and revoked consumers by hash; nullptr if unknown. Revoked ones are returned: the caller looks at status.
  std::shared_ptr<const Consumer> find(const KeyHash& hash) const;
  std::shared_ptr<const Consumer> find_name(std::string_view name) const;
  void add(Entry entry);
  std::size_t size() const { return by_hash_.size(); }

 private:
  struct HashOfHash {
    std::size_t operator()(const KeyHash& h) const;
  };
  struct SameHash {
    bool operator()(const KeyHash& a, const KeyHash& b) const { return a.same(b); }
  };
  std::unordered_map<KeyHash, std::shared_ptr<const Consumer>, HashOfHash, SameHash> by_hash_;
  std::unordered_map<std::string, std::shared_ptr<const Consumer>> by_name_;
};

}  // namespace weir
