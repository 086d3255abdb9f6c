#include "tokens/merge.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tokens/test_texts.h"

namespace weir {
namespace {

using Ids = std::vector<std::uint32_t>;

// The definition: look through all neighbours for the lowest rank, merge, begin again.
Ids merge_slowly(const Vocabulary& vocabulary, std::string_view text) {
  std::vector<std::string> parts;
  for (const char c : text) parts.emplace_back(1, c);
  const auto rank = [&](const std::string& part) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(part.data());
    return vocabulary.find(bytes, part.size(), bytes + part.size());
  };
  for (;;) {
    std::uint32_t lowest = kNoToken;
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      if (const std::uint32_t id = rank(parts[i] + parts[i + 1]); id < lowest) lowest = id, at = i;
    }
    if (lowest == kNoToken) break;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
  Ids ids;
  for (const std::string& part : parts) ids.push_back(rank(part));
  return ids;
}

const unsigned char* bytes_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

rc::Gen<std::string> run_of(std::string alphabet) {
  return rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::elementOf(std::move(alphabet))));
}

RC_GTEST_PROP(MergeProperty, AllWaysOfMergingFollowTheDefinition, ()) {
  const std::string text = *rc::gen::oneOf(run_of("ab"), run_of("etaoinsh"), run_of(" "), run_of(" \n"), run_of("01"),
                                           run_of("=-*"), rc::gen::nonEmpty(tokens_text()));
  MergeScratch scratch;
  for (const Encoding encoding : kAllEncodings) {
    const Vocabulary vocabulary = Vocabulary::of(encoding);
    const Ids expected = merge_slowly(vocabulary, text);
    RC_ASSERT(scratch.merge_any(vocabulary, bytes_of(text), text.size()) == expected);
    if (text.size() <= kMaxShortPiece) {
      Ids ids(kMaxShortPiece);
      ids.resize(merge_short(vocabulary, bytes_of(text), text.size(), ids.data()));
      RC_ASSERT(ids == expected);
    }
  }
}

TEST(Merge, ShortPiecesUpToTheirBound) {
  const Vocabulary vocabulary = Vocabulary::of(Encoding::kO200k);
  for (std::size_t size = 1; size <= kMaxShortPiece; ++size) {
    const std::string text = std::string("qzjxkvbwpygfmucdlhrnsioate qzjxkvbwpygfmucdlhrnsioate").substr(0, size);
    Ids ids(kMaxShortPiece);
    ids.resize(merge_short(vocabulary, bytes_of(text), size, ids.data()));
    EXPECT_EQ(ids, merge_slowly(vocabulary, text));
  }
}

// In windows and at once: the same ids, whether the piece is whole or grows.
TEST(Merge, WindowsOfALongPieceGiveWhatMergingItAtOnceGives) {
  std::uint32_t state = 7;
  for (const std::string_view alphabet : {"a", "ab", " ", "=-", "etaoinshrdlu", "0123456789", "\xE4\xB8\xAD\x96"}) {
    std::string text;
    while (text.size() < 12'000) {
      state = state * 1'664'525 + 1'013'904'223;
      text += alphabet[(state >> 16) % alphabet.size()];
    }
    for (const Encoding encoding : kAllEncodings) {
      const Vocabulary vocabulary = Vocabulary::of(encoding);
      MergeScratch scratch;
      const Ids expected = scratch.merge_any(vocabulary, bytes_of(text), text.size());
      Ids ids;
      LongPiece whole, growing;
      EXPECT_EQ(whole.count(vocabulary, scratch, bytes_of(text), text.size(), 512, &ids),
                static_cast<std::int64_t>(expected.size()));
      EXPECT_EQ(ids, expected);
      std::int64_t count = 0;
      for (std::size_t size = 1; size <= text.size(); size += 1 + size % 31) {
        count = growing.count(vocabulary, scratch, bytes_of(text), size, 512, nullptr);
        if (size % 64 != 0) continue;
        const Ids& at_once = scratch.merge_any(vocabulary, bytes_of(text), size);
        ASSERT_EQ(count, static_cast<std::int64_t>(at_once.size()));
      }
      EXPECT_EQ(growing.count(vocabulary, scratch, bytes_of(text), text.size(), 512, nullptr),
                static_cast<std::int64_t>(expected.size()));
    }
  }
}

TEST(Merge, APieceThatShrinksIsCountedAnew) {
  const Vocabulary vocabulary = Vocabulary::of(Encoding::kR50k);
  const std::string text(5000, 'a');
  MergeScratch scratch;
  LongPiece piece, fresh;
  piece.count(vocabulary, scratch, bytes_of(text), 5000, 512, nullptr);
  EXPECT_EQ(piece.count(vocabulary, scratch, bytes_of(text), 600, 512, nullptr),
            fresh.count(vocabulary, scratch, bytes_of(text), 600, 512, nullptr));
}

}  // namespace
}  // namespace weir
