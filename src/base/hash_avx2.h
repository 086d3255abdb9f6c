// XXH3 with AVX2: the same hash in half the instructions. Internal to hash.cc. Pure, thread-safe.
//
//   if (__builtin_cpu_supports("avx2")) hash = long_hash_avx2(text.data(), text.size(), seed);
//
// Only on x86-64; on others nothing defines it.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace weir {

uint64_t long_hash_avx2(const char* text, size_t size, uint64_t seed);

}  // namespace weir
