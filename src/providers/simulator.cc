// What the simulator answers and when; how each dialect writes it is in simulator_chat.cc and its like.
#include "providers/simulator.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/errors.h"
#include "providers/simulator_embeddings.h"
#include "providers/simulator_random.h"

namespace weir {
namespace {

// Of one answer, all choices together: bounds memory whatever the configuration says.
constexpr std::int64_t kMaxAnswerTokens = 1'000'000;
// A tool call costs about as much as its name and the frame around it, and its arguments.
constexpr std::int64_t kToolCallTokens = 12;

std::int64_t tokens_of(const std::vector<SimulatedCall>& calls) {
  std::int64_t tokens = 0;
  for (const SimulatedCall& call : calls) {
    tokens += kToolCallTokens + (static_cast<std::int64_t>(call.arguments.size()) - 2) / 4;
  }
  return tokens;
}

const SimulatedWriter& writer_of(Operation operation) {
  switch (dialect_of(operation)) {
    case Dialect::kOpenAi:
      if (operation == Operation::kResponses) return kResponsesWriter;
      return operation == Operation::kCompletions ? kCompletionsWriter : kChatWriter;
    case Dialect::kAnthropic:
      return kMessagesWriter;
    case Dialect::kGemini:
      return kGeminiWriter;
    case Dialect::kOllama:
      return kOllamaWriter;
  }
  return kChatWriter;  // every dialect is above
}

std::string_view stream_type(const SimulatedPlan& plan) {
  if (dialect_of(plan.operation) == Dialect::kOllama) return "application/x-ndjson";
  return plan.json_array ? "application/json; charset=utf-8" : "text/event-stream; charset=utf-8";
}

std::string http_head(const SimulatedPlan& plan, int status, bool stream, std::size_t length) {
  const bool openai = dialect_of(plan.operation) == Dialect::kOpenAi;
  std::string head =
      fmt::format("HTTP/1.1 {}\r\ndate: {}\r\n{}: req_{}\r\n", status == 200 ? "200 OK" : "400 Bad Request",
                  format_http_date(plan.now), openai ? "x-request-id" : "request-id", plan.id);
  if (stream) {
    head +=
        fmt::format("content-type: {}\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n", stream_type(plan));
  } else {
    head += fmt::format("content-type: application/json\r\ncontent-length: {}\r\n", length);
  }
  return head + "\r\n";
}

void append_http_chunk(std::string& out, std::string_view bytes) {
  if (!bytes.empty()) out.append(fmt::format("{:x}\r\n", bytes.size())).append(bytes).append("\r\n");
}

}  // namespace

SimulatedAnswer::SimulatedAnswer(const SimulatorOptions& options, Operation operation, std::string_view body,
                                 std::uint64_t ordinal, TimeNs now, std::string_view path_model, bool alt_sse)
    : options_(options) {
  plan_.operation = operation;
  plan_.json_array = operation == Operation::kStreamGenerate && !alt_sse;
  plan_.now = now;
  plan_.words_seed = mix64(mix64(mix64(options.seed) ^ ordinal) ^ text_hash(body));
  plan_.id = fmt::format("{:016x}{:08x}", plan_.words_seed, mix64(plan_.words_seed) >> 32);
  read(body, path_model);
  head_ = http_head(plan_, status_, stream_, whole_.size());
}

void SimulatedAnswer::read(std::string_view body, std::string_view path_model) {
  const Operation operation = plan_.operation;
  if (!generates(operation) && !only_counts(operation)) {
    SimulatedEmbeddings answer = simulate_embeddings(options_.seed, operation, body);
    if (answer.status != 200) return fail(answer.status, std::move(answer.message), std::move(answer.param));
    whole_ = std::move(answer.body);
    plan_.usage = answer.usage;
    return;
  }
  auto request = read_simulated_request(operation, body, path_model);
  if (!request) return fail(400, std::move(request.error().message), std::move(request.error().param));
  if (only_counts(operation)) {
    whole_ = fmt::format(R"({{"{}":{}}})", operation == Operation::kCountTokens ? "input_tokens" : "totalTokens",
                         request->input_tokens);
    return;
  }
  plan(*request);
  if (!stream_) whole_ = writer_of(operation).whole(plan_);
}

void SimulatedAnswer::fail(int status, std::string message, std::string param) {
  status_ = status;
  ErrorFacts facts;
  facts.message = std::move(message);
  facts.param = std::move(param);
  facts.request_id = "req_" + plan_.id;
  whole_ = error_body(shape_of(plan_.operation), facts);
}

void SimulatedAnswer::plan(const SimulatedRequest& request) {
  plan_.model = request.model;
  stream_ = request.stream;
  plan_.include_usage = request.include_usage;
  plan_.calls = request.calls;
  const std::int64_t most = kMaxAnswerTokens / request.choices;
  const std::int64_t least = std::clamp<std::int64_t>(options_.output_tokens_min, 0, most);
  const std::int64_t spread = std::clamp<std::int64_t>(options_.output_tokens_max, least, most) - least + 1;
  std::int64_t output = 0;
  for (std::int64_t choice = 0; choice < request.choices; ++choice) {
    const std::uint64_t drawn = mix64(plan_.words_seed + static_cast<std::uint64_t>(choice));
    const std::int64_t wanted = plan_.calls.empty()
                                    ? least + static_cast<std::int64_t>(drawn % static_cast<std::uint64_t>(spread))
                                    : tokens_of(plan_.calls);
    plan_.lengths.push_back(std::min(wanted, request.cap));
    plan_.cut.push_back(wanted > request.cap);
    plan_.longest = std::max(plan_.longest, plan_.lengths.back());
    output += plan_.lengths.back();
  }
  plan_.usage.input_uncached = request.input_tokens;
  plan_.usage.output_visible = output;
}

bool SimulatedAnswer::next(SimulatedStep& step) {
  if (done_) return false;
  step.bytes.clear();
  const DurationNs interval = options_.tokens_per_second > 0 ? kSecond / options_.tokens_per_second : 0;
  if (!stream_) {
    step.after = options_.first_byte + plan_.longest * interval;
    step.bytes = head_ + whole_;
    done_ = true;
    return true;
  }
  const SimulatedWriter& writer = writer_of(plan_.operation);
  step.after = position_ == 0 ? options_.first_byte : interval;
  if (position_ == 0) step.bytes = head_;
  const std::int64_t steps = plan_.calls.empty() ? plan_.longest : plan_.steps(0);
  std::string events = position_ == 0 ? writer.first(plan_) : std::string();
  for (std::int64_t choice = 0; choice < plan_.choices(); ++choice) {
    if (position_ < plan_.steps(choice)) events += writer.token(plan_, choice, position_);
  }
  ++position_;
  done_ = position_ >= steps;
  if (done_) events += writer.last(plan_);
  append_http_chunk(step.bytes, events);
  if (done_) step.bytes += "0\r\n\r\n";
  return true;
}

}  // namespace weir
