#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <simdjson.h>

#include "providers/dialect.h"
#include "tokens/estimate.h"

namespace weir {
namespace {

constexpr auto kChat = Operation::kChatCompletions;
constexpr auto kEmbed = Operation::kEmbeddings;
constexpr auto kMsg = Operation::kMessages;

// A chat or messages body with `members` beside the required ones.
std::string body_with(Operation operation, const std::string& members) {
  const std::string comma = members.empty() ? "" : ",";
  if (operation == kEmbed) return R"({"model":"m","input":"x")" + comma + members + "}";
  return std::string(R"({"model":"m","messages":[{"role":"user","content":"hi"}])") +
         (operation == kMsg && members.find("max_tokens") == std::string::npos ? R"(,"max_tokens":10)" : "") + comma +
         members + "}";
}

RequestFacts facts_of(Operation operation, const std::string& body) {
  const auto read = read_request(operation, body, {});
  EXPECT_TRUE(read.has_value()) << body << ": " << (read ? "" : read.error().message);
  return read.value_or(RequestFacts{});
}

RequestFault fault_of(Operation operation, const std::string& body, const BodyBounds& bounds = {}) {
  const auto read = read_request(operation, body, bounds);
  EXPECT_FALSE(read.has_value()) << body.substr(0, 200);
  return read ? RequestFault{.status = 0, .message = {}, .param = {}} : read.error();
}

TEST(Operations, PathsRoundTrip) {
  for (const Operation operation : {kChat, kEmbed, kMsg})
    EXPECT_EQ(operation_at(path_of(operation, "m"))->operation, operation);
  EXPECT_FALSE(operation_at("/v1/chat/completions/").has_value());
  EXPECT_EQ(to_string(dialect_of(kMsg)), "anthropic");
  EXPECT_EQ(to_string(dialect_of(kEmbed)), "openai");
}

TEST(ReadRequest, ChatFacts) {
  const RequestFacts facts = facts_of(kChat, R"({"model":"gpt-4o","stream":true,"n":3,"max_tokens":100,
    "max_completion_tokens":200,"stream_options":{"include_usage":true},"user":"ann","temperature":0.7,
    "messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hello"}],
    "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]})");
  EXPECT_EQ(facts.model, "gpt-4o");
  EXPECT_TRUE(facts.stream);
  EXPECT_TRUE(facts.wants_stream_usage);
  EXPECT_EQ(facts.output_cap, 200);
  EXPECT_EQ(facts.choices, 3);
  EXPECT_EQ(facts.messages, 2u);
  EXPECT_EQ(facts.tools, 1u);
  EXPECT_EQ(facts.user, "ann");
  const std::int64_t messages = 2 * (4 + 7) + 6 + 8 + 4 + 5;
  const std::int64_t tools = 4 + 8 + 8 + 4 + 1 + 10 + 4 + 6;
  EXPECT_EQ(facts.text_bytes, messages + tools);
  EXPECT_EQ(facts.flat_parts, 0);
}

