// Whose counters: a subject is one combination of attribute values, such as (tenant = "acme", user = "ann").
//
//   SubjectHasher hasher(secret);
//   hasher.begin("per caller").add("caller").add("acme/ann");
//   Hash128 subject = hasher.finish();
//
// The hash is keyed (nobody outside can aim two subjects at one counter) and taken over a length-prefixed encoding,
// so ("a_b", "c") and ("a", "b_c") never meet. A hasher belongs to one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "weir/types.h"

namespace weir {

// 192 random bytes; keep them secret and stable, counters restored after a restart are found under the same hashes.
using SubjectSecret = std::array<unsigned char, 192>;

class SubjectHasher {
 public:
  explicit SubjectHasher(const SubjectSecret& secret) : secret_(secret) {}

  // Starts a new subject; `scope` separates groups of limits that must never share state.
  SubjectHasher& begin(std::string_view scope);
  // Adds one value; order and empty values count.
  SubjectHasher& add(std::string_view value);
  // Never all zero. The hasher can be used again after begin().
  Hash128 finish() const;

 private:
  static constexpr std::size_t kSmall = 248;

  const SubjectSecret& secret_;
  std::size_t size_ = 0;  // of small_, while it is enough
  char small_[kSmall];    // a string would cost more than the hash
  std::string large_;     // everything, once it is not
};

}  // namespace weir
