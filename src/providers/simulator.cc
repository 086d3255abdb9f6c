// What the simulator answers and when; how an answer is written is in simulator_answers.cc.
#include "providers/simulator.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <limits>

#include "providers/errors.h"
#include "providers/simulator_embeddings.h"
#include "providers/simulator_random.h"

namespace weir {
namespace {

// Of one answer, all choices together: bounds memory whatever the configuration says.
constexpr std::int64_t kMaxAnswerTokens = 1'000'000;
// A tool call with empty arguments costs about as much as its name and the frame around it.
constexpr std::int64_t kToolCallTokens = 12;
constexpr std::int64_t kFlatPartReported = 800;
constexpr BodyBounds kAnyBody{.depth = 1024,
                              .messages = std::numeric_limits<std::size_t>::max(),
                              .tools = std::numeric_limits<std::size_t>::max()};

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

std::string string_at(const object& from, std::string_view key) {
  std::string_view text;
  return from.at_key(key).get_string().get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

// The name in {"function":{"name":…}} or {"name":…}.
std::string tool_name(const object& tool) {
  object function;
  return tool.at_key("function").get_object().get(function) == simdjson::SUCCESS ? string_at(function, "name")
                                                                                 : string_at(tool, "name");
}

// The tool that `tool_choice` demands; empty if the model may answer in text.
std::string demanded_tool(std::string_view body) {
  simdjson::dom::parser parser;
  object root;
  if (parser.parse(body.data(), body.size()).get_object().get(root) != simdjson::SUCCESS) return {};
  element choice;
  if (root.at_key("tool_choice").get(choice) != simdjson::SUCCESS) return {};
  object named;
  bool any = false;
  std::string_view word;
  if (choice.get_string().get(word) == simdjson::SUCCESS) {
    any = word == "required";
  } else if (choice.get_object().get(named) == simdjson::SUCCESS) {
    if (std::string name = tool_name(named); !name.empty()) return name;
    any = string_at(named, "type") == "any";
  }
  array tools;
  if (!any || root.at_key("tools").get_array().get(tools) != simdjson::SUCCESS) return {};
  for (const element tool : tools) {
    object fields;
    if (tool.get_object().get(fields) == simdjson::SUCCESS) return tool_name(fields);
  }
  return {};
}

std::string http_head(Operation operation, int status, const std::string& id, bool stream, std::size_t length,
                      TimeNs now) {
  const bool openai = dialect_of(operation) == Dialect::kOpenAi;
  std::string head =
      fmt::format("HTTP/1.1 {}\r\ndate: {}\r\n{}: req_{}\r\n", status == 200 ? "200 OK" : "400 Bad Request",
                  format_http_date(now), openai ? "x-request-id" : "request-id", id);
  if (stream) {
    head +=
        "content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n";
  } else {
    head += fmt::format("content-type: application/json\r\ncontent-length: {}\r\n", length);
  }
  return head + "\r\n";
}

void append_http_chunk(std::string& out, std::string_view bytes) {
  if (!bytes.empty()) out.append(fmt::format("{:x}\r\n", bytes.size())).append(bytes).append("\r\n");
}

}  // namespace

struct SimulatedAnswer::Request {
  RequestFacts facts;
  std::string tool;
};

SimulatedAnswer::SimulatedAnswer(const SimulatorOptions& options, Operation operation, std::string_view body,
                                 std::uint64_t ordinal, TimeNs now)
    : options_(options), operation_(operation), created_s_(now / kSecond) {
  const std::uint64_t body_hash = text_hash(body);
  words_seed_ = mix64(mix64(mix64(options.seed) ^ ordinal) ^ body_hash);
  id_ = fmt::format("{:016x}{:08x}", words_seed_, mix64(words_seed_) >> 32);
  const auto read = read_request(operation, body, kAnyBody);
  int status = 200;
  if (!read) {
    status = 400;
    whole_ = error_body(dialect_of(operation) == Dialect::kOpenAi ? ErrorShape::kOpenAi : ErrorShape::kAnthropic,
                        {.message = read.error().message, .param = read.error().param, .request_id = "req_" + id_});
  } else if (operation == Operation::kEmbeddings) {
    SimulatedEmbeddings answer = simulate_embeddings(options.seed, *read, body);
    status = answer.status;
    whole_ = std::move(answer.body);
    usage_ = answer.usage;
  } else {
    Request request{.facts = *read, .tool = {}};
    if (read->tools > 0) request.tool = demanded_tool(body);
    plan(request);
    if (!stream_) whole_ = operation == Operation::kMessages ? message_answer() : chat_answer();
  }
  head_ = http_head(operation, status, id_, stream_, whole_.size(), now);
}

void SimulatedAnswer::plan(const Request& request) {
  const RequestFacts& facts = request.facts;
  model_ = facts.model;
  stream_ = facts.stream;
  include_usage_ = facts.wants_stream_usage;
  const std::int64_t cap = facts.output_cap.value_or(std::numeric_limits<std::int64_t>::max());
  if (cap > 0) tool_ = request.tool;
  const std::int64_t most = kMaxAnswerTokens / facts.choices;
  const std::int64_t least = std::clamp<std::int64_t>(options_.output_tokens_min, 0, most);
  const std::int64_t spread = std::clamp<std::int64_t>(options_.output_tokens_max, least, most) - least + 1;
  std::int64_t output = 0;
  for (std::int64_t choice = 0; choice < facts.choices; ++choice) {
    const std::uint64_t drawn = mix64(words_seed_ + static_cast<std::uint64_t>(choice));
    const std::int64_t wanted =
        tool_.empty() ? least + static_cast<std::int64_t>(drawn % static_cast<std::uint64_t>(spread)) : kToolCallTokens;
    lengths_.push_back(std::min(wanted, cap));
    cut_.push_back(wanted > cap);
    longest_ = std::max(longest_, lengths_.back());
    output += lengths_.back();
  }
  usage_.input_uncached =
      std::max<std::int64_t>(1, facts.text_bytes / 4 + facts.flat_parts * kFlatPartReported + facts.token_ids);
  usage_.output_visible = output;
}

bool SimulatedAnswer::next(SimulatedStep& step) {
  if (done_) return false;
  step.bytes.clear();
  const DurationNs interval = options_.tokens_per_second > 0 ? kSecond / options_.tokens_per_second : 0;
  if (!stream_) {
    step.after = options_.first_byte + longest_ * interval;
    step.bytes = head_ + whole_;
    done_ = true;
    return true;
  }
  step.after = position_ == 0 ? options_.first_byte : interval;
  if (position_ == 0) step.bytes = head_;
  // A tool call has no words: its arguments come at once.
  const std::int64_t steps = tool_.empty() ? longest_ : 1;
  std::string events = position_ == 0 ? first_events() : std::string();
  for (std::int64_t choice = 0; choice < static_cast<std::int64_t>(lengths_.size()); ++choice) {
    events += token_event(choice, position_);
  }
  ++position_;
  done_ = position_ >= steps;
  if (done_) events += last_events();
  append_http_chunk(step.bytes, events);
  if (done_) step.bytes += "0\r\n\r\n";
  return true;
}

}  // namespace weir
