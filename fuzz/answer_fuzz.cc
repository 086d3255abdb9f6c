// Answers of every dialect, whole and as streams in every framing, written by a small grammar from the input. Checks:
// usage, model, id, text and tool calls are read as they were written, however the bytes are split; cutting calls
// leaves exactly the others, with the same text and usage, whole and in streams; an error instead of an answer, or a
// usage that cannot be, is no usage; a stream that breaks off has no end. With bytes changed: the same facts for every
// split, and what is passed on is what came.
//
// Input: byte 0 = operation (mod 8) and bit 4: bytes are changed; byte 1 = seed of splits and rulings; the rest =
// choices of the grammar.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "answer_writer.h"
#include "fuzz.h"
#include "providers/dialect.h"
#include "providers/tool_calls.h"

namespace {

using namespace weir;
using namespace weir::fuzz;
using Asks = CallFilter::Asks;
using Ruling = CallFilter::Ruling;

constexpr Operation kOperations[] = {Operation::kChatCompletions, Operation::kResponses,      Operation::kCompletions,
                                     Operation::kMessages,        Operation::kStreamGenerate, Operation::kOllamaChat,
                                     Operation::kOllamaGenerate,  Operation::kGenerate};

class Heard final : public GeneratedText {
 public:
  void on_text(std::string_view text) override { all += text; }
  std::string all;
};

Usage expected_usage(const Answer& answer) {
  return {.input_uncached = answer.input - answer.cached,
          .cache_read = answer.cached,
          .output_visible = answer.output - answer.reasoning,
          .reasoning = answer.reasoning};
}

// Every piece of the text, in order.
bool holds_texts(std::string_view heard, const Answer& answer) {
  std::size_t at = 0;
  for (const std::string& text : answer.texts) {
    at = heard.find(text, at);
    if (at == std::string_view::npos) return false;
    at += text.size();
  }
  return true;
}

void check_facts(Operation operation, const Answer& answer, const AnswerFacts& facts, const std::string& heard) {
  require(facts.usage == expected_usage(answer));
  require(facts.model == answer.model && !facts.error && !facts.unread);
  require(facts.text_bytes == static_cast<std::int64_t>(heard.size()));
  require(holds_texts(heard, answer));
  if (answer.calls.empty()) require(heard == AnswerWriter::joined_texts(answer));
  if (dialect_of(operation) != Dialect::kOllama) require(facts.id == answer.id || facts.id.empty());
}

std::vector<std::string> names_of(const std::vector<ToolCall>& calls) {
  std::vector<std::string> names;
  for (const ToolCall& call : calls) names.push_back(call.name);
  return names;
}

// --- whole answers
// ----------------------------------------------------------------------------------------------------

void check_whole(Operation operation, const Answer& answer, Input& input, std::uint32_t seed) {
  const std::string body = AnswerWriter(operation, input).whole(answer);
  Heard heard;
  std::vector<ToolCall> calls;
  const AnswerFacts facts = read_answer(operation, body, &heard, &calls);
  check_facts(operation, answer, facts, heard.all);
  require(names_of(calls) == names_of(announced_calls(operation, body)) && calls.size() == answer.calls.size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    require(calls[i].name == answer.calls[i].name);
    require(calls[i].signature == call_signature(answer.calls[i].name, answer.calls[i].arguments));
    if (!calls[i].id.empty()) require(calls[i].id == answer.calls[i].id);
  }
  Chance chance(seed);
  std::vector<bool> cut;
  std::vector<std::string> left;
  for (const ToolCall& call : calls) {
    cut.push_back(chance.below(2) == 0);
    if (!cut.back()) left.push_back(call.name);
  }
  const std::string rest = without_calls(operation, body, cut);
  require(names_of(announced_calls(operation, rest)) == left);
  if (left.size() == calls.size()) require(rest == body);
  Heard again;
  const AnswerFacts now = read_answer(operation, rest, &again);
  require(now.usage == facts.usage && now.model == facts.model && holds_texts(again.all, answer));
  if (left.empty()) require(again.all == AnswerWriter::joined_texts(answer));
}

// An answer whose usage is missing, negative or absurd has none.
void check_no_usage(Operation operation, const Answer& answer, Input& input) {
  std::string body = AnswerWriter(operation, input).whole(answer);
  const std::string number = std::to_string(answer.input);
  if (answer.input < 1000 || answer.cached > 0 || body.find(number) != body.rfind(number)) return;
  static constexpr std::string_view kNonsense[] = {"-1", "1e3", "1.5", "\"9\"", "99999999999999999", "[]"};
  body.replace(body.find(number), number.size(), kNonsense[input.below(std::size(kNonsense))]);
  require(!read_answer(operation, body).usage);
}

void check_errors(Operation operation, Input& input) {
  JsonWriterOfFuzz json(input);
  const std::string message = json.text(pick_word(input));
  const std::string body = dialect_of(operation) == Dialect::kOllama
                               ? json.object({{"error", message}})
                               : json.object({{"error", json.object({{"message", message}})}});
  const AnswerFacts facts = read_answer(operation, body);
  require(facts.error && !facts.usage);
}

// --- streams
// ----------------------------------------------------------------------------------------------------------

struct Outcome {
  std::string out, heard;
  AnswerFacts facts;
  bool ended = false;
  std::vector<ToolCall> calls;  // that passed the filter
  std::string filtered;
};

// `rule(n)`: of the n-th call. `seed` 0: all bytes at once.
template <class Rule>
Outcome read(Operation operation, Framing framing, std::string_view bytes, std::uint32_t seed, Rule rule) {
  Outcome result;
  Heard heard;
  StreamReader reader(operation, framing, /*hide_usage=*/false, &heard);
  CallFilter filter(operation, framing);
  Chance chance(seed);
  std::size_t named = 0;
  Ruling ruling = Ruling::kPass;
  const auto take = [&](std::string_view event) {
    result.out += event;
    Asks asks = filter.take(event, result.filtered);
    while (asks != Asks::kNothing) {
      if (asks == Asks::kName) {
        ruling = rule(named++);
        asks = filter.rule(ruling, result.filtered);
        continue;
      }
      const ToolCall call = filter.asked();
      const bool pass = !filter.holds_asked() || call.signature % 2 == 0;
      if (pass) result.calls.push_back(call);
      asks = filter.rule(pass ? Ruling::kPass : Ruling::kCut, result.filtered);
    }
  };
  while (!bytes.empty()) {
    const std::size_t size = seed == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 1 + chance.below(24));
    std::string_view piece = bytes.substr(0, size);
    bytes.remove_prefix(size);
    for (std::string event; reader.next(piece, event); event.clear()) take(event);
  }
  std::string rest;
  reader.finish(rest);
  if (!rest.empty()) take(rest);
  filter.finish(result.filtered);
  result.heard = heard.all;
  result.facts = reader.facts();
  result.ended = reader.ended();
  return result;
}