TEST(ReadRequest, NullsAreAbsent) {
  const RequestFacts facts = facts_of(kChat, body_with(kChat, R"("n":null,"stream":null,"max_tokens":null,"tools":null,
    "stream_options":null,"user":null,"max_completion_tokens":null)"));
  EXPECT_EQ(facts.choices, 1);
  EXPECT_FALSE(facts.stream);
  EXPECT_FALSE(facts.output_cap.has_value());
}

TEST(ReadRequest, SafetyIdentifierComesBeforeUserInAnyOrder) {
  EXPECT_EQ(facts_of(kChat, body_with(kChat, R"("safety_identifier":"s","user":"u")")).user, "s");
  EXPECT_EQ(facts_of(kChat, body_with(kChat, R"("user":"u","safety_identifier":"s")")).user, "s");
  EXPECT_EQ(facts_of(kChat, body_with(kChat, R"("user":"u","safety_identifier":null)")).user, "u");
  EXPECT_EQ(facts_of(kMsg, body_with(kMsg, R"("metadata":{"user_id":"m"})")).user, "m");
  EXPECT_EQ(facts_of(kMsg, body_with(kMsg, R"("metadata":{"user_id":null})")).user, "");
}

TEST(ReadRequest, SettingsAreNotPromptText) {
  const std::int64_t plain = facts_of(kChat, body_with(kChat, "")).text_bytes;
  EXPECT_EQ(plain, 4 + 4 + 7 + 2);
  for (const char* setting : {R"("stop":["aaaa"])", R"("logit_bias":{"50256":-100})", R"("metadata":{"a":"bbbb"})",
                              R"("seed":12345)", R"("prompt_cache_key":"kkkk")", R"("user":"uuuu")"}) {
    EXPECT_EQ(facts_of(kChat, body_with(kChat, setting)).text_bytes, plain) << setting;
  }
  EXPECT_EQ(facts_of(kChat, body_with(kChat, R"("documents":["abcdef"])")).text_bytes, plain + 6) << "unknown counts";
}

TEST(ReadRequest, AnthropicSystemAndBlocks) {
  const RequestFacts facts = facts_of(kMsg, R"({"model":"claude-opus-4-5","max_tokens":0,"system":"abcd",
    "messages":[{"role":"user","content":[{"type":"text","text":"hey"}]}]})");
  EXPECT_EQ(facts.output_cap, 0);
  EXPECT_EQ(facts.text_bytes, 4 + 4 + 4 + 7 + 4 + 4 + 4 + 3);
}

TEST(ReadRequest, AttachmentsAreNotBytes) {
  const std::string blob(5000, 'A');
  enum class Counts : std::uint8_t { kMedia, kFlat, kReference };
  const struct {
    Operation operation;
    std::string part;
    Counts as;
  } cases[] = {
      {kChat, R"({"type":"image_url","image_url":{"url":"data:image/png;base64,)" + blob + R"("}})", Counts::kMedia},
      {kChat, R"({"type":"image_url","image_url":{"url":"https://x.test/)" + blob + R"("}})", Counts::kMedia},
      {kChat, R"({"type":"input_audio","input_audio":{"data":")" + blob + R"(","format":"wav"}})", Counts::kMedia},
      {kChat, R"({"type":"file","file":{"file_data":")" + blob + R"(","filename":"a.pdf"}})", Counts::kFlat},
      {kChat, R"({"type":"file","file":{"file_id":"file-1"}})", Counts::kReference},
      {kMsg, R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":")" + blob + R"("}})",
       Counts::kMedia},
      {kMsg, R"({"type":"document","source":{"type":"url","url":"https://x.test/)" + blob + R"("}})", Counts::kFlat},
      {kMsg, R"({"type":"document","source":{"type":"file","file_id":"f"}})", Counts::kReference},
      {kMsg,
       R"({"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{"type":"base64",
               "media_type":"image/png","data":")" +
           blob + R"("}}]})",
       Counts::kMedia},
      {kMsg,
       R"({"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"base64",
               "data":")" +
           blob + R"("}}]}})",
       Counts::kMedia},
  };
  for (const auto& c : cases) {
    const RequestFacts facts = facts_of(
        c.operation, R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[)" + c.part + "]}]}");
    EXPECT_EQ(facts.media_tokens > 0, c.as == Counts::kMedia) << c.part.substr(0, 80);
    EXPECT_EQ(facts.flat_parts, c.as == Counts::kFlat ? 1 : 0) << c.part.substr(0, 80);
    EXPECT_EQ(facts.references.size(), c.as == Counts::kReference ? 1u : 0u) << c.part.substr(0, 80);
    EXPECT_LT(facts.text_bytes, 250) << c.part.substr(0, 80);
    EXPECT_GT(facts.text_bytes, 10) << c.part.substr(0, 80);
  }
}

