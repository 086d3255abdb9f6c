// Facts of the endpoints beside chat, embeddings and messages (request_test.cc).
#include <gtest/gtest.h>

#include "providers/dialect.h"
#include "providers/request_parts.h"

namespace weir {
namespace {

constexpr auto kResponses = Operation::kResponses;
constexpr auto kCompletions = Operation::kCompletions;
constexpr auto kCount = Operation::kCountTokens;
constexpr auto kGenerate = Operation::kGenerate;
constexpr auto kGeminiCount = Operation::kGeminiCountTokens;
constexpr auto kOllamaChat = Operation::kOllamaChat;
constexpr auto kOllamaGenerate = Operation::kOllamaGenerate;
constexpr auto kOllamaEmbed = Operation::kOllamaEmbed;

std::string_view path_model_of(Operation operation) {
  return dialect_of(operation) == Dialect::kGemini ? "gemini-2.5-flash" : "";
}

RequestFacts facts_of(Operation operation, const std::string& body) {
  const auto read = read_request(operation, body, {}, path_model_of(operation));
  EXPECT_TRUE(read.has_value()) << body << ": " << (read ? "" : read.error().message);
  return read.value_or(RequestFacts{});
}

RequestFault fault_of(Operation operation, const std::string& body, const BodyBounds& bounds = {}) {
  const auto read = read_request(operation, body, bounds, path_model_of(operation));
  EXPECT_FALSE(read.has_value()) << body.substr(0, 200);
  return read ? RequestFault{.status = 0, .message = {}, .param = {}} : read.error();
}

// The smallest good body with one more member.
std::string with(Operation operation, const std::string& member) {
  const std::string more = member.empty() ? "" : "," + member;
  switch (operation) {
    case Operation::kResponses:
      return R"({"model":"m","input":"hi")" + more + "}";
    case Operation::kCompletions:
      return R"({"model":"m","prompt":"hi")" + more + "}";
    case Operation::kCountTokens:
      return R"({"model":"m","messages":[{"role":"user","content":"hi"}])" + more + "}";
    case Operation::kGenerate:
    case Operation::kStreamGenerate:
    case Operation::kGeminiCountTokens:
      return R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}])" + more + "}";
    case Operation::kOllamaChat:
      return R"({"model":"m","messages":[{"role":"user","content":"hi"}])" + more + "}";
    case Operation::kOllamaGenerate:
      return R"({"model":"m","prompt":"hi")" + more + "}";
    default:
      return R"({"model":"m","input":"hi")" + more + "}";
  }
}

TEST(Responses, FactsOfATextAndOfItems) {
  const RequestFacts text = facts_of(kResponses, R"({"model":"gpt-4o","input":"hello","instructions":"be brief",
    "max_output_tokens":300,"stream":true,"service_tier":"flex","user":"ann","reasoning":{"effort":"high"},
    "tools":[{"type":"function","name":"f","parameters":{}}],"background":false,"temperature":1})");
  EXPECT_EQ(text.model, "gpt-4o");
  EXPECT_EQ(text.output_cap, 300);
  EXPECT_TRUE(text.stream);
  EXPECT_EQ(text.service_tier, ServiceTier::kFlex);
  EXPECT_EQ(text.user, "ann");
  EXPECT_EQ(text.tools, 1u);
  EXPECT_EQ(text.text_bytes, 5 + 8 + (4 + 8 + 4 + 1 + 10));
  const RequestFacts items = facts_of(kResponses, R"({"model":"m","input":[{"role":"user","content":"abc"},
    {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
    {"type":"function_call_output","call_id":"c","output":"ok"}]})");
  EXPECT_EQ(items.messages, 3u);
  EXPECT_GT(items.text_bytes, 3 + 2 + 2);
}

