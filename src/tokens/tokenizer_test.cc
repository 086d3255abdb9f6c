#include "tokens/tokenizer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <sstream>

#include "tokens/test_texts.h"
#include "tokens/tokenizer_impl.h"
#include "tokens/utf8_text.h"

namespace weir {
namespace {

std::vector<std::uint32_t> encode(Encoding encoding, std::string_view text) {
  std::vector<std::uint32_t> ids;
  Tokenizer::of(encoding).encode(text, ids);
  return ids;
}

std::string decode(Encoding encoding, const std::vector<std::uint32_t>& ids) {
  std::string text;
  for (const std::uint32_t id : ids) text += Tokenizer::of(encoding).impl().vocabulary.text(id);
  return text;
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

TEST(Tokenizer, IdsAreThoseOfThePublicPackages) {
  std::ifstream in(WEIR_SOURCE_DIR "/src/tokens/testdata/golden.txt");
  ASSERT_TRUE(in) << "src/tokens/testdata/golden.txt is missing; bench/tokens/golden.mjs writes it";
  std::string text;
  int compared = 0;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name == "text") {
      std::string hex;
      words >> hex;
      text = from_hex(hex);
    } else if (const auto encoding = encoding_from(name)) {
      const std::vector<std::uint32_t> expected{std::istream_iterator<std::uint32_t>(words), {}};
      EXPECT_EQ(encode(*encoding, text), expected) << name << ": " << text;
      EXPECT_EQ(Tokenizer::of(*encoding).count(text), static_cast<std::int64_t>(expected.size())) << name;
      ++compared;
    }
  }
  EXPECT_GE(compared, 600);
}

TEST(Tokenizer, TheExampleOfItsHeader) {
  EXPECT_EQ(encode(Encoding::kO200k, "hello world"), (std::vector<std::uint32_t>{24912, 2375}));
  EXPECT_EQ(Tokenizer::of(Encoding::kO200k).count(""), 0);
  EXPECT_EQ(Tokenizer::of(Encoding::kP50k).encoding(), Encoding::kP50k);
}

TEST(Tokenizer, NamesOfSpecialTokensAreOrdinaryText) {
  for (const Encoding encoding : kAllEncodings) EXPECT_GT(Tokenizer::of(encoding).count("<|endoftext|>"), 4);
}

TEST(Tokenizer, AppendsToTheIdsThatAreThere) {
  std::vector<std::uint32_t> ids{7};
  Tokenizer::of(Encoding::kO200k).encode("hello world", ids);
  EXPECT_EQ(ids, (std::vector<std::uint32_t>{7, 24912, 2375}));
}

TEST(Tokenizer, EveryTokenIsFoundByItsBytesAndNoOtherIs) {
  for (const Encoding encoding : kAllEncodings) {
    const Vocabulary vocabulary = Vocabulary::of(encoding);
    std::size_t found = 0, longest = 0;
    for (std::uint32_t id = 0; id < vocabulary.ids(); ++id) {
      const std::string text(vocabulary.text(id));
      if (text.empty()) continue;
      const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
      ASSERT_EQ(vocabulary.find(bytes, text.size(), bytes + text.size()), id);
      found += 1;
      longest = std::max(longest, text.size());
    }
    EXPECT_EQ(longest, vocabulary.max_token_bytes());
    EXPECT_GE(found, 50'256u);
    EXPECT_LE(vocabulary.ids(), kMaxTokenIds);
    EXPECT_LE(longest, kMaxTokenBytes);
    const std::string none(longest + 1, ' ');
    const auto* bytes = reinterpret_cast<const unsigned char*>(none.data());
    EXPECT_EQ(vocabulary.find(bytes, none.size(), bytes + none.size()), kNoToken);
    EXPECT_EQ(vocabulary.text(vocabulary.ids()), "");
  }
}

RC_GTEST_PROP(TokenizerProperty, DecodingGivesTheTextBack, ()) {
  const std::string text = *tokens_text();
  for (const Encoding encoding : kAllEncodings) {
    const std::vector<std::uint32_t> ids = encode(encoding, text);
    std::string copy;
    RC_ASSERT(decode(encoding, ids) == valid_utf8(text, copy));
    RC_ASSERT(Tokenizer::of(encoding).count(text) == static_cast<std::int64_t>(ids.size()));
  }
}

// Half a million tokens' worth of each; a quadratic merge would need hours, and the test its timeout.
TEST(Tokenizer, LongRunsTakeLinearTime) {
  for (const Encoding encoding : kAllEncodings) {
    for (const std::string_view part : {"a", "A", " ", "\n", "ab", "7", "!", "\u4E2D", "\u0301", "A\u4E2D", "\xFF"}) {
      std::string text;
      while (text.size() < 500'000) text += part;
      const std::vector<std::uint32_t> ids = encode(encoding, text);
      std::string copy;
      EXPECT_EQ(decode(encoding, ids), valid_utf8(text, copy)) << part;
      EXPECT_EQ(Tokenizer::of(encoding).count(text), static_cast<std::int64_t>(ids.size())) << part;
    }
  }
}

}  // namespace
}  // namespace weir
