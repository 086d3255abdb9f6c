#include "tokens/encoding.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Encoding, NamesGoBothWays) {
  for (const Encoding encoding : {Encoding::kO200k, Encoding::kCl100k, Encoding::kP50k, Encoding::kR50k}) {
    EXPECT_EQ(encoding_from(to_string(encoding)), encoding);
  }
  EXPECT_EQ(to_string(Encoding::kO200k), "o200k_base");
  EXPECT_EQ(encoding_from("o200k"), std::nullopt);
}

TEST(Encoding, OfModelsFollowsThePublishedTable) {
  for (const char* name : {"gpt-5", "gpt-5-mini", "gpt-4o", "gpt-4o-mini-2024-07-18", "gpt-4.1-nano", "gpt-4.5-preview",
                           "chatgpt-4o-latest", "o1", "o1-preview", "o3-mini", "o4-mini", "gpt-oss-120b"}) {
    EXPECT_EQ(encoding_of_model(name), Encoding::kO200k) << name;
  }
  for (const char* name : {"gpt-4", "gpt-4-turbo", "gpt-4-0613", "gpt-3.5-turbo", "gpt-3.5-turbo-0125",
                           "text-embedding-3-small", "text-embedding-ada-002"}) {
    EXPECT_EQ(encoding_of_model(name), Encoding::kCl100k) << name;
  }
  for (const char* name : {"text-davinci-003", "text-davinci-002", "code-davinci-002", "code-cushman-001"}) {
    EXPECT_EQ(encoding_of_model(name), Encoding::kP50k) << name;
  }
  for (const char* name : {"davinci", "curie", "babbage", "ada", "text-davinci-001", "text-curie-001",
                           "text-similarity-ada-001", "text-search-davinci-doc-001", "code-search-ada-code-001"}) {
    EXPECT_EQ(encoding_of_model(name), Encoding::kR50k) << name;
  }
}

TEST(Encoding, OfModelsLooksBehindProviderAndFineTuning) {
  EXPECT_EQ(encoding_of_model("openai/gpt-4o"), Encoding::kO200k);
  EXPECT_EQ(encoding_of_model("openrouter/openai/gpt-4"), Encoding::kCl100k);
  EXPECT_EQ(encoding_of_model("ft:gpt-4o-mini:acme::abc"), Encoding::kO200k);
  EXPECT_EQ(encoding_of_model("ft:davinci-002:acme"), Encoding::kCl100k);
  EXPECT_EQ(encoding_of_model("openai/ft:gpt-3.5-turbo:acme:x:1"), Encoding::kCl100k);
}

TEST(Encoding, OtherModelsHaveNone) {
  for (const char* name : {"", "claude-3-5-sonnet-20240620", "gemini-2.0-flash", "o10", "gpt-45", "gpt-50", "llama-3",
                           "ft:", "openai/", "text-embedding-ada-0021", "mistral/o1x/claude"}) {
    EXPECT_EQ(encoding_of_model(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace weir
