// Embeddings of the simulator: equal texts get equal vectors, everything else is noise.
//
//   SimulatedEmbeddings answer = simulate_embeddings(seed, operation, body);
//
// Internal to this folder. Pure; any thread. At most kMaxSimulatedNumbers numbers in one answer, else status 400.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "providers/dialect.h"

namespace weir {

inline constexpr std::int64_t kMaxSimulatedNumbers = 2'000'000;

struct SimulatedEmbeddings {
  int status = 200;
  std::string body;
  Usage usage;
  std::string message, param;  // of a fault
};

// OpenAI's or Ollama's.
SimulatedEmbeddings simulate_embeddings(std::uint64_t seed, Operation operation, std::string_view body);

}  // namespace weir
