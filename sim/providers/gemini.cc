// Gemini's generateContent: whole, as events, and as a JSON array that grows.
#include <fmt/format.h>

#include "providers/writer.h"
#include "words.h"

namespace weir::sim::provider {
namespace {

class GeminiWriter final : public Writer {
 public:
  using Writer::Writer;

  std::string_view stream_type() const override {
    return question_.json_array ? "application/json" : "text/event-stream";
  }
  std::string text(std::string_view words) override {
    return framed(chunk(fmt::format(R"({{"text":{}}})", json_string(words)), false, {}));
  }
  std::string call(const ToolCall& call, std::size_t) override { return framed(chunk(part(call), false, {})); }
  std::string tell(const std::optional<Usage>& usage) override { return framed(chunk({}, true, usage)); }
  std::string end() override {
    if (!question_.json_array) return {};
    return begun_ ? "]" : "[]";
  }

  std::string whole(std::string_view words, const std::optional<Usage>& usage) override {
    std::string parts = fmt::format(R"({{"text":{}}})", json_string(words));
    for (const ToolCall& call : plan_.calls) parts += "," + part(call);
    return chunk(parts, true, usage);
  }

 private:
  static std::string part(const ToolCall& call) {
    return fmt::format(R"({{"functionCall":{{"id":{},"name":{},"args":{}}}}})", json_string(call.id),
                       json_string(call.name), call.arguments);
  }

  std::string chunk(std::string_view parts, bool last, const std::optional<Usage>& usage) const {
    std::string tail;
    if (last) tail = fmt::format(R"(,"finishReason":"{}")", capped() ? "MAX_TOKENS" : "STOP");
    std::string told;
    if (usage) {
      told = fmt::format(R"(,"usageMetadata":{{"promptTokenCount":{},"candidatesTokenCount":{},"totalTokenCount":{},)"
                         R"("cachedContentTokenCount":{}}})",
                         usage->input(), usage->output(), usage->total(), usage->cache_read);
    }
    return fmt::format(
        R"({{"candidates":[{{"content":{{"role":"model","parts":[{}]}},"index":0{}}}]{},"modelVersion":{},)"
        R"("responseId":{}}})",
        parts, tail, told, json_string(question_.model), json_string(plan_.id));
  }

  std::string framed(const std::string& json) {
    if (!question_.json_array) return "data: " + json + "\r\n\r\n";
    const std::string out = (begun_ ? ",\r\n" : "[") + json;
    begun_ = true;
    return out;
  }

  bool begun_ = false;
};

}  // namespace

std::unique_ptr<Writer> make_gemini_writer(const Question& question, const AnswerPlan& plan) {
  return std::make_unique<GeminiWriter>(question, plan);
}

}  // namespace weir::sim::provider
