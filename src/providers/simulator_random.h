// Seeded numbers for the simulator: integers only, the same everywhere. Internal to this folder. Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

// One step of splitmix64 (Steele, Lea, Flood 2014), used as a mixer: equal in, equal out.
constexpr std::uint64_t mix64(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15ull;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ull;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBull;
  return value ^ (value >> 31);
}

// FNV-1a, 64 bits: tells texts apart, nothing more.
constexpr std::uint64_t text_hash(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return hash;
}

}  // namespace weir
