// The only source of randomness of the program: the operating system.
//
//   std::array<unsigned char, 24> bytes;
//   system_entropy(bytes);
//
// Thread-safe.
#pragma once

#include <span>

namespace weir {

// False only if the system refuses.
bool system_entropy(std::span<unsigned char> out);

}  // namespace weir
