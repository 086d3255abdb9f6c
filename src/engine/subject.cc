#include "weir/subject.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "weir/limiter.h"

namespace weir {

namespace {

void append_length(std::string& out, std::size_t length) {
  const auto value = static_cast<std::uint64_t>(length);
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

SubjectHasher& SubjectHasher::begin(std::string_view scope) {
  encoded_.clear();
  return add(scope);
}

SubjectHasher& SubjectHasher::add(std::string_view value) {
  append_length(encoded_, value.size());
  encoded_.append(value);
  return *this;
}

Hash128 SubjectHasher::finish() const {
  const XXH128_hash_t hash = XXH3_128bits_withSecret(encoded_.data(), encoded_.size(), secret_.data(), secret_.size());
  Hash128 key{.high = hash.high64, .low = hash.low64};
  if (!key) key.low = 1;
  return key;
}

std::uint64_t counter_hash(std::string_view identity) {
  return XXH3_64bits(identity.data(), identity.size());
}

}  // namespace weir
