// Edits of bodies on their way to the provider. Forced stream_options alone: request_test.cc.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <simdjson.h>

#include <string>
#include <vector>

#include "providers/dialect.h"

namespace weir {
namespace {

constexpr auto kChat = Operation::kChatCompletions;
constexpr auto kResponses = Operation::kResponses;
constexpr auto kCompletions = Operation::kCompletions;
constexpr auto kMsg = Operation::kMessages;
constexpr auto kGenerate = Operation::kGenerate;
constexpr auto kOllama = Operation::kOllamaChat;

RequestFacts facts_of(Operation operation, const std::string& body, std::string_view model = "m") {
  const auto read = read_request(operation, body, {}, dialect_of(operation) == Dialect::kGemini ? model : "");
  EXPECT_TRUE(read.has_value()) << body << ": " << (read ? "" : read.error().message);
  return read.value_or(RequestFacts{});
}

std::string edited(Operation operation, const std::string& body, const BodyEdits& edits) {
  return upstream_body(operation, facts_of(operation, body), edits, body);
}

TEST(BodyEdits, TheModelChangesAlone) {
  EXPECT_EQ(edited(kChat, R"({"messages":[{"model":"x"}], "mod\u0065l" : "gpt-4o" ,"n":1})", {.model = "gpt-\"mini"}),
            R"({"messages":[{"model":"x"}], "mod\u0065l" : "gpt-\"mini" ,"n":1})");
  EXPECT_EQ(edited(kOllama, R"({"model":"a","messages":[]})", {.model = "b"}), R"({"model":"b","messages":[]})");
  EXPECT_EQ(edited(kGenerate, R"({"contents":[{}]})", {.model = "other"}), R"({"contents":[{}]})") << "in the path";
  EXPECT_EQ(edited(kGenerate, R"({"model":"models/m","contents":[{}]})", {.model = "other"}),
            R"({"model":"models/other","contents":[{}]})");
}

TEST(BodyEdits, KeysCompareAsJsonReadsThem) {
  const auto model_after = [](const std::string& key) {
    const std::string body = "{\"" + key + R"(":1,"\u006dode\u006C":"a","messages":[{"role":"user","content":"x"}]})";
    return edited(kChat, body, {.model = "b"}) ==
           "{\"" + key + R"(":1,"\u006dode\u006C":"b","messages":[{"role":"user","content":"x"}]})";
  };
  for (const char* other : {R"(mode\\u006c)", R"(mode\u006c\u0000)", R"(mode\u016c)", R"(mode\n)", R"(\/model)",
                            R"(mode)", R"(mode\ud83d\ude00)", R"(model\\)", R"(\"model)", R"(\b\f\n\r\tmodel)"}) {
    EXPECT_TRUE(model_after(other)) << other;
  }
}

