// HMAC-SHA-256 under one key, for what is signed or looked up on every request.
//
//   HmacSha256 hmac(secret);
//   HmacSha256::Sum sum = hmac.of({"v1.", fields, scope});   // of the parts one after the other
//
// The key is taken in once; a sum then costs two or three blocks of SHA-256 and allocates nothing. Immutable after
// construction: one object serves all threads. Sums have no ==, which stops at the first difference: same().
#pragma once

#include <array>
#include <initializer_list>
#include <memory>
#include <string_view>

namespace weir {

class HmacSha256 {
 public:
  struct Sum : std::array<unsigned char, 32> {
    bool operator==(const Sum&) const = delete;
    bool same(const Sum& other) const;  // in constant time
  };

  explicit HmacSha256(std::string_view key);
  ~HmacSha256();
  HmacSha256(const HmacSha256&) = delete;
  HmacSha256& operator=(const HmacSha256&) = delete;

  Sum of(std::initializer_list<std::string_view> parts) const;

 private:
  struct Keyed;
  std::unique_ptr<const Keyed> keyed_;
};

}  // namespace weir
