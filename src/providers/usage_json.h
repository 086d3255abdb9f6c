// Usage as each dialect writes it: for the end of a stream that the gateway cuts, and for the simulator's answers.
// Internal to this folder. Pure; any thread.
#pragma once

#include <string>

#include "model/usage.h"

namespace weir {

std::string openai_usage_json(const Usage& usage);
std::string responses_usage_json(const Usage& usage);
std::string anthropic_usage_json(const Usage& usage);
std::string gemini_usage_json(const Usage& usage);
// Members, not an object: Ollama's counts stand beside the answer's other members.
std::string ollama_usage_members(const Usage& usage);

}  // namespace weir
