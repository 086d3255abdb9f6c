// Ollama's chat, generate and embed: one object a line.
#include <fmt/format.h>

#include "providers/writer.h"
#include "words.h"

namespace weir::sim::provider {
namespace {

class OllamaWriter final : public Writer {
 public:
  using Writer::Writer;

  std::string_view stream_type() const override { return "application/x-ndjson"; }
  std::string text(std::string_view words) override { return line(said(words, {}), {}) + "\n"; }
  std::string call(const ToolCall& call, std::size_t index) override {
    return line(said("", one(call, index)), {}) + "\n";
  }
  std::string tell(const std::optional<Usage>& usage) override { return line(said("", {}), done(usage)) + "\n"; }

  std::string whole(std::string_view words, const std::optional<Usage>& usage) override {
    if (question_.operation == Operation::kOllamaEmbed) {
      return fmt::format(R"({{"model":{},"embeddings":[[0.25,-0.5]]{}}})", json_string(question_.model),
                         usage ? fmt::format(R"(,"prompt_eval_count":{})", usage->input()) : std::string());
    }
    std::string calls;
    for (std::size_t i = 0; i < plan_.calls.size(); ++i) calls += (i == 0 ? "" : ",") + one(plan_.calls[i], i);
    return line(said(words, calls), done(usage));
  }

 private:
  static std::string one(const ToolCall& call, std::size_t index) {
    return fmt::format(R"({{"id":{},"function":{{"index":{},"name":{},"arguments":{}}}}})", json_string(call.id), index,
                       json_string(call.name), call.arguments);
  }
  std::string said(std::string_view words, const std::string& calls) const {
    if (question_.operation == Operation::kOllamaGenerate) return fmt::format(R"("response":{})", json_string(words));
    return fmt::format(R"("message":{{"role":"assistant","content":{}{}}})", json_string(words),
                       calls.empty() ? std::string() : ",\"tool_calls\":[" + calls + "]");
  }
  std::string done(const std::optional<Usage>& usage) const {
    std::string out =
        fmt::format(R"(,"done":true,"done_reason":"{}","total_duration":1000)", capped() ? "length" : "stop");
    if (usage) out += fmt::format(R"(,"prompt_eval_count":{},"eval_count":{})", usage->input(), usage->output());
    return out;
  }
  std::string line(std::string_view what, const std::string& end) const {
    return fmt::format(R"({{"model":{},"created_at":"2026-11-26T00:00:00Z",{}{}}})", json_string(question_.model), what,
                       end.empty() ? R"(,"done":false)" : end);
  }
};

}  // namespace

std::unique_ptr<Writer> make_ollama_writer(const Question& question, const AnswerPlan& plan) {
  return std::make_unique<OllamaWriter>(question, plan);
}

}  // namespace weir::sim::provider