TEST(ReadRequest, WhatTheModelReadsAsTextStaysText) {
  const std::string blob(5000, 'A');
  const struct {
    Operation operation;
    std::string members;
  } cases[] = {
      {kChat, R"("messages":[{"role":"user","content":"data:image/png;base64,)" + blob + R"("}])"},
      {kChat, R"("messages":[{"role":"user","content":[{"type":"text","text":"data:)" + blob + R"("}]}])"},
      {kChat, R"("messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":")" + blob + R"("}}]}])"},
      {kChat, R"("messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":")" + blob +
                  R"("}}]}])"},
      {kChat, R"("messages":[{"role":"u"}],"tools":[{"type":"image_url","image_url":{"url":"data:)" + blob + R"("}}])"},
      {kMsg, R"("messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","data":")" + blob +
                 R"("}}]}])"},
  };
  for (const auto& c : cases) {
    const RequestFacts facts = facts_of(c.operation, R"({"model":"m","max_tokens":9,)" + c.members + "}");
    EXPECT_GT(facts.text_bytes, 5000) << c.members.substr(0, 100);
  }
}

TEST(ReadRequest, EarlierSpokenAnswersCountFlat) {
  EXPECT_EQ(facts_of(kChat, R"({"model":"m","messages":[{"role":"assistant","audio":{"id":"a"}}]})").flat_parts, 1);
}

TEST(ReadRequest, EmbeddingInputs) {
  const auto read = [](const char* input) {
    return facts_of(kEmbed, std::string(R"({"model":"m","input":)") + input + "}");
  };
  EXPECT_EQ(read(R"("hello")").text_bytes, 5);
  EXPECT_EQ(read(R"(["ab","cde"])").text_bytes, 5);
  EXPECT_EQ(read("[1,2,3]").token_ids, 3);
  EXPECT_EQ(read("[1,2,3]").text_bytes, 0);
  EXPECT_EQ(read("[[1,2],[3]]").token_ids, 3);
  for (const char* bad : {"[]", "{}", "null", "1", "true", "[1,\"a\"]", "[\"a\",1]", "[-1]", "[1.5]", "[[]]", "[[1],2]",
                          "[[\"a\"]]", "[null]", "[4294967296]", "[1,18446744073709551615]"}) {
    EXPECT_EQ(fault_of(kEmbed, std::string(R"({"model":"m","input":)") + bad + "}").param, "input") << bad;
  }
  EXPECT_EQ(fault_of(kEmbed, R"({"model":"m"})").param, "input");
}

TEST(ReadRequest, CapsMustBeIntegersInRange) {
  const char* bad[] = {"-1", "1.5", "1.0", "1e3", "\"10\"", "true", "[]", "{}", "1099511627777", "9223372036854775808"};
  for (const char* value : bad) {
    for (const char* key : {"max_tokens", "max_completion_tokens"}) {
      EXPECT_EQ(fault_of(kChat, body_with(kChat, "\"" + std::string(key) + "\":" + value)).param, key) << value;
    }
    EXPECT_EQ(fault_of(kMsg, body_with(kMsg, std::string("\"max_tokens\":") + value)).param, "max_tokens") << value;
  }
  EXPECT_EQ(fault_of(kChat, body_with(kChat, "\"max_tokens\":0")).param, "max_tokens");
  EXPECT_EQ(fault_of(kMsg, body_with(kMsg, "\"max_tokens\":null")).param, "max_tokens");
  EXPECT_EQ(fault_of(kChat, body_with(kChat, "\"max_tokens\":NaN")).status, 400);
  EXPECT_EQ(fault_of(kChat, body_with(kChat, "\"max_tokens\":1e999")).status, 400);
  EXPECT_EQ(fault_of(kChat, body_with(kChat, "\"max_tokens\":99999999999999999999999")).status, 400);
  EXPECT_EQ(facts_of(kChat, body_with(kChat, "\"max_tokens\":1099511627776")).output_cap, std::int64_t{1} << 40);
  EXPECT_EQ(fault_of(kMsg, R"({"model":"m","messages":[{"role":"user","content":"x"}]})").param, "max_tokens");
}

