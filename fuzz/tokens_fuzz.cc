// Text from strangers. Checks, for every encoding: decoding the ids gives the text back (invalid UTF-8 replaced), count
// is the number of ids, and a TokenCounter says the same however the text is cut, in between as well.
//
// Input: byte 0 = seed of the cuts, byte 1 = how often the bytes are repeated (long runs), the rest = the text.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tokens/tokenizer.h"
#include "tokens/tokenizer_impl.h"
#include "tokens/utf8_text.h"

namespace {

using namespace weir;

constexpr std::size_t kMaxText = 4096;

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const Tokenizer& tokenizer, std::string_view text, std::uint32_t seed) {
  std::vector<std::uint32_t> ids;
  tokenizer.encode(text, ids);
  std::string decoded, copy;
  for (const std::uint32_t id : ids) decoded += tokenizer.impl().vocabulary.text(id);
  require(decoded == valid_utf8(text, copy));
  require(tokenizer.count(text) == static_cast<std::int64_t>(ids.size()));
  TokenCounter counter(tokenizer);
  for (std::size_t at = 0; at < text.size();) {
    seed = seed * 1'664'525 + 1'013'904'223;
    const std::size_t size = std::min<std::size_t>(text.size() - at, 1 + (seed >> 16) % (seed >> 31 ? 300 : 8));
    counter.append(text.substr(at, size));
    at += size;
    if ((seed >> 24) % 8 == 0) require(counter.tokens() == tokenizer.count(text.substr(0, at)));
  }
  require(counter.tokens() == static_cast<std::int64_t>(ids.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view part(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string text(part.substr(0, kMaxText));
  for (int i = 0; i < data[1] && text.size() + part.size() <= kMaxText; ++i) text += part;
  for (const Encoding encoding : {Encoding::kO200k, Encoding::kCl100k, Encoding::kP50k, Encoding::kR50k}) {
    check(Tokenizer::of(encoding), text, data[0]);
  }
  return 0;
}
