// hash64() of long texts for processors with AVX2: built with -mavx2 (CMakeLists.txt), called only where it may be.
// Nothing of the standard library here: its inline functions would be shared with the rest of the program.
#define XXH_INLINE_ALL
#include "base/hash_avx2.h"

#include <xxhash.h>

namespace weir {

#if defined(__AVX2__)
uint64_t long_hash_avx2(const char* text, size_t size, uint64_t seed) {
  return XXH3_64bits_withSeed(text, size, seed);
}
#endif

}  // namespace weir