TEST(ReadRequest, WrongTypesNameTheirMember) {
  const struct {
    Operation operation;
    const char* members;
    const char* param;
  } cases[] = {
      {kChat, R"("n":0)", "n"},
      {kChat, R"("n":129)", "n"},
      {kChat, R"("n":"1")", "n"},
      {kChat, R"("n":1.0)", "n"},
      {kChat, R"("stream":1)", "stream"},
      {kMsg, R"("stream":"true")", "stream"},
      {kChat, R"("stream_options":[])", "stream_options"},
      {kChat, R"("stream_options":{"include_usage":1})", "stream_options.include_usage"},
      {kChat, R"("tools":{})", "tools"},
      {kMsg, R"("tools":"x")", "tools"},
      {kChat, R"("user":7)", "user"},
      {kChat, R"("safety_identifier":"a\u0000b")", "safety_identifier"},
      {kMsg, R"("metadata":[])", "metadata"},
      {kMsg, R"("metadata":{"user_id":1})", "metadata.user_id"},
  };
  for (const auto& c : cases) {
    const RequestFault fault = fault_of(c.operation, body_with(c.operation, c.members));
    EXPECT_EQ(fault.param, c.param) << c.members;
    EXPECT_EQ(fault.status, 400);
    EXPECT_NE(fault.message.find('`'), std::string::npos);
  }
  EXPECT_EQ(fault_of(kChat, body_with(kChat, "\"user\":\"" + std::string(257, 'u') + "\"")).param, "user");
}

TEST(ReadRequest, ModelAndMessagesAreRequired) {
  for (const char* model : {"null", "1", "\"\"", "\"a\\nb\"", "[]"}) {
    EXPECT_EQ(fault_of(kChat, std::string(R"({"messages":[{"role":"user"}],"model":)") + model + "}").param, "model");
  }
  EXPECT_EQ(fault_of(kChat, R"({"messages":[{"role":"user"}]})").param, "model");
  EXPECT_EQ(fault_of(kChat, "{\"model\":\"" + std::string(257, 'm') + "\",\"messages\":[{}]}").param, "model");
  for (const char* messages : {"[]", "{}", "null", "\"x\"", "1"}) {
    EXPECT_EQ(fault_of(kChat, std::string(R"({"model":"m","messages":)") + messages + "}").param, "messages");
  }
  EXPECT_EQ(fault_of(kChat, R"({"model":"m","messages":[{},"x"]})").param, "messages[1]");
  EXPECT_EQ(fault_of(kChat, R"({"model":"m"})").param, "messages");
}

TEST(ReadRequest, BrokenJsonIsRefusedWithWords) {
  const std::string good = body_with(kChat, "");
  const std::string cases[] = {"",
                               " ",
                               "null",
                               "[]",
                               "1",
                               "\"x\"",
                               "{",
                               "{}}",
                               good + good,
                               good + "x",
                               good.substr(0, good.size() - 1),
                               "{'model':1}",
                               "{\"model\":\"m\",}",
                               "\xEF\xBB\xBF" + good,
                               "{\"model\":\"\xFF\"}",
                               "{\"model\":\"\\ud800\"}",
                               "{\"model\":\"a\nb\"}",
                               std::string("{\"model\":\"m\"\0}", 14)};
  for (const std::string& body : cases) {
    const RequestFault fault = fault_of(kChat, body);
    EXPECT_EQ(fault.status, 400);
    EXPECT_GT(fault.message.size(), 10u);
  }
  for (std::size_t length = 0; length < good.size(); ++length) fault_of(kChat, good.substr(0, length));
}

// A provider whose JSON ignores case, as Go's does, would take the other one.
TEST(ReadRequest, KeysInAnotherCaseAreRefused) {
  for (const char* member :
       {R"("Model":"dear")", R"("MODEL":"dear")", R"("Messages":[])", R"("meSsages":[])", R"("me\u017f\u017fages":[])",
        R"("MAX_TOKENS":9)", R"("max_to\u212aens":9)", R"("N":9)", R"("Stream":true)", R"("generationconfig":{})"}) {
    const RequestFault fault = fault_of(kChat, body_with(kChat, member));
    EXPECT_EQ(fault.status, 400) << member;
    EXPECT_NE(fault.message.find("another case"), std::string::npos) << member << " " << fault.message;
  }
  EXPECT_TRUE(read_request(kChat, body_with(kChat, R"("Metadata":1,"modell":2,"o":3,"\u017f":4,"x":{"Model":1})"), {}))
      << "others are nobody's business";
}

