// Streams and request bodies from strangers. Checks: whatever the split, the same bytes give the same output and facts;
// nothing but the hidden usage chunk is ever lost; read_request and upstream_body never crash, and a rewritten body is
// still one that read_request takes.
//
// Input: byte 0 = operation (mod 3) and hide_usage (bit 7), byte 1 = seed of the split, the rest = the bytes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "providers/dialect.h"

namespace {

using namespace weir;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Outcome {
  std::string out;
  AnswerFacts facts;
  bool ended = false;
};

// Piece lengths 1 to 16 from a small linear congruential generator; 0 = all at once.
Outcome run(Operation operation, bool hide, std::string_view bytes, std::uint32_t seed) {
  StreamReader reader(operation, Framing::kSse, hide);
  Outcome result;
  while (!bytes.empty()) {
    std::size_t length = bytes.size();
    if (seed != 0) {
      seed = seed * 1'664'525u + 1'013'904'223u;
      length = std::min<std::size_t>(bytes.size(), 1 + (seed >> 16) % 16);
    }
    reader.feed(bytes.substr(0, length), result.out);
    bytes.remove_prefix(length);
  }
  reader.finish(result.out);
  result.facts = reader.facts();
  result.ended = reader.ended();
  return result;
}

void check_stream(Operation operation, bool hide, std::string_view bytes, std::uint32_t seed) {
  const Outcome whole = run(operation, hide, bytes, 0);
  const Outcome split = run(operation, hide, bytes, seed);
  require(whole.out == split.out);
  require(whole.facts.usage == split.facts.usage);
  require(whole.facts.so_far == split.facts.so_far);
  require(whole.facts.text_bytes == split.facts.text_bytes);
  require(whole.facts.model == split.facts.model);
  require(whole.facts.error == split.facts.error);
  require(whole.ended == split.ended);
  require(whole.facts.text_bytes >= 0);
  require(hide ? whole.out.size() <= bytes.size() : whole.out == bytes);
}

void check_body(Operation operation, std::string_view bytes) {
  const auto read = read_request(operation, bytes, BodyBounds{.depth = 32, .messages = 64, .tools = 16});
  (void)read_answer(operation, bytes);
  if (!read) return;
  require(read->text_bytes >= 0);
  require(!read->model.empty());
  const std::string upstream = upstream_body(operation, *read, {}, bytes);
  const auto again = read_request(operation, upstream, BodyBounds{.depth = 32, .messages = 64, .tools = 16});
  require(again.has_value());
  require(!needs_rewrite(operation, *again));
  require(again->text_bytes == read->text_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto operation = static_cast<Operation>(data[0] % 3);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  check_stream(operation, (data[0] & 0x80) != 0, bytes, 1u + data[1]);
  check_body(operation, bytes);
  return 0;
}
