// Anthropic's messages.
#include <fmt/format.h>

#include "providers/writer.h"
#include "words.h"

namespace weir::sim::provider {
namespace {

std::string usage_json(const Usage& usage) {
  return fmt::format(
      R"({{"input_tokens":{},"cache_read_input_tokens":{},"cache_creation_input_tokens":{},"output_tokens":{}}})",
      usage.input_uncached, usage.cache_read, usage.cache_write, usage.output());
}

class AnthropicWriter final : public Writer {
 public:
  using Writer::Writer;

  std::string open() override {
    std::string usage;
    if (!plan_.no_usage) {
      const Usage first{
          .input_uncached = question_.prompt_tokens - plan_.cached, .cache_read = plan_.cached, .output_visible = 1};
      usage = ",\"usage\":" + usage_json(first);
    }
    return event("message_start",
                 fmt::format(R"(,"message":{{"id":{},"type":"message","role":"assistant","model":{},"content":[],)"
                             R"("stop_reason":null,"stop_sequence":null{}}})",
                             json_string(plan_.id), json_string(question_.model), usage)) +
           event("content_block_start", R"(,"index":0,"content_block":{"type":"text","text":""})");
  }

  std::string text(std::string_view words) override {
    return event("content_block_delta",
                 fmt::format(R"(,"index":0,"delta":{{"type":"text_delta","text":{}}})", json_string(words)));
  }

  std::string call(const ToolCall& call, std::size_t index) override {
    const std::string place = fmt::format(R"(,"index":{})", index + 1);
    const std::size_t half = call.arguments.size() / 2;
    const auto piece = [&](std::string_view part) {
      return event(
          "content_block_delta",
          place + fmt::format(R"(,"delta":{{"type":"input_json_delta","partial_json":{}}})", json_string(part)));
    };
    std::string out = index == 0 ? event("content_block_stop", R"(,"index":0)") : std::string();
    closed_ = true;
    out += event("content_block_start",
                 place + fmt::format(R"(,"content_block":{{"type":"tool_use","id":{},"name":{},"input":{{}}}})",
                                     json_string(call.id), json_string(call.name)));
    out += piece(std::string_view(call.arguments).substr(0, half));
    out += piece(std::string_view(call.arguments).substr(half));
    return out + event("content_block_stop", place);
  }

  std::string finish() override { return closed_ ? std::string() : event("content_block_stop", R"(,"index":0)"); }

  std::string tell(const std::optional<Usage>& usage) override {
    return event("message_delta", fmt::format(R"(,"delta":{{"stop_reason":"{}","stop_sequence":null}}{})", reason(),
                                              usage ? ",\"usage\":" + usage_json(*usage) : std::string()));
  }

  std::string end() override { return event("message_stop", {}); }

  std::string whole(std::string_view words, const std::optional<Usage>& usage) override {
    std::string content = fmt::format(R"({{"type":"text","text":{}}})", json_string(words));
    for (const ToolCall& call : plan_.calls) {
      content += fmt::format(R"(,{{"type":"tool_use","id":{},"name":{},"input":{}}})", json_string(call.id),
                             json_string(call.name), call.arguments);
    }
    return fmt::format(R"({{"id":{},"type":"message","role":"assistant","model":{},"content":[{}],"stop_reason":"{}",)"
                       R"("stop_sequence":null{}}})",
                       json_string(plan_.id), json_string(question_.model), content, reason(),
                       usage ? ",\"usage\":" + usage_json(*usage) : std::string());
  }

 private:
  std::string_view reason() const {
    if (!plan_.calls.empty()) return "tool_use";
    return capped() ? "max_tokens" : "end_turn";
  }
  static std::string event(std::string_view type, std::string_view rest) {
    return fmt::format("event: {}\ndata: {{\"type\":\"{}\"{}}}\n\n", type, type, rest);
  }
  bool closed_ = false;
};

}  // namespace

std::unique_ptr<Writer> make_anthropic_writer(const Question& question, const AnswerPlan& plan) {
  return std::make_unique<AnthropicWriter>(question, plan);
}

}  // namespace weir::sim::provider
