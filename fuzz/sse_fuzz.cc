// Streams, answers, errors and request bodies from strangers. Checks: whatever the split, and whether they are taken
// one event at a time or not, the same bytes give the same output, facts, text and forced end; nothing but the hidden
// usage chunk is ever lost; counts stay in range; read_request and upstream_body never crash, and a rewritten body is
// still one that read_request takes.
//
// Input: byte 0 = operation (mod 12, lowest 4 bits), framing (bits 4 and 5, mod 3), hide_usage (bit 7); byte 1 = seed
// of the split, the rest = the bytes.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz.h"
#include "providers/dialect.h"
#include "providers/errors.h"
#include "providers/provider_limits.h"

namespace {

using namespace weir;
using fuzz::require;

class Heard final : public GeneratedText {
 public:
  void on_text(std::string_view text) override { all += text; }
  std::string all;
};

struct Outcome {
  std::string out, heard;
  AnswerFacts facts;
  bool ended = false;
  std::string end;  // as the gateway would end it before finish()
};

struct Stream {
  Operation operation;
  Framing framing;
  bool hide;
};

void feed(StreamReader& reader, std::string_view bytes, bool one_by_one, std::string& out) {
  if (!one_by_one) return reader.feed(bytes, out);
  for (std::string event; reader.next(bytes, event); event.clear()) out += event;
  require(bytes.empty());
}

// Piece lengths 1 to 16 from a small linear congruential generator, taken one event at a time; 0 = all at once.
Outcome run(const Stream& stream, std::string_view bytes, std::uint32_t seed) {
  Heard heard;
  StreamReader reader(stream.operation, stream.framing, stream.hide, &heard);
  Outcome result;
  const bool one_by_one = seed != 0;
  while (!bytes.empty()) {
    std::size_t length = bytes.size();
    if (seed != 0) {
      seed = seed * 1'664'525u + 1'013'904'223u;
      length = std::min<std::size_t>(bytes.size(), 1 + (seed >> 16) % 16);
    }
    feed(reader, bytes.substr(0, length), one_by_one, result.out);
    bytes.remove_prefix(length);
  }
  const ErrorFacts error{.kind = ErrorKind::kQuota, .status = 429, .message = "over"};
  const Usage usage = reader.facts().usage.value_or(Usage{});
  result.end =
      stream_error_end(stream.operation, stream.framing, error, &usage, true, &reader.facts(), reader.position());
  reader.finish(result.out);
  result.heard = heard.all;
  result.facts = reader.facts();
  result.ended = reader.ended();
  return result;
}

bool in_range(std::int64_t count) {
  return count >= 0 && count <= (std::int64_t{1} << 42);
}

void check_facts(const AnswerFacts& facts) {
  require(facts.text_bytes >= 0);
  if (!facts.usage) return;
  const Usage& usage = *facts.usage;
  for (const std::int64_t count :
       {usage.input_uncached, usage.cache_read, usage.cache_write, usage.cache_write_1h, usage.output_visible,
        usage.reasoning, usage.audio_in, usage.audio_out, usage.tool_units}) {
    require(in_range(count));
  }
}

void check_stream(const Stream& stream, std::string_view bytes, std::uint32_t seed) {
  const Outcome whole = run(stream, bytes, 0);
  const Outcome split = run(stream, bytes, seed);
  require(whole.out == split.out);
  require(whole.heard == split.heard);
  require(whole.end == split.end);
  require(whole.facts.usage == split.facts.usage);
  require(whole.facts.so_far == split.facts.so_far);
  require(whole.facts.text_bytes == split.facts.text_bytes);
  require(whole.facts.text_bytes == static_cast<std::int64_t>(whole.heard.size()));
  require(whole.facts.model == split.facts.model);
  require(whole.facts.id == split.facts.id);
  require(whole.facts.error == split.facts.error);
  require(whole.facts.service_tier == split.facts.service_tier);
  require(whole.ended == split.ended);
  check_facts(whole.facts);
  require(stream.hide ? whole.out.size() <= bytes.size() : whole.out == bytes);
}

constexpr BodyBounds kBounds{.depth = 32, .messages = 64, .tools = 16};
constexpr std::string_view kPathModel = "m";  // of Gemini

void check_body(Operation operation, std::string_view bytes) {
  const auto read = read_request(operation, bytes, kBounds, kPathModel);
  check_facts(read_answer(operation, bytes));
  const ProviderLimits limits =
      read_provider_limits(dialect_of(operation), [&](std::string_view) { return bytes.substr(0, 40); }, bytes, 0);
  require(limits.reset_tokens >= 0 && limits.reset_requests >= 0 && limits.retry_after.value_or(0) >= 0);
  if (!read) return;
  require(read->text_bytes >= 0);
  require(!read->model.empty());
  const std::string upstream = upstream_body(operation, *read, {}, bytes);
  const auto again = read_request(operation, upstream, kBounds, kPathModel);
  require(again.has_value());
  require(!needs_rewrite(operation, *again));
  require(again->text_bytes == read->text_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto operation = static_cast<Operation>((data[0] & 15) % kOperationCount);
  const auto framing = static_cast<Framing>((data[0] >> 4 & 3) % 3);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  check_stream({operation, framing, (data[0] & 0x80) != 0}, bytes, 1u + data[1]);
  check_body(operation, bytes);
  return 0;
}