TEST(BodyEdits, TheCapIsLoweredOrSetWhereTheDialectHasIt) {
  const struct {
    Operation operation;
    std::string before, after;
  } cases[] = {
      {kChat, R"({"model":"m","messages":[{}],"max_tokens": 500 })",
       R"({"model":"m","messages":[{}],"max_tokens": 100 })"},
      {kChat, R"({"model":"m","messages":[{}],"max_tokens":50})", R"({"model":"m","messages":[{}],"max_tokens":50})"},
      {kChat, R"({"model":"m","messages":[{}],"max_tokens":500,"max_completion_tokens":900})",
       R"({"model":"m","messages":[{}],"max_tokens":100,"max_completion_tokens":100})"},
      {kChat, R"({"model":"m","messages":[{}]})", R"({"max_completion_tokens":100,"model":"m","messages":[{}]})"},
      {kChat, R"({"model":"m","messages":[{}],"max_tokens":null})",
       R"({"max_completion_tokens":100,"model":"m","messages":[{}],"max_tokens":null})"},
      {kChat, R"({"model":"m","messages":[{}],"max_completion_tokens":null})",
       R"({"model":"m","messages":[{}],"max_completion_tokens":100})"},
      {kResponses, R"({"model":"m","input":"x"})", R"({"max_output_tokens":100,"model":"m","input":"x"})"},
      {kCompletions, R"({"model":"m","prompt":"x","max_tokens":101})",
       R"({"model":"m","prompt":"x","max_tokens":100})"},
      {kMsg, R"({"max_tokens":4000,"model":"m","messages":[{}]})",
       R"({"max_tokens":100,"model":"m","messages":)"
       R"([{}]})"},
      {kMsg, R"({"max_tokens":0,"model":"m","messages":[{}]})", R"({"max_tokens":0,"model":"m","messages":[{}]})"},
      {kGenerate, R"({"contents":[{}]})", R"({"generationConfig":{"maxOutputTokens":100},"contents":[{}]})"},
      {kGenerate, R"({"contents":[{}],"generationConfig":{ }})",
       R"({"contents":[{}],"generationConfig":{"maxOutputTokens":100 }})"},
      {kGenerate, R"({"contents":[{}],"generationConfig":null})",
       R"({"contents":[{}],"generationConfig":{"maxOutputTokens":100}})"},
      {kGenerate, R"({"contents":[{}],"generation_config":{"temperature":1,"max_output_tokens":101}})",
       R"({"contents":[{}],"generation_config":{"temperature":1,"max_output_tokens":100}})"},
      {kGenerate, R"({"contents":[{}],"generation_config":{"top_k":1}})",
       R"({"contents":[{}],"generation_config":{"maxOutputTokens":100,"top_k":1}})"},
      {kOllama, R"({"model":"m"})", R"({"options":{"num_predict":100},"model":"m"})"},
      {kOllama, R"({"model":"m","options":{"num_predict":-1,"seed":1}})",
       R"({"model":"m","options":{"num_predict":100,"seed":1}})"},
      {kOllama, R"({"model":"m","options":{"num_predict":99}})", R"({"model":"m","options":{"num_predict":99}})"},
      {kOllama, R"({"model":"m","options":{}})", R"({"model":"m","options":{"num_predict":100}})"},
      {Operation::kEmbeddings, R"({"model":"m","input":"x"})", R"({"model":"m","input":"x"})"},
      {Operation::kCountTokens, R"({"model":"m","messages":[{}]})", R"({"model":"m","messages":[{}]})"},
  };
  for (const auto& c : cases) EXPECT_EQ(edited(c.operation, c.before, {.max_output = 100}), c.after);
}

TEST(BodyEdits, ResponsesKeepTheirLeastCap) {
  EXPECT_EQ(edited(kResponses, R"({"max_output_tokens":400,"model":"m","input":"x"})", {.max_output = 3}),
            R"({"max_output_tokens":16,"model":"m","input":"x"})");
  EXPECT_EQ(edited(kResponses, R"({"max_output_tokens":12,"model":"m","input":"x"})", {.max_output = 3}),
            R"({"max_output_tokens":12,"model":"m","input":"x"})")
      << "never raised";
  EXPECT_EQ(edited(kChat, R"({"max_tokens":12,"model":"m","messages":[{}]})", {.max_output = 0}),
            R"({"max_tokens":1,"model":"m","messages":[{}]})");
}