TEST(ReadRequest, DuplicateKeysAtEveryDepth) {
  const struct {
    const char* body;
    const char* param;
  } cases[] = {
      {R"({"model":"a","model":"b","messages":[{}]})", "model"},
      {R"({"model":"a","mod\u0065l":"b","messages":[{}]})", "model"},
      {R"({"model":"a","messages":[{"role":"x"},{"role":"x","role":"y"}]})", "messages[1].role"},
      {R"({"model":"a","messages":[{}],"tools":[{"a":{"b":[{"c":1,"d":2,"c":3}]}}]})", "tools[0].a.b[0].c"},
      {R"({"model":"a","messages":[{}],"metadata":{"x":1,"x":2}})", "metadata.x"},
      {R"({"model":"a","messages":[{"":1,"":2}]})", "messages[0]."},
  };
  for (const auto& c : cases) EXPECT_EQ(fault_of(kChat, c.body).param, c.param) << c.body;
}

TEST(ReadRequest, LargeObjectsAreCheckedToo) {
  const auto object = [](std::size_t keys, const std::string& last) {
    std::string body = R"({"model":"m","messages":[{"role":"user","content":"x"}],"metadata":{)";
    for (std::size_t i = 0; i < keys; ++i) body += "\"k" + std::to_string(i * 7919 % 1'000'003) + "\":1,";
    return body + "\"" + last + "\":1}}";
  };
  for (const std::size_t keys : {1u, 14u, 15u, 16u, 17u, 18u, 100u, 100'000u}) {
    EXPECT_TRUE(read_request(kChat, object(keys, "other"), {}).has_value()) << keys;
    EXPECT_EQ(fault_of(kChat, object(keys, "k0")).param, "metadata.k0") << keys;
  }
}

TEST(ReadRequest, BoundsHold) {
  const auto nested = [](std::size_t depth) {
    return R"({"model":"m","messages":[{"role":"user"}],"x":)" + std::string(depth - 1, '[') +
           std::string(depth - 1, ']') + "}";
  };
  EXPECT_TRUE(read_request(kChat, nested(128), {}).has_value());
  EXPECT_NE(fault_of(kChat, nested(129)).message.find("128"), std::string::npos);
  EXPECT_EQ(fault_of(kChat, nested(5000), {.depth = 100'000}).status, 400);
  EXPECT_EQ(fault_of(kChat, nested(1'000'000)).status, 400);
  std::string messages = R"({"model":"m","messages":[{"role":"user"})";
  for (int i = 0; i < 3; ++i) messages += R"(,{"role":"user"})";
  messages += R"(],"tools":[1,2,3]})";
  EXPECT_TRUE(read_request(kChat, messages, {.messages = 4, .tools = 3}).has_value());
  EXPECT_EQ(fault_of(kChat, messages, {.messages = 3, .tools = 3}).param, "messages");
  EXPECT_EQ(fault_of(kChat, messages, {.messages = 4, .tools = 2}).param, "tools");
}

TEST(ReadRequest, LargeBodiesAreRead) {
  const std::string text(3'000'000, 'x');
  EXPECT_EQ(facts_of(kChat, R"({"model":"m","messages":[{"role":"user","content":")" + text + "\"}]}").text_bytes,
            4 + 4 + 7 + 3'000'000);
}

std::string rewritten(const std::string& body) {
  const RequestFacts facts = facts_of(kChat, body);
  EXPECT_TRUE(needs_rewrite(kChat, facts)) << body;
  return upstream_body(kChat, facts, {}, body);
}

TEST(UpstreamBody, OnlyIncludeUsageChanges) {
  const std::string m = R"("model":"m","messages":[{"content":"a\\\"}{[\\"}])";
  const struct {
    std::string before, after;
  } cases[] = {
      {"{" + m + R"(,"stream":true})", R"({"stream_options":{"include_usage":true},)" + m + R"(,"stream":true})"},
      {" {\n" + m + R"(,"stream":true} )",
       " {"
       R"("stream_options":{"include_usage":true},)"
       "\n" +
           m + R"(,"stream":true} )"},
      {"{" + m + R"(,"stream":true,"stream_options": null })",
       "{" + m + R"(,"stream":true,"stream_options": {"include_usage":true} })"},
      {"{" + m + R"(,"stream":true,"stream_options":{}})",
       "{" + m + R"(,"stream":true,"stream_options":{"include_usage":true}})"},
      {"{" + m + R"(,"stream":true,"stream_options":{ }})",
       "{" + m + R"(,"stream":true,"stream_options":{"include_usage":true }})"},
      {R"({"stream_options" : {"include_usage" : false , "x":[1]},)" + m + R"(,"stream":true})",
       R"({"stream_options" : {"include_usage" : true , "x":[1]},)" + m + R"(,"stream":true})"},
      {R"({"stream_options":{"x":{"include_usage":false},"include_usage":null},)" + m + R"(,"stream":true})",
       R"({"stream_options":{"x":{"include_usage":false},"include_usage":true},)" + m + R"(,"stream":true})"},
      {R"({"stream_options":{"include_obfuscation":false},)" + m + R"(,"stream":true})",
       R"({"stream_options":{"include_usage":true,"include_obfuscation":false},)" + m + R"(,"stream":true})"},
      {R"({"x":{"stream_options":1},"stream\u005foptions":{"include\u005fusage":false},)" + m + R"(,"stream":true})",
       R"({"x":{"stream_options":1},"stream\u005foptions":{"include\u005fusage":true},)" + m + R"(,"stream":true})"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(rewritten(c.before), c.after);
    const RequestFacts facts = facts_of(kChat, rewritten(c.before));
    EXPECT_TRUE(facts.wants_stream_usage) << c.after;
  }
}

TEST(UpstreamBody, OthersPassUnchanged) {
  const std::string asked = body_with(kChat, R"("stream":true,"stream_options":{"include_usage":true})");
  EXPECT_EQ(upstream_body(kChat, facts_of(kChat, asked), {}, asked), asked);
  const std::string plain = body_with(kChat, R"("stream":false)");
  EXPECT_EQ(upstream_body(kChat, facts_of(kChat, plain), {}, plain), plain);
  const std::string anthropic = body_with(kMsg, R"("stream":true)");
  EXPECT_EQ(upstream_body(kMsg, facts_of(kMsg, anthropic), {}, anthropic), anthropic);
}

RC_GTEST_PROP(ReadRequestProperty, DamagedBodiesNeverCrashAndRewritesStayValid, ()) {
  std::string body = R"({"model":"gpt-4o","stream":true,"stream_options":{"a":[1,{"b":"\"\\"}]},"max_tokens":12,
    "messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x"}}]}],"tools":[{"a":1}]})";
  const auto edits = *rc::gen::container<std::vector<std::pair<std::size_t, char>>>(rc::gen::pair(
      rc::gen::inRange<std::size_t>(0, body.size()), rc::gen::elementOf(std::string("{}[]\",:\\ 0a\xC3\n"))));
  for (const auto& [at, c] : edits) body[at] = c;
  for (const Operation operation : {kChat, kEmbed, kMsg}) {
    const auto read = read_request(operation, body, {});
    if (!read) continue;
    RC_ASSERT(read->text_bytes >= 0);
    const auto again = read_request(operation, upstream_body(operation, *read, {}, body), {});
    RC_ASSERT(again.has_value());
    RC_ASSERT(again->text_bytes == read->text_bytes);
    RC_ASSERT(!needs_rewrite(operation, *again));
  }
}

}  // namespace
}  // namespace weir
