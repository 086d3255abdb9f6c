#include "providers/simulator_embeddings.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <vector>

#include "base/json_writer.h"
#include "providers/simulator_plan.h"
#include "providers/simulator_random.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::int64_t kDefaultDimensions = 1536;
constexpr std::int64_t kMaxDimensions = 3072;

// Thousandths, -1000 to 1000.
std::int64_t number_at(std::uint64_t seed, std::int64_t index) {
  return static_cast<std::int64_t>(mix64(seed + static_cast<std::uint64_t>(index)) % 2001) - 1000;
}

void append_decimal_vector(std::string& out, std::uint64_t seed, std::int64_t dimensions) {
  out += '[';
  for (std::int64_t i = 0; i < dimensions; ++i) {
    const std::int64_t value = number_at(seed, i);
    const std::int64_t size = value < 0 ? -value : value;
    fmt::format_to(std::back_inserter(out), "{}{}{}.{:03}", i == 0 ? "" : ",", value < 0 ? "-" : "", size / 1000,
                   size % 1000);
  }
  out += ']';
}

void append_base64(std::string& out, const std::string& bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += k <= have ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
  }
}

// float32, little endian: what the official clients decode.
void append_base64_vector(std::string& out, std::uint64_t seed, std::int64_t dimensions) {
  std::string bytes;
  for (std::int64_t i = 0; i < dimensions; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(number_at(seed, i)) / 1000.0f);
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift & 0xFF);
  }
  out += '"';
  append_base64(out, bytes);
  out += '"';
}

// One hash per vector to make.
std::vector<std::uint64_t> inputs_of(const element& input) {
  std::string_view text;
  if (input.get_string().get(text) == simdjson::SUCCESS) return {text_hash(text)};
  array list;
  std::vector<std::uint64_t> hashes;
  if (input.get_array().get(list) != simdjson::SUCCESS) return hashes;
  for (const element item : list) {
    if (item.is_int64()) return {text_hash(simdjson::minify(input))};
    hashes.push_back(item.get_string().get(text) == simdjson::SUCCESS ? text_hash(text)
                                                                      : text_hash(simdjson::minify(item)));
  }
  return hashes;
}

SimulatedEmbeddings refused(std::string message, std::string param) {
  return {.status = 400, .body = {}, .usage = {}, .message = std::move(message), .param = std::move(param)};
}

struct EmbeddingRequest {
  std::string_view model;
  std::int64_t tokens = 1;
  std::int64_t dimensions = kDefaultDimensions;
  bool base64 = false;
  std::vector<std::uint64_t> inputs;
};

std::string openai_answer(std::uint64_t seed, const EmbeddingRequest& request) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("object").string("list").key("data").begin_array();
  std::string vector;
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    vector.clear();
    const std::uint64_t from = mix64(mix64(seed) ^ request.inputs[i]);
    request.base64 ? append_base64_vector(vector, from, request.dimensions)
                   : append_decimal_vector(vector, from, request.dimensions);
    json.begin_object().key("object").string("embedding").key("index").number(static_cast<std::int64_t>(i));
    json.key("embedding").raw(vector).end_object();
  }
  json.end_array().key("model").string(request.model).key("usage").begin_object();
  json.key("prompt_tokens").number(request.tokens).key("total_tokens").number(request.tokens);
  json.end_object().end_object();
  return out;
}

std::string ollama_answer(std::uint64_t seed, const EmbeddingRequest& request) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("model").string(request.model).key("embeddings").begin_array();
  std::string vector;
  for (const std::uint64_t input : request.inputs) {
    vector.clear();
    append_decimal_vector(vector, mix64(mix64(seed) ^ input), request.dimensions);
    json.raw(vector);
  }
  json.end_array().key("total_duration").number(kMillisecond).key("load_duration").number(0);
  json.key("prompt_eval_count").number(request.tokens).end_object();
  return out;
}

}  // namespace

SimulatedEmbeddings simulate_embeddings(std::uint64_t seed, Operation operation, std::string_view body) {
  const bool ollama = operation == Operation::kOllamaEmbed;
  EmbeddingRequest request;
  std::string model;
  if (ollama) {
    auto read = read_simulated_request(operation, body, {});
    if (!read) return refused(std::move(read.error().message), std::move(read.error().param));
    model = std::move(read->model);
    request.tokens = read->input_tokens;
  } else {
    auto facts = read_request(operation, body, BodyBounds{.depth = 1024});
    if (!facts) return refused(std::move(facts.error().message), std::move(facts.error().param));
    model = std::move(facts->model);
    request.tokens = std::max<std::int64_t>(1, facts->text_bytes / 4 + facts->token_ids);
  }
  request.model = model;
  simdjson::dom::parser parser;
  object root;
  element input;
  if (parser.parse(body.data(), body.size()).get_object().get(root) != simdjson::SUCCESS ||
      root.at_key("input").get(input) != simdjson::SUCCESS) {
    return refused("`input` is missing.", "input");
  }
  if (root.at_key("dimensions").get_int64().get(request.dimensions) != simdjson::SUCCESS) {
    request.dimensions = kDefaultDimensions;
  }
  request.dimensions = std::clamp<std::int64_t>(request.dimensions, 1, kMaxDimensions);
  std::string_view format;
  request.base64 = root.at_key("encoding_format").get_string().get(format) == simdjson::SUCCESS && format == "base64";
  request.inputs = inputs_of(input);
  if (static_cast<std::int64_t>(request.inputs.size()) > kMaxSimulatedNumbers / request.dimensions) {
    return refused(
        fmt::format("The simulator answers at most {} numbers at once; send fewer inputs.", kMaxSimulatedNumbers),
        "input");
  }
  SimulatedEmbeddings answer;
  answer.body = ollama ? ollama_answer(seed, request) : openai_answer(seed, request);
  answer.usage.input_uncached = request.tokens;
  return answer;
}

}  // namespace weir
