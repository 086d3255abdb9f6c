// What one simulated answer will say, and how each dialect writes it. Internal to this folder. Pure; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "providers/dialect.h"

namespace weir {

struct SimulatedCall {
  std::string name;
  std::string arguments = "{}";  // a JSON object
};

// What the simulator wants to know of a request.
struct SimulatedRequest {
  std::string model;
  std::vector<SimulatedCall> calls;  // what it announces; empty for text
  bool stream = false;
  bool include_usage = false;
  std::int64_t cap = std::int64_t{1} << 40;
  std::int64_t choices = 1;
  std::int64_t input_tokens = 1;
};
// Of operations that generate or count.
std::expected<SimulatedRequest, RequestFault> read_simulated_request(Operation operation, std::string_view body,
                                                                     std::string_view path_model);

struct SimulatedPlan {
  Operation operation = Operation::kChatCompletions;
  bool json_array = false;  // Gemini without alt=sse
  bool include_usage = false;
  std::string model, id;
  std::vector<SimulatedCall> calls;  // of every choice, instead of text
  TimeNs now = 0;
  std::uint64_t words_seed = 0;
  std::vector<std::int64_t> lengths;  // tokens, per choice
  std::vector<bool> cut;              // stopped by the cap, per choice
  std::int64_t longest = 0;
  Usage usage;

  std::int64_t choices() const { return static_cast<std::int64_t>(lengths.size()); }
  std::int64_t length(std::int64_t choice) const { return lengths[static_cast<std::size_t>(choice)]; }
  bool is_cut(std::int64_t choice) const { return cut[static_cast<std::size_t>(choice)]; }
  std::string word(std::int64_t choice, std::int64_t index) const;
  std::string text(std::int64_t choice) const;
  std::string call_id(std::int64_t choice, std::size_t call) const;
  // How many steps a stream takes for a choice: a token or a call each.
  std::int64_t steps(std::int64_t choice) const;
};

std::string quoted_json(std::string_view text);
std::string sse_event(std::string_view name, std::string_view json);

// How a dialect writes a plan: whole, or as first events, those of each token or call, and last events.
struct SimulatedWriter {
  std::string (*whole)(const SimulatedPlan& plan);
  std::string (*first)(const SimulatedPlan& plan);
  std::string (*token)(const SimulatedPlan& plan, std::int64_t choice, std::int64_t index);
  std::string (*last)(const SimulatedPlan& plan);
};
extern const SimulatedWriter kChatWriter, kCompletionsWriter, kResponsesWriter, kMessagesWriter, kGeminiWriter,
    kOllamaWriter;

}  // namespace weir