TEST(Responses, WhatTheBodyOnlyPointsTo) {
  const RequestFacts facts = facts_of(kResponses, R"({"model":"m","previous_response_id":"resp_1",
    "prompt":{"id":"pmpt_1","variables":{"a":{"type":"input_file","file_id":"file-0"}}},
    "input":[{"role":"user","content":[{"type":"input_file","file_id":"file-1"},
      {"type":"input_image","file_id":"file-2"},{"type":"input_text","text":"x"}]},{"type":"item_reference","id":)"
                                                  R"("i"}]})");
  EXPECT_EQ(facts.references, (std::vector<std::string>{"resp_1", "pmpt_1", "file-0", "file-1", "file-2", "i"}));
  EXPECT_EQ(facts.flat_parts, 0);
  EXPECT_EQ(facts_of(kResponses, R"({"model":"m","conversation":"conv_1"})").references[0], "conv_1");
  EXPECT_EQ(facts_of(kResponses, R"({"model":"m","conversation":{"id":"conv_2"},"input":"x"})").references[0],
            "conv_2");
}

TEST(Responses, MoreReferencesThanAreKeptBecomeFlatParts) {
  std::string files;
  for (std::size_t i = 0; i < RequestFacts::kMaxReferences + 3; ++i) {
    files += R"({"type":"input_file","file_id":"f"},)";
  }
  files += R"({"type":"input_file","file_id":")" + std::string(PartReader::kMaxReferenceBytes + 1, 'f') + R"("})";
  const RequestFacts facts =
      facts_of(kResponses, R"({"model":"m","input":[{"role":"user","content":[)" + files + "]}]}");
  EXPECT_EQ(facts.references.size(), RequestFacts::kMaxReferences);
  EXPECT_EQ(facts.flat_parts, 4);
}

TEST(Responses, ImagesAndFilesAreSized) {
  const std::string blob(4'000, 'A');
  const auto of = [&](const std::string& item) {
    return facts_of(kResponses, R"({"input":[)" + item + R"(],"model":"gpt-4o"})");
  };
  const RequestFacts low =
      of(R"({"role":"user","content":[{"type":"input_image","detail":"low","image_url":"https://x.test/)" + blob +
         R"("}]})");
  EXPECT_EQ(low.media_tokens, 85) << "the model is known although it comes last";
  EXPECT_LT(low.text_bytes, 100);
  const RequestFacts shot =
      of(R"({"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","image_url":"data:)"
         R"(image/png;base64,)" +
         blob + R"("}})");
  EXPECT_EQ(shot.media_tokens, 85 + 8 * 170);
  EXPECT_LT(shot.text_bytes, 120);
  EXPECT_EQ(of(R"({"type":"image_generation_call","id":"i","result":")" + blob + R"("})").media_tokens, 85 + 8 * 170);
  const RequestFacts sheet =
      of(R"({"role":"user","content":[{"type":"input_file","filename":"a.csv","file_data":"data:text/csv;base64,)" +
         blob + R"("}]})");
  EXPECT_GE(sheet.text_bytes, 3'000);
  EXPECT_LT(sheet.text_bytes, 3'200);
}

TEST(Responses, BackgroundIsRefusedWithWords) {
  const RequestFault fault = fault_of(kResponses, with(kResponses, R"("background":true)"));
  EXPECT_EQ(fault.status, 400);
  EXPECT_EQ(fault.param, "background");
  EXPECT_NE(fault.message.find("without it"), std::string::npos);
}

TEST(Responses, InputIsRequiredUnlessItIsElsewhere) {
  EXPECT_EQ(fault_of(kResponses, R"({"model":"m"})").param, "input");
  EXPECT_EQ(fault_of(kResponses, R"({"model":"m","input":[]})").param, "input");
  EXPECT_EQ(facts_of(kResponses, R"({"model":"m","prompt":{"id":"p"}})").messages, 0u);
  EXPECT_EQ(fault_of(kResponses, R"({"input":"x","prompt":{"id":"p"}})").param, "model");
}

TEST(Completions, AnswersMultiplyWithPrompts) {
  EXPECT_EQ(facts_of(kCompletions, with(kCompletions, "")).choices, 1);
  EXPECT_EQ(facts_of(kCompletions, with(kCompletions, R"("n":2,"best_of":5)")).choices, 5);
  EXPECT_EQ(facts_of(kCompletions, R"({"best_of":2,"model":"m","n":3,"prompt":["a","b"],"max_tokens":)"
                                   R"(7})")
                .choices,
            6);
  const RequestFacts ids = facts_of(kCompletions, R"({"model":"m","prompt":[[1,2],[3]]})");
  EXPECT_EQ(ids.token_ids, 3);
  EXPECT_EQ(ids.choices, 2);
  EXPECT_EQ(facts_of(kCompletions, with(kCompletions, R"("suffix":"end","stream":true)")).text_bytes, 2 + 3);
}

TEST(Completions, TooManyAnswersAreRefused) {
  const auto prompts = [](std::size_t count, const std::string& more) {
    std::string list = "\"a\"";
    for (std::size_t i = 1; i < count; ++i) list += ",\"a\"";
    return R"({"model":"m","prompt":[)" + list + "]" + more + "}";
  };
  EXPECT_EQ(facts_of(kCompletions, prompts(2'048, "")).choices, 2'048);
  EXPECT_EQ(fault_of(kCompletions, prompts(2'049, "")).param, "prompt");
  EXPECT_EQ(fault_of(kCompletions, prompts(1'025, R"(,"n":2)")).param, "prompt");
}

TEST(CountTokens, NeedsNoCap) {
  const RequestFacts facts =
      facts_of(kCount, with(kCount, R"("system":"abc","thinking":{"type":"enabled","budget_tokens":2048})"));
  EXPECT_FALSE(facts.output_cap.has_value());
  EXPECT_EQ(facts.thinking_budget, 2048);
  EXPECT_EQ(facts.text_bytes, 4 + 4 + 7 + 2 + 3);
}

TEST(Messages, ContainersAndFilesAreReferences) {
  const RequestFacts facts = facts_of(kCount, R"({"model":"m","container":{"id":"cont_1","skills":[]},"messages":[
    {"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"f1"}},
    {"type":"container_upload","file_id":"f2"}]}],"service_tier":"standard_only"})");
  EXPECT_EQ(facts.references, (std::vector<std::string>{"cont_1", "f1", "f2"}));
  EXPECT_EQ(facts.service_tier, ServiceTier::kStandard);
  EXPECT_EQ(fault_of(kCount, R"({"model":"m","container":"c"})").param, "messages") << "a container is no prompt";
}

TEST(Gemini, FactsInBothSpellings) {
  for (const char* body : {R"({"contents":[{"role":"user","parts":[{"text":"hello"}]}],
        "systemInstruction":{"parts":[{"text":"brief"}]},"cachedContent":"cachedContents/1",
        "tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"}]},{"googleSearch":{}}],
        "generationConfig":{"maxOutputTokens":50,"candidateCount":2,"thinkingConfig":{"thinkingBudget":128}}})",
                           R"({"contents":{"parts":{"text":"hello"}},
        "system_instruction":{"parts":{"text":"brief"}},"cached_content":"cachedContents/1",
        "tools":[{"function_declarations":[{"name":"f"},{"name":"g"}]},{"google_search":{}}],
        "generation_config":{"max_output_tokens":50,"candidate_count":2,"thinking_config":{"thinking_budget":)"
                           R"(128}}})"}) {
    const RequestFacts facts = facts_of(kGenerate, body);
    EXPECT_EQ(facts.model, "gemini-2.5-flash");
    EXPECT_FALSE(facts.stream);
    EXPECT_EQ(facts.output_cap, 50);
    EXPECT_EQ(facts.choices, 2);
    EXPECT_EQ(facts.thinking_budget, 128);
    EXPECT_EQ(facts.tools, 3u);
    EXPECT_EQ(facts.messages, 1u);
    EXPECT_EQ(facts.references, std::vector<std::string>{"cachedContents/1"});
    EXPECT_GE(facts.text_bytes, 10);
  }
  EXPECT_TRUE(facts_of(Operation::kStreamGenerate, with(Operation::kStreamGenerate, "")).stream);
}

TEST(Gemini, ThinkingMayBeOffOrAutomatic) {
  const auto budget = [](const char* value) {
    return facts_of(kGenerate,
                    with(kGenerate,
                         std::string(R"("generationConfig":{"thinkingConfig":{"thinkingBudget":)") + value + "}}"))
        .thinking_budget;
  };
  EXPECT_EQ(budget("0"), 0);
  EXPECT_EQ(budget("-1"), std::nullopt);
  EXPECT_EQ(budget("null"), std::nullopt);
}

TEST(Gemini, PartsAreSizedByTheirType) {
  const std::string blob(4'000, 'A');
  const auto of = [&](const std::string& part) {
    return facts_of(kGenerate, R"({"contents":[{"parts":[)" + part + "]}]}");
  };
  const auto data = [&](const char* type) {
    return of(std::string(R"({"inlineData":{"mimeType":")") + type + R"(","data":")" + blob + R"("}})");
  };
  EXPECT_EQ(data("image/heic").flat_parts, 1) << "of unknown size";
  EXPECT_EQ(data("audio/mp3").media_tokens, 48);
  EXPECT_EQ(data("video/mp4").media_tokens, 295);
  EXPECT_EQ(data("application/pdf").media_tokens, 258);
  EXPECT_LT(data("application/pdf").text_bytes, 100);
  EXPECT_GE(data("text/plain").text_bytes, 3'000);
  EXPECT_EQ(of(R"({"inline_data":{"mime_type":"audio/mp3","data":"AAAA"}})").media_tokens, 1);
  EXPECT_EQ(of(R"({"fileData":{"fileUri":"https://x/files/1"}})").references.size(), 1u);
  EXPECT_EQ(of(R"({"functionResponse":{"name":"f","parts":[{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}}]}})")
                .media_tokens,
            1);
}

TEST(Gemini, CountTokensMayWrapARequest) {
  const RequestFacts facts = facts_of(kGeminiCount, R"({"generateContentRequest":{"model":"models/gemini-2.5-flash",
    "contents":[{"parts":[{"text":"hello"}]}],"systemInstruction":{"parts":[{"text":"abc"}]}}})");
  EXPECT_EQ(facts.messages, 1u);
  EXPECT_EQ(facts.text_bytes, (5 + 4 + 5) + (5 + 4 + 3));
  EXPECT_EQ(fault_of(kGeminiCount, R"({"generateContentRequest":{"generateContentRequest":{}}})").param,
            "generateContentRequest");
}

TEST(Gemini, OneMemberInTwoSpellingsIsRefused) {
  EXPECT_EQ(fault_of(kGenerate, with(kGenerate, R"("generationConfig":{},"generation_config":{})")).param,
            "generation_config");
  EXPECT_EQ(fault_of(kGenerate, with(kGenerate, R"("generationConfig":{"maxOutputTokens":1,"max_output_tokens":)"
                                                R"(900})"))
                .param,
            "generationConfig.max_output_tokens");
}

TEST(Gemini, TheModelIsThePathsAndMayNotBeAnother) {
  EXPECT_EQ(facts_of(kGenerate, with(kGenerate, R"("model":"models/gemini-2.5-flash")")).model, "gemini-2.5-flash");
  EXPECT_EQ(fault_of(kGenerate, with(kGenerate, R"("model":"models/gemini-2.5-pro")")).param, "model");
  EXPECT_EQ(read_request(kGenerate, with(kGenerate, ""), {}, "").error().param, "model");
  EXPECT_EQ(read_request(kGenerate, with(kGenerate, ""), {}, "a\nb").error().param, "model");
}

TEST(Ollama, StreamsUnlessToldOtherwise) {
  EXPECT_TRUE(facts_of(kOllamaChat, with(kOllamaChat, "")).stream);
  EXPECT_TRUE(facts_of(kOllamaGenerate, with(kOllamaGenerate, R"("stream":null)")).stream);
  EXPECT_FALSE(facts_of(kOllamaChat, with(kOllamaChat, R"("stream":false)")).stream);
  EXPECT_FALSE(facts_of(kOllamaEmbed, with(kOllamaEmbed, "")).stream);
}

TEST(Ollama, OnlyPositiveCapsAreCaps) {
  for (const char* none : {"-2", "-1", "0", "null"}) {
    EXPECT_FALSE(facts_of(kOllamaChat, with(kOllamaChat, std::string(R"("options":{"num_predict":)") + none + "}"))
                     .output_cap.has_value())
        << none;
  }
  EXPECT_EQ(facts_of(kOllamaChat, with(kOllamaChat, R"("options":{"num_predict":9})")).output_cap, 9);
}

TEST(Ollama, FactsOfChatGenerateAndEmbed) {
  const RequestFacts chat = facts_of(kOllamaChat, R"({"model":"gemma3","messages":[
    {"role":"user","content":"look","images":["AAAA","BBBB"]}],"tools":[{}],"keep_alive":"5m","think":true})");
  EXPECT_EQ(chat.media_tokens, 2 * 256);
  EXPECT_EQ(chat.tools, 1u);
  EXPECT_EQ(chat.text_bytes, 4 + 4 + 7 + 4 + 6);
  const RequestFacts generate = facts_of(kOllamaGenerate, R"({"model":"llava:7b","prompt":"abc","system":"de",
    "images":["AAAA"],"context":[1,2,3],"format":"json"})");
  EXPECT_EQ(generate.media_tokens, 2'880);
  EXPECT_EQ(generate.token_ids, 3);
  EXPECT_EQ(generate.text_bytes, 3 + 2 + 4);
  EXPECT_EQ(facts_of(kOllamaEmbed, R"({"model":"m","input":["ab","c"]})").text_bytes, 3);
  EXPECT_EQ(facts_of(kOllamaGenerate, R"({"model":"m"})").text_bytes, 0) << "only loads the model";
}

TEST(ReadRequest, WrongTypesNameTheirMemberInEveryDialect) {
  const struct {
    Operation operation;
    const char* member;
    const char* param;
  } cases[] = {
      {kResponses, R"("max_output_tokens":0)", "max_output_tokens"},
      {kResponses, R"("max_output_tokens":"9")", "max_output_tokens"},
      {kResponses, R"("instructions":7)", "instructions"},
      {kResponses, R"("previous_response_id":[])", "previous_response_id"},
      {kResponses, R"("conversation":{})", "conversation.id"},
      {kResponses, R"("conversation":1)", "conversation"},
      {kResponses, R"("prompt":"p")", "prompt"},
      {kResponses, R"("prompt":{})", "prompt.id"},
      {kResponses, R"("prompt":{"id":"p","variables":[]})", "prompt.variables"},
      {kResponses, R"("background":1)", "background"},
      {kResponses, R"("stream":"x")", "stream"},
      {kResponses, R"("tools":{})", "tools"},
      {kResponses, R"("service_tier":1)", "service_tier"},
      {kCompletions, R"("best_of":0)", "best_of"},
      {kCompletions, R"("n":1.5)", "n"},
      {kCompletions, R"("max_tokens":-1)", "max_tokens"},
      {kCompletions, R"("suffix":[])", "suffix"},
      {kCompletions, R"("stream_options":1)", "stream_options"},
      {kCount, R"("system":1)", "system"},
      {kCount, R"("thinking":true)", "thinking"},
      {kCount, R"("thinking":{"type":"enabled","budget_tokens":"9"})", "thinking.budget_tokens"},
      {kCount, R"("container":7)", "container"},
      {kGenerate, R"("systemInstruction":"x")", "systemInstruction"},
      {kGenerate, R"("generationConfig":[])", "generationConfig"},
      {kGenerate, R"("generationConfig":{"maxOutputTokens":"9"})", "generationConfig.maxOutputTokens"},
      {kGenerate, R"("generationConfig":{"candidateCount":0})", "generationConfig.candidateCount"},
      {kGenerate, R"("generationConfig":{"thinkingConfig":7})", "generationConfig.thinkingConfig"},
      {kGenerate, R"("generationConfig":{"thinkingConfig":{"thinkingBudget":-2}})",
       "generationConfig.thinkingConfig.thinkingBudget"},
      {kGenerate, R"("tools":"x")", "tools"},
      {kGenerate, R"("tools":[1])", "tools[0]"},
      {kGenerate, R"("tools":[{"functionDeclarations":"f"}])", "tools.functionDeclarations"},
      {kGenerate, R"("cachedContent":{})", "cachedContent"},
      {kOllamaChat, R"("options":[])", "options"},
      {kOllamaChat, R"("options":{"num_predict":-3})", "options.num_predict"},
      {kOllamaChat, R"("stream":"no")", "stream"},
      {kOllamaChat, R"("tools":7)", "tools"},
      {kOllamaGenerate, R"("system":[])", "system"},
      {kOllamaGenerate, R"("images":"AAAA")", "images"},
      {kOllamaGenerate, R"("context":["a"])", "context"},
  };
  for (const auto& c : cases) {
    const RequestFault fault = fault_of(c.operation, with(c.operation, c.member));
    EXPECT_EQ(fault.param, c.param) << c.member;
    EXPECT_EQ(fault.status, 400);
    EXPECT_NE(fault.message.find('`'), std::string::npos);
  }
  EXPECT_EQ(fault_of(kResponses, R"({"model":"m","input":["x"]})").param, "input[0]");
  EXPECT_EQ(fault_of(kGenerate, R"({"contents":"x"})").param, "contents");
  EXPECT_EQ(fault_of(kGenerate, R"({"contents":[]})").param, "contents");
  EXPECT_EQ(fault_of(kGenerate, R"({"contents":[7]})").param, "contents[0]");
  EXPECT_EQ(fault_of(kOllamaEmbed, R"({"model":"m","input":[1,2]})").param, "input");
  EXPECT_EQ(fault_of(kCompletions, R"({"model":"m"})").param, "prompt");
}

TEST(ReadRequest, BoundsHoldInEveryDialect) {
  const BodyBounds bounds{.depth = 8, .messages = 2, .tools = 2};
  EXPECT_EQ(fault_of(kResponses, R"({"model":"m","input":[{},{},{}]})", bounds).param, "input");
  EXPECT_EQ(fault_of(kGenerate, R"({"contents":[{},{},{}]})", bounds).param, "contents");
  EXPECT_EQ(fault_of(kGenerate, with(kGenerate, R"("tools":[{"functionDeclarations":[{},{},{}]}])"), bounds).param,
            "tools");
  EXPECT_EQ(fault_of(kGenerate, with(kGenerate, R"("tools":[{},{},{}])"), bounds).param, "tools");
  EXPECT_EQ(fault_of(kOllamaChat, with(kOllamaChat, R"("options":{"a":[[[[[[[]]]]]]]})"), bounds).param.substr(0, 7),
            "options");
  EXPECT_EQ(fault_of(kGenerate, with(kGenerate, R"("labels":{"a":1,"a":2})")).param, "labels.a");
}

}  // namespace
}  // namespace weir
