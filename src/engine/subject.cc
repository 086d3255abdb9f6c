#include "weir/subject.h"

#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "weir/limiter.h"

namespace weir {
namespace {

// A copy of at most 32 bytes; the pieces of a subject are that short nearly always, and a call costs more than they do.
void copy_short(char* to, const char* from, std::size_t size) {
  if (size >= 16) {
    char head[16], tail[16];
    std::memcpy(head, from, 16);
    std::memcpy(tail, from + size - 16, 16);
    std::memcpy(to, head, 16);
    std::memcpy(to + size - 16, tail, 16);
  } else if (size >= 4) {
    char head[8], tail[8];
    if (size >= 8) {
      std::memcpy(head, from, 8);
      std::memcpy(tail, from + size - 8, 8);
      std::memcpy(to, head, 8);
      std::memcpy(to + size - 8, tail, 8);
    } else {
      std::memcpy(head, from, 4);
      std::memcpy(tail, from + size - 4, 4);
      std::memcpy(to, head, 4);
      std::memcpy(to + size - 4, tail, 4);
    }
  } else {
    for (std::size_t i = 0; i < size; ++i) to[i] = from[i];
  }
}

}  // namespace

SubjectHasher& SubjectHasher::begin(std::string_view scope) {
  size_ = 0;
  large_.clear();
  return add(scope);
}

SubjectHasher& SubjectHasher::add(std::string_view value) {
  const std::uint64_t length = value.size();
  if (large_.empty() && value.size() <= kSmall && size_ + sizeof(length) + value.size() <= kSmall) {
    std::memcpy(small_ + size_, &length, sizeof(length));
    if (value.size() <= 32) {
      copy_short(small_ + size_ + sizeof(length), value.data(), value.size());
    } else {
      std::memcpy(small_ + size_ + sizeof(length), value.data(), value.size());
    }
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
