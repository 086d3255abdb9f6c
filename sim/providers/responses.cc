// OpenAI's Responses.
#include <fmt/format.h>

#include "providers/writer.h"
#include "words.h"

namespace weir::sim::provider {
namespace {

class ResponsesWriter final : public Writer {
 public:
  using Writer::Writer;

  std::string open() override {
    return event("response.created", ",\"response\":" + response("in_progress", {}, {})) +
           event("response.output_item.added",
                 R"(,"output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","content":[]})");
  }

  std::string text(std::string_view words) override {
    said_ += words;
    return event(
        "response.output_text.delta",
        fmt::format(R"(,"item_id":"msg_1","output_index":0,"content_index":0,"delta":{})", json_string(words)));
  }

  std::string call(const ToolCall& call, std::size_t index) override {
    const std::string place = fmt::format(R"(,"output_index":{})", index + 1);
    const std::string id = fmt::format(R"(,"item_id":"fc_{}")", index);
    return event("response.output_item.added", place + ",\"item\":" + item(call, index, "\"\"", "in_progress")) +
           event("response.function_call_arguments.delta", place + id + ",\"delta\":" + json_string(call.arguments)) +
           event("response.function_call_arguments.done",
                 place + id + ",\"arguments\":" + json_string(call.arguments)) +
           event("response.output_item.done",
                 place + ",\"item\":" + item(call, index, json_string(call.arguments), "completed"));
  }

  std::string tell(const std::optional<Usage>& usage) override {
    const std::string_view status = capped() ? "incomplete" : "completed";
    return event(fmt::format("response.{}", status), ",\"response\":" + response(status, said_, usage));
  }

  std::string whole(std::string_view words, const std::optional<Usage>& usage) override {
    return response(capped() ? "incomplete" : "completed", words, usage);
  }

 private:
  static std::string item(const ToolCall& call, std::size_t index, std::string_view arguments,
                          std::string_view status) {
    return fmt::format(R"({{"type":"function_call","id":"fc_{}","call_id":{},"name":{},"arguments":{},"status":"{}"}})",
                       index, json_string(call.id), json_string(call.name), arguments, status);
  }

  std::string response(std::string_view status, std::string_view words, const std::optional<Usage>& usage) const {
    std::string output;
    if (status != "in_progress") {
      output = fmt::format(R"({{"type":"message","id":"msg_1","role":"assistant","status":"completed",)"
                           R"("content":[{{"type":"output_text","text":{}}}]}})",
                           json_string(words));
      for (std::size_t i = 0; i < plan_.calls.size(); ++i) {
        output += "," + item(plan_.calls[i], i, json_string(plan_.calls[i].arguments), "completed");
      }
    }
    std::string told = "null";
    if (usage) {
      told = fmt::format(R"({{"input_tokens":{},"input_tokens_details":{{"cached_tokens":{}}},"output_tokens":{},)"
                         R"("output_tokens_details":{{"reasoning_tokens":0}},"total_tokens":{}}})",
                         usage->input(), usage->cache_read, usage->output(), usage->total());
    }
    const std::string_view why = status == "incomplete" ? R"({"reason":"max_output_tokens"})" : "null";
    return fmt::format(R"({{"id":{},"object":"response","status":"{}","incomplete_details":{},"model":{},)"
                       R"("output":[{}],"usage":{}}})",
                       json_string(plan_.id), status, why, json_string(question_.model), output, told);
  }

  std::string event(std::string_view type, std::string_view rest) {
    return fmt::format("event: {}\ndata: {{\"type\":\"{}\",\"sequence_number\":{}{}}}\n\n", type, type, sequence_++,
                       rest);
  }

  std::string said_;
  int sequence_ = 0;
};

}  // namespace

std::unique_ptr<Writer> make_responses_writer(const Question& question, const AnswerPlan& plan) {
  return std::make_unique<ResponsesWriter>(question, plan);
}

}  // namespace weir::sim::provider
