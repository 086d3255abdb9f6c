// Chat completions, completions and embeddings.
#include <fmt/format.h>

#include "providers/writer.h"
#include "words.h"

namespace weir::sim::provider {
namespace {

std::string usage_json(const Usage& usage) {
  return fmt::format(
      R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},"prompt_tokens_details":{{"cached_tokens":{}}}}})",
      usage.input(), usage.output(), usage.total(), usage.cache_read);
}

class OpenAiWriter final : public Writer {
 public:
  using Writer::Writer;

  bool tells() const override { return question_.wants_usage; }

  std::string open() override {
    return chat() ? chunk(R"({"role":"assistant","content":""})", "null", "null") : std::string();
  }

  std::string text(std::string_view words) override {
    if (chat()) return chunk(fmt::format(R"({{"content":{}}})", json_string(words)), "null", "null");
    return fmt::format("data: {{{},\"choices\":[{{\"index\":0,\"text\":{},\"finish_reason\":null}}]}}\n\n",
                       start("text_completion"), json_string(words));
  }

  std::string call(const ToolCall& call, std::size_t index) override {
    const std::string first = fmt::format(
        R"({{"tool_calls":[{{"index":{},"id":{},"type":"function","function":{{"name":{},"arguments":""}}}}]}})", index,
        json_string(call.id), json_string(call.name));
    const std::string rest = fmt::format(R"({{"tool_calls":[{{"index":{},"function":{{"arguments":{}}}}}]}})", index,
                                         json_string(call.arguments));
    return chunk(first, "null", "null") + chunk(rest, "null", "null");
  }

  std::string finish() override {
    if (chat()) return chunk("{}", json_string(reason()), "null");
    return fmt::format("data: {{{},\"choices\":[{{\"index\":0,\"text\":\"\",\"finish_reason\":{}}}]}}\n\n",
                       start("text_completion"), json_string(reason()));
  }

  std::string tell(const std::optional<Usage>& usage) override {
    if (!usage || !tells()) return {};
    return fmt::format("data: {{{},\"choices\":[],\"usage\":{}}}\n\n",
                       start(chat() ? "chat.completion.chunk" : "text_completion"), usage_json(*usage));
  }

  std::string end() override { return "data: [DONE]\n\n"; }

  std::string whole(std::string_view words, const std::optional<Usage>& usage) override {
    const std::string tail = usage ? ",\"usage\":" + usage_json(*usage) + "}" : "}";
    if (question_.operation == Operation::kEmbeddings) {
      return fmt::format(
                 R"({{"object":"list","model":{},"data":[{{"object":"embedding","index":0,"embedding":[0.25,-0.5]}}])",
                 json_string(question_.model)) +
             tail;
    }
    if (!chat()) {
      return fmt::format(R"({{{},"choices":[{{"index":0,"text":{},"finish_reason":{}}}])", start("text_completion"),
                         json_string(words), json_string(reason())) +
             tail;
    }
    std::string calls;
    for (const ToolCall& call : plan_.calls) {
      calls += fmt::format(R"({}{{"id":{},"type":"function","function":{{"name":{},"arguments":{}}}}})",
                           calls.empty() ? "" : ",", json_string(call.id), json_string(call.name),
                           json_string(call.arguments));
    }
    if (!calls.empty()) calls = ",\"tool_calls\":[" + calls + "]";
    return fmt::format(R"({{{},"choices":[{{"index":0,"message":{{"role":"assistant","content":{}{}}},)"
                       R"("finish_reason":{}}}])",
                       start("chat.completion"), json_string(words), calls, json_string(reason())) +
           tail;
  }

 private:
  bool chat() const { return question_.operation == Operation::kChat; }
  std::string_view reason() const {
    if (!plan_.calls.empty()) return "tool_calls";
    return capped() ? "length" : "stop";
  }
  std::string start(std::string_view object) const {
    return fmt::format(R"("id":{},"object":"{}","created":1,"model":{})", json_string(plan_.id), object,
                       json_string(question_.model));
  }
  std::string chunk(std::string_view delta, std::string_view reason, std::string_view usage) const {
    return fmt::format("data: {{{},\"choices\":[{{\"index\":0,\"delta\":{},\"finish_reason\":{}}}],\"usage\":{}}}\n\n",
                       start("chat.completion.chunk"), delta, reason, usage);
  }
};

}  // namespace

std::unique_ptr<Writer> make_openai_writer(const Question& question, const AnswerPlan& plan) {
  return std::make_unique<OpenAiWriter>(question, plan);
}

}  // namespace weir::sim::provider
