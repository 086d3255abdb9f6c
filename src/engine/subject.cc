#include "weir/subject.h"

#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "weir/limiter.h"

namespace weir {

SubjectHasher& SubjectHasher::begin(std::string_view scope) {
  size_ = 0;
  large_.clear();
  return add(scope);
}

SubjectHasher& SubjectHasher::add(std::string_view value) {
  const std::uint64_t length = value.size();
  if (large_.empty() && value.size() <= kSmall && size_ + sizeof(length) + value.size() <= kSmall) {
    std::memcpy(small_ + size_, &length, sizeof(length));
    std::memcpy(small_ + size_ + sizeof(length), value.data(), value.size());
    size_ += sizeof(length) + value.size();
    return *this;
  }
  if (large_.empty()) large_.assign(small_, size_);
  large_.append(reinterpret_cast<const char*>(&length), sizeof(length)).append(value);
  return *this;
}

Hash128 SubjectHasher::finish() const {
  const std::string_view encoded = large_.empty() ? std::string_view(small_, size_) : std::string_view(large_);
  const XXH128_hash_t hash = XXH3_128bits_withSecret(encoded.data(), encoded.size(), secret_.data(), secret_.size());
  Hash128 key{.high = hash.high64, .low = hash.low64};
  if (!key) key.low = 1;
  return key;
}

std::uint64_t counter_hash(std::string_view identity) {
  return XXH3_64bits(identity.data(), identity.size());
}

}  // namespace weir