TEST(BodyEdits, ThinkingStaysBelowTheCapOrGoes) {
  const auto with = [](const std::string& thinking) {
    return R"({"model":"m","messages":[{}],"thinking":{"type":"enabled","budget_tokens":)" + thinking +
           R"(},"max_tokens":16000})";
  };
  EXPECT_EQ(facts_of(kMsg, edited(kMsg, with("8000"), {.max_output = 4'000})).thinking_budget, 2'000)
      << "its share of the cap";
  EXPECT_EQ(facts_of(kMsg, edited(kMsg, with("2000"), {.max_output = 4'000})).thinking_budget, 2'000) << "fits";
  EXPECT_EQ(facts_of(kMsg, edited(kMsg, with("15999"), {.max_output = 1'025})).thinking_budget, 1'024);
  EXPECT_EQ(edited(kMsg, with("2000"), {.max_output = 1'024}), R"({"model":"m","messages":[{}],"max_tokens":1024})");
  EXPECT_EQ(edited(kMsg,
                   R"({"thinking":{"type":"enabled","budget_tokens":2000} , "model":"m","max_tokens":9000,"messages":)"
                   R"([{}]})",
                   {.max_output = 50}),
            R"({ "model":"m","max_tokens":50,"messages":[{}]})");
  EXPECT_EQ(edited(kMsg, with("8000"), {.max_output = 20'000}), with("8000"));
}

TEST(BodyEdits, SeveralAtOnce) {
  EXPECT_EQ(edited(kChat, R"({"model":"a","stream":true,"messages":[{"role":"user"},{"role":"user","content":"b"}]})",
                   {.model = "b", .max_output = 9, .keep_messages = 1}),
            R"({"stream_options":{"include_usage":true},"max_completion_tokens":9,"model":"b","stream":true,)"
            R"("messages":[{"role":"user","content":"b"}]})");
}

// Conversations written short: each word is a message, and its first letter what it is.
// s system, u user, a assistant, c calls of the ids that follow, r results of them.
std::string message(Operation operation, const std::string& word) {
  const std::string ids = word.substr(1);
  std::string calls;
  std::string results;
  for (const char id : ids) {
    const std::string name(1, id);
    if (!calls.empty()) calls += ",";
    if (!results.empty()) results += ",";
    if (operation == kMsg) {
      calls += R"({"type":"tool_use","id":")" + name + R"("})";
      results += R"({"type":"tool_result","tool_use_id":")" + name + R"("})";
    } else if (operation == kGenerate) {
      calls += R"({"functionCall":{"name":")" + name + R"("}})";
      results += R"({"functionResponse":{"name":")" + name + R"("}})";
    } else {
      calls += R"({"id":")" + name + R"("})";
    }
  }
  const std::string parts = operation == kGenerate ? "parts" : "content";
  switch (word[0]) {
    case 's':
      return R"({"role":"system"})";
    case 'u':
      return R"({"role":"user"})";
    case 'a':
      return operation == kGenerate ? R"({"role":"model"})" : R"({"role":"assistant"})";
    case 'c':
      if (operation == kResponses) return R"({"type":"function_call","call_id":")" + ids + R"("})";
      if (operation == kChat || operation == kOllama) return R"({"role":"assistant","tool_calls":[)" + calls + "]}";
      return R"({"role":"assistant",")" + parts + "\":[" + calls + "]}";
    default:
      if (operation == kResponses) return R"({"type":"function_call_output","call_id":")" + ids + R"("})";
      if (operation == kChat) return R"({"role":"tool","tool_call_id":")" + ids + R"("})";
      if (operation == kOllama) return R"({"role":"tool","tool_name":"f"})";
      return R"({"role":"user",")" + parts + "\":[" + results + "]}";
  }
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::string body_of(Operation operation, const std::string& conversation) {
  std::string list;
  for (const std::string& word : words_of(conversation)) {
    list += (list.empty() ? "" : " ,\n ") + message(operation, word);
  }
  if (operation == kGenerate) return "{\"contents\": [ " + list + " ]}";
  const std::string key = operation == kResponses ? "input" : "messages";
  return "{\"model\":\"m\",\"max_tokens\":9,\"" + key + "\": [ " + list + " ]}";
}

TEST(KeepMessages, OldTurnsGoWhole) {
  const std::vector<Operation> all = {kChat, kResponses, kMsg, kGenerate, kOllama};
  const struct {
    std::vector<Operation> operations;
    const char* before;
    std::size_t keep;
    const char* after;
  } cases[] = {
      {all, "u a u a u", 3, "u a u"},
      {all, "u a u a u", 2, "u"},
      {all, "u a u a u", 4, "u a u"},
      {all, "u a u a u", 5, "u a u a u"},
      {all, "u a u a u", 0, "u"},
      {all, "u a u cx rx", 1, "u cx rx"},
      {all, "u cx rx a u cy ry", 4, "u cy ry"},
      {all, "u cx rx a u", 2, "u"},
      {all, "u cx rx cy ry cz rz", 2, "u cx rx cy ry cz rz"},
      {all, "a cx rx", 1, "a cx rx"},
      {{kChat, kResponses, kOllama}, "s u a s u a u", 2, "s s u"},
      {{kChat, kResponses, kOllama}, "s s u", 0, "s s u"},
      {{kChat, kResponses, kOllama}, "u a s", 0, "u a s"},
      {{kChat, kResponses, kMsg}, "u cx u rx a u", 4, "u"},
      {{kChat, kResponses, kMsg}, "u a u cx u rx", 2, "u cx u rx"},
      {{kMsg, kGenerate}, "u cxy rxy u", 3, "u"},
  };
  for (const auto& c : cases) {
    for (const Operation operation : c.operations) {
      const std::string out = edited(operation, body_of(operation, c.before), {.keep_messages = c.keep});
      EXPECT_EQ(out, body_of(operation, c.after)) << c.before << " keep " << c.keep;
    }
  }
}

TEST(KeepMessages, ATextIsLeftAlone) {
  const std::string text = R"({"model":"m","input":"hello"})";
  EXPECT_EQ(edited(kResponses, text, {.keep_messages = 0}), text);
  const std::string one = R"({"contents":{"parts":[{"text":"x"}]}})";
  EXPECT_EQ(edited(kGenerate, one, {.keep_messages = 0}), one);
}

RC_GTEST_PROP(KeepMessagesProperty, WhatStaysIsWholeAndAsItWas, ()) {
  const Operation operation = *rc::gen::element(kChat, kResponses, kMsg, kGenerate);
  const auto kinds = *rc::gen::container<std::vector<char>>(rc::gen::element('u', 'a', 'c', 'r', 's'));
  std::string conversation = "u";
  std::string open;
  char next = 'a';
  for (const char kind : kinds) {
    if (kind == 'c' && next <= 'z') {
      open += next;
      conversation += std::string(" c") + next++;
    } else if (kind == 'r' && !open.empty()) {
      conversation += " r" + open.substr(0, 1);
      open.erase(0, 1);
    } else if (kind == 'u' || kind == 'a' || (kind == 's' && operation != kMsg && operation != kGenerate)) {
      conversation += std::string(" ") + kind;
    }
  }
  // Every result of Gemini, without ids, answers the call before it: only what ids show is checked.
  const auto keep = *rc::gen::inRange<std::size_t>(0, 12);
  const std::vector<std::string> words = words_of(conversation);
  const std::string before = body_of(operation, conversation);
  const std::string after = edited(operation, before, {.keep_messages = keep});
  bool found = false;
  // The result is the body of some cut of the conversation.
  for (std::size_t cut = 0; cut < words.size() && !found; ++cut) {
    std::string kept;
    std::string calls;
    bool split = false;
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (i < cut && words[i] != "s") continue;
      kept += (kept.empty() ? "" : " ") + words[i];
      if (words[i][0] == 'c') calls += words[i].substr(1);
      if (words[i][0] == 'r' && operation != kGenerate) split = split || calls.find(words[i][1]) == std::string::npos;
    }
    found = !split && (words[cut] == "u" || cut == 0) && body_of(operation, kept) == after;
  }
  RC_ASSERT(found);
}

struct Member {
  std::string key;
  std::string value;
};

std::vector<Member> members_of(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::object root;
  std::vector<Member> members;
  if (parser.parse(body).get_object().get(root) != simdjson::SUCCESS) return members;
  for (auto it = root.begin(); it != root.end(); ++it) {
    members.push_back({std::string(it.key()), simdjson::minify(it.value())});
  }
  return members;
}

std::string random_body(Operation operation) {
  std::vector<std::string> members = {R"("x\"{":"}]\\\"")", R"("y":[1,{"max_tokens":77},"]"])", R"("z" : null)"};
  const auto maybe = [&](const std::vector<std::string>& choices) {
    const std::string one = *rc::gen::elementOf(choices);
    if (!one.empty()) members.push_back(one);
  };
  if (dialect_of(operation) != Dialect::kGemini) members.push_back(R"("model": "old")");
  if (operation == kChat) {
    members.push_back(R"("messages":[{"role":"user","content":"a"},{"role":"assistant"},{"role":"user"}])");
    maybe({"", R"("max_tokens":5)", R"("max_tokens":5000)", R"("max\u005ftokens":null)"});
    maybe({"", R"("max_completion_tokens":700)", R"("max_completion_tokens" : null)"});
    maybe({"", R"("stream":true)", R"("stream":false)"});
    maybe({"", R"("stream_options":{})", R"("stream_options":null)", R"("stream_options":{"include_usage":true})"});
  } else if (operation == kResponses) {
    members.push_back(R"("input":[{"role":"user","content":"a"},{"role":"assistant"},{"role":"user"}])");
    maybe({"", R"("max_output_tokens":16)", R"("max_output_tokens":5000)", R"("max_output_tokens":null)"});
  } else if (operation == kMsg) {
    members.push_back(R"("messages":[{"role":"user","content":"a"},{"role":"assistant"},{"role":"user"}])");
    maybe({R"("max_tokens":0)", R"("max_tokens":50)", R"("max_tokens":9000)"});
    maybe({"", R"("thinking":{"type":"enabled","budget_tokens":2048})", R"("thinking":{"type":"adaptive"})"});
  } else if (operation == kGenerate) {
    members.push_back(R"("contents":[{"role":"user"},{"role":"model"},{"role":"user"}])");
    maybe({"", R"("generationConfig":{"maxOutputTokens":800,"topK":1})", R"("generation_config":{ })",
           R"("generationConfig":null)", R"("generation\u0043onfig":{"max_output_tokens":7})"});
  } else {
    members.push_back(R"("messages":[{"role":"user","content":"a"},{"role":"assistant"},{"role":"user"}])");
    maybe({"", R"("options":{"num_predict":-2})", R"("options":{"num_predict":900})", R"("options":{"seed":1})"});
  }
  const auto order =
      *rc::gen::container<std::vector<std::uint32_t>>(members.size(), rc::gen::arbitrary<std::uint32_t>());
  for (std::size_t i = members.size(); i-- > 1;) std::swap(members[i], members[order[i] % (i + 1)]);
  std::string body;
  for (const std::string& member : members) body += (body.empty() ? " { " : " ,\n") + member;
  return body + " } ";
}

RC_GTEST_PROP(BodyEditsProperty, TheEditedBodyReadsAsEditedAndTheRestIsUntouched, ()) {
  const Operation operation = *rc::gen::element(kChat, kResponses, kMsg, kGenerate, kOllama);
  const std::string before = random_body(operation);
  BodyEdits edits;
  if (*rc::gen::arbitrary<bool>()) edits.model = "new";
  if (*rc::gen::arbitrary<bool>()) edits.max_output = *rc::gen::inRange<std::int64_t>(1, 6'000);
  if (*rc::gen::arbitrary<bool>()) edits.keep_messages = *rc::gen::inRange<std::size_t>(0, 4);
  const RequestFacts facts = facts_of(operation, before, "old");
  const std::string after = upstream_body(operation, facts, edits, before);
  const RequestFacts now = facts_of(operation, after, edits.model.empty() ? "old" : "new");
  RC_ASSERT(now.model == (edits.model.empty() ? "old" : "new"));
  if (edits.max_output) {
    const std::int64_t wanted =
        operation == kResponses ? std::max<std::int64_t>(16, *edits.max_output) : *edits.max_output;
    RC_ASSERT(now.output_cap == std::min(facts.output_cap.value_or(wanted), wanted));
  } else {
    RC_ASSERT(now.output_cap == facts.output_cap);
  }
  RC_ASSERT(now.messages == (edits.keep_messages && *edits.keep_messages < 3 ? 1u : 3u));
  if (now.thinking_budget && edits.max_output) RC_ASSERT(*now.thinking_budget < std::max(*now.output_cap, 2049l));
  RC_ASSERT(upstream_body(operation, now, {}, after) == after);
  // What no edit names is there byte for byte.
  for (const char* kept : {R"("x\"{":"}]\\\"")", R"("y":[1,{"max_tokens":77},"]"])", R"("z" : null)"}) {
    RC_ASSERT(after.find(kept) != std::string::npos);
  }
  if (!needs_rewrite(operation, facts, edits)) RC_ASSERT(after == before);
  RC_ASSERT(members_of(after).size() + 1 >= members_of(before).size());
}

}  // namespace
}  // namespace weir