Ruling pass_all(std::size_t) {
  return Ruling::kPass;
}

void check_same(const Outcome& a, const Outcome& b) {
  require(a.out == b.out && a.heard == b.heard && a.ended == b.ended && a.filtered == b.filtered);
  require(a.facts.usage == b.facts.usage && a.facts.model == b.facts.model && a.facts.id == b.facts.id);
  require(a.facts.error == b.facts.error && a.facts.text_bytes == b.facts.text_bytes);
  require(names_of(a.calls) == names_of(b.calls));
}

void check_written(Operation operation, Framing framing, const Answer& answer, const std::string& stream,
                   std::uint32_t seed) {
  const Outcome whole = read(operation, framing, stream, 0, pass_all);
  require(whole.out == stream && whole.filtered == stream);
  check_facts(operation, answer, whole.facts, whole.heard);
  require(whole.ended);
  require(whole.calls.size() == answer.calls.size());
  for (std::size_t i = 0; i < whole.calls.size(); ++i) {
    require(whole.calls[i].name == answer.calls[i].name);
    require(whole.calls[i].signature == call_signature(answer.calls[i].name, answer.calls[i].arguments));
  }
  check_same(whole, read(operation, framing, stream, seed, pass_all));

  // Some calls are cut at their name, some held and then judged.
  const auto judge = [&](std::size_t n) { return static_cast<Ruling>((seed >> (n % 8)) % 3); };
  const Outcome judged = read(operation, framing, stream, seed, judge);
  const Outcome left = read(operation, framing, judged.filtered, 0, pass_all);
  // What was held comes later than what was not.
  std::vector<std::string> wanted = names_of(judged.calls), found = names_of(left.calls);
  std::sort(wanted.begin(), wanted.end()), std::sort(found.begin(), found.end());
  require(wanted == found);
  require(left.facts.usage == whole.facts.usage && left.facts.model == whole.facts.model && left.ended);
  require(holds_texts(left.heard, answer));
  if (judged.calls.empty()) require(left.heard == AnswerWriter::joined_texts(answer));

  // Broken off before its last event.
  if (stream.size() < 8 || framing == Framing::kJsonArray) return;
  const Outcome torso = read(operation, framing, std::string_view(stream).substr(0, stream.size() / 2), seed, pass_all);
  require(!torso.ended && torso.heard.size() <= whole.heard.size());
}

void check_stream(Operation operation, Framing framing, const Answer& answer, Input& input, bool change,
                  std::uint32_t seed) {
  std::string stream = AnswerWriter(operation, input).stream(answer, framing);
  if (!change) return check_written(operation, framing, answer, stream, seed);
  change_bytes(input, stream);
  const Outcome whole = read(operation, framing, stream, 0, pass_all);
  require(whole.out == stream);
  const Outcome split = read(operation, framing, stream, seed, pass_all);
  require(split.out == whole.out && split.heard == whole.heard && split.ended == whole.ended);
  require(split.facts.usage == whole.facts.usage && split.facts.text_bytes == whole.facts.text_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3 || size > 4096) return 0;
  Input input(data, size);
  const std::uint8_t how = input.byte();
  const std::uint32_t seed = 1u + input.byte();
  const Operation operation = kOperations[how % std::size(kOperations)];
  const bool change = (how & 16) != 0;
  const Answer answer = make_answer(operation, input);
  if (!change) {
    check_whole(operation, answer, input, seed);
    check_no_usage(operation, answer, input);
    check_errors(operation, input);
  }
  switch (operation) {
    case Operation::kGenerate:
      return 0;
    case Operation::kStreamGenerate:
      check_stream(operation, Framing::kJsonArray, answer, input, change, seed);
      check_stream(operation, Framing::kSse, answer, input, change, seed);
      return 0;
    case Operation::kOllamaChat:
    case Operation::kOllamaGenerate:
      check_stream(operation, Framing::kNdjson, answer, input, change, seed);
      return 0;
    default:
      check_stream(operation, Framing::kSse, answer, input, change, seed);
      return 0;
  }
}
