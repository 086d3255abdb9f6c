// Text from strangers. Checks, for every encoding: decoding the ids gives the text back (invalid UTF-8 replaced), count
// is the number of ids, a TokenCounter says the same however the text is cut, in between as well; and the ids are those
// of the definition, written down here once more and as slowly as it stands there: the encoding's regular expression
// tried alternative by alternative, and then the pair of the lowest rank merged until there is none. The definition in
// turn is held against the golden ids of OpenAI's package when the target starts.
//
// Input: byte 0 = seed of the cuts, byte 1 = how often the bytes are repeated (long runs), the rest = the text.
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.h"
#include "tokens/char_class.h"
#include "tokens/tokenizer.h"
#include "tokens/tokenizer_impl.h"
#include "tokens/utf8_text.h"

namespace {

using namespace weir;
using namespace weir::fuzz;
using Ids = std::vector<std::uint32_t>;

constexpr std::size_t kMaxText = 4096;  // of one input in sixteen: beyond the windows of long pieces
constexpr std::size_t kUsualText = 600;
constexpr std::size_t kMaxPlainPiece = 400;  // merging by the definition takes the square of this

// --- the definition of the pieces
// -------------------------------------------------------------------------------------

struct Letter {
  unsigned bit;
  std::size_t at;  // in bytes
  char c;          // ASCII, else 0x7F
  bool long_s;     // U+017F, which is an s where case does not matter
};

class Pieces {
 public:
  Pieces(Encoding encoding, std::string_view text) : encoding_(encoding), size_(text.size()) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    for (std::size_t at = 0; at < text.size();) {
      const Char one = read_char(bytes, at);
      letters_.push_back({.bit = one.bit,
                          .at = at,
                          .c = one.size == 1 ? text[at] : '\x7f',
                          .long_s = text.substr(at).starts_with("\u017F")});
      at += one.size;
    }
  }

  std::vector<std::size_t> ends() const {
    std::vector<std::size_t> ends;
    for (std::size_t at = 0; at < letters_.size();) {
      const std::size_t next = match(at);
      require(next > at);
      ends.push_back(next < letters_.size() ? letters_[next].at : size_);
      at = next;
    }
    return ends;
  }

 private:
  static constexpr unsigned kUpperClass = bit_of(CharClass::kUpper) | kCaselessBits;
  static constexpr unsigned kLowerClass = bit_of(CharClass::kLower) | kCaselessBits;
  static constexpr unsigned kOrdinary =
      0xFFu & ~static_cast<unsigned>(kSpaceBits | kLetterBits | kNumberBits);  // [^\s\p{L}\p{N}]
  static constexpr unsigned kBefore =
      0xFFu & ~static_cast<unsigned>(kNewlineBits | kLetterBits | kNumberBits);  // [^\r\n\p{L}\p{N}]

  bool is(std::size_t at, unsigned bits) const { return at < letters_.size() && (letters_[at].bit & bits) != 0; }
  bool is_char(std::size_t at, char c) const { return at < letters_.size() && letters_[at].c == c; }
  std::size_t run(std::size_t at, unsigned bits, std::size_t most = ~std::size_t{0}) const {
    while (most-- > 0 && is(at, bits)) ++at;
    return at;
  }

  // 's 't 're 've 'm 'll 'd
  std::size_t contraction(std::size_t at, bool any_case) const {
    const auto letter = [&](std::size_t i, char wanted) {
      if (at + i >= letters_.size()) return false;
      const Letter& one = letters_[at + i];
      if (one.c == wanted || (any_case && wanted == 's' && one.long_s)) return true;
      return any_case && one.c == wanted - ('a' - 'A');
    };
    if (!is_char(at, '\'')) return at;
    for (const std::string_view word : {"s", "t", "re", "ve", "m", "ll", "d"}) {
      bool all = true;
      for (std::size_t i = 0; i < word.size(); ++i) all = all && letter(i + 1, word[i]);
      if (all) return at + 1 + word.size();
    }
    return at;
  }

  // X?Y+ with the X that may stand before.
  std::size_t with_space(std::size_t at, unsigned bits) const {
    if (is_char(at, ' ') && is(at + 1, bits)) return run(at + 1, bits);
    return run(at, bits);
  }
  std::size_t symbols(std::size_t at, std::string_view after) const {
    std::size_t end = with_space(at, kOrdinary);
    if (end == at) return at;
    while (end < letters_.size() && after.find(letters_[end].c) != std::string_view::npos) ++end;
    return end;
  }
  std::size_t newlines(std::size_t at) const {  // \s*[\r\n]+
    for (std::size_t end = run(at, kSpaceBits); end > at; --end) {
      if (is(end - 1, kNewlineBits)) return end;
    }
    return at;
  }
  std::size_t spaces(std::size_t at) const {  // \s+(?!\S)|\s+
    const std::size_t end = run(at, kSpaceBits);
    return end < letters_.size() && end > at + 1 ? end - 1 : end;
  }
  // [upper]*[lower]+ or [upper]+[lower]*, with all that backtracking may try.
  std::size_t word(std::size_t at, bool upper_only) const {
    const std::size_t most = run(at, kUpperClass);
    if (upper_only) return most > at ? run(most, kLowerClass) : at;
    for (std::size_t upper = most;; --upper) {
      if (const std::size_t end = run(upper, kLowerClass); end > upper) return end;
      if (upper == at) return at;
    }
  }
  std::size_t words(std::size_t at) const {
    for (const bool upper_only : {false, true}) {
      for (const std::size_t begin : {at + 1, at}) {
        if (begin > at && !is(at, kBefore)) continue;
        if (const std::size_t end = word(begin, upper_only); end > begin) return contraction(end, true);
      }
    }
    return at;
  }

  std::size_t match(std::size_t at) const {
    const bool old = encoding_ == Encoding::kP50k || encoding_ == Encoding::kR50k;
    std::vector<std::size_t> tried;
    if (old) {
      tried = {contraction(at, false), with_space(at, kLetterBits), with_space(at, kNumberBits), symbols(at, "")};
    } else if (encoding_ == Encoding::kCl100k) {
      const bool before = is(at, kBefore) && is(at + 1, kLetterBits);
      tried = {contraction(at, true), run(before ? at + 1 : at, kLetterBits), run(at, kNumberBits, 3),
               symbols(at, "\r\n"), newlines(at)};
      if (!before && !is(at, kLetterBits)) tried[1] = at;
    } else {
      tried = {words(at), run(at, kNumberBits, 3), symbols(at, "\r\n/"), newlines(at)};
    }
    tried.push_back(spaces(at));
    for (const std::size_t end : tried) {
      if (end > at) return end;
    }
    return at;
  }

  const Encoding encoding_;
  const std::size_t size_;
  std::vector<Letter> letters_;
};

// --- the definition of the merges
// -------------------------------------------------------------------------------------

std::uint32_t rank_of(const Vocabulary& vocabulary, std::string_view part) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(part.data());
  return vocabulary.find(bytes, part.size(), bytes + part.size());
}

void merge_plainly(const Vocabulary& vocabulary, std::string_view piece, Ids& ids) {
  if (const std::uint32_t id = rank_of(vocabulary, piece); id != kNoToken) return ids.push_back(id);
  std::vector<std::size_t> begins;  // of the parts; the end of the piece last
  for (std::size_t i = 0; i <= piece.size(); ++i) begins.push_back(i);
  const auto part = [&](std::size_t i, std::size_t parts) {
    return piece.substr(begins[i], begins[i + parts] - begins[i]);
  };
  const auto rank = [&](std::size_t i) { return i + 2 < begins.size() ? rank_of(vocabulary, part(i, 2)) : kNoToken; };
  std::vector<std::uint32_t> ranks;
  for (std::size_t i = 0; i + 1 < begins.size(); ++i) ranks.push_back(rank(i));
  for (;;) {
    const auto lowest = std::min_element(ranks.begin(), ranks.end());
    if (*lowest == kNoToken) break;
    const auto at = static_cast<std::size_t>(lowest - ranks.begin());
    begins.erase(begins.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    ranks.erase(lowest);
    ranks[at] = rank(at);
    if (at > 0) ranks[at - 1] = rank(at - 1);
  }
  for (std::size_t i = 0; i + 1 < begins.size(); ++i) ids.push_back(rank_of(vocabulary, part(i, 1)));
}

// False: a piece is too long for it.
bool encode_plainly(const Tokenizer& tokenizer, std::string_view text, Ids& ids) {
  std::size_t begin = 0;
  for (const std::size_t end : Pieces(tokenizer.encoding(), text).ends()) {
    if (end - begin > kMaxPlainPiece) return false;
    merge_plainly(tokenizer.impl().vocabulary, text.substr(begin, end - begin), ids);
    begin = end;
  }
  return true;
}

// --- the checks
// -------------------------------------------------------------------------------------------------------

void check(const Tokenizer& tokenizer, std::string_view text, std::uint32_t seed) {
  Ids ids, plain;
  tokenizer.encode(text, ids);
  std::string decoded, copy;
  for (const std::uint32_t id : ids) decoded += tokenizer.impl().vocabulary.text(id);
  const std::string_view valid = valid_utf8(text, copy);
  require(decoded == valid);
  if (encode_plainly(tokenizer, valid, plain)) require(ids == plain);
  require(tokenizer.count(text) == static_cast<std::int64_t>(ids.size()));
  TokenCounter counter(tokenizer);
  for (std::size_t at = 0; at < text.size();) {
    seed = seed * 1'664'525 + 1'013'904'223;
    const std::size_t size = std::min<std::size_t>(text.size() - at, 1 + (seed >> 16) % (seed >> 31 ? 300 : 8));
    counter.append(text.substr(at, size));
    at += size;
    if ((seed >> 24) % 16 == 0) require(counter.tokens() == tokenizer.count(text.substr(0, at)));
  }
  require(counter.tokens() == static_cast<std::int64_t>(ids.size()));
}

}  // namespace

// The golden ids, of every text in the file.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  std::ifstream in(WEIR_SOURCE_DIR "/src/tokens/testdata/golden.txt");
  std::string text;
  int compared = 0;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string name, hex;
    words >> name;
    if (name == "text") {
      words >> hex;
      text.clear();
      for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        text += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
      }
    } else if (const auto encoding = encoding_from(name)) {
      const Ids golden{std::istream_iterator<std::uint32_t>(words), {}};
      Ids ids, plain;
      Tokenizer::of(*encoding).encode(text, ids);
      require(ids == golden);
      require(!encode_plainly(Tokenizer::of(*encoding), text, plain) || plain == golden);
      ++compared;
    }
  }
  require(compared >= 600);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view part(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t most = data[0] % 16 == 0 ? kMaxText : kUsualText;
  std::string text(part.substr(0, most));
  for (int i = 0; i < data[1] && text.size() + part.size() <= most; ++i) text += part;
  for (const Encoding encoding : {Encoding::kO200k, Encoding::kCl100k, Encoding::kP50k, Encoding::kR50k}) {
    check(Tokenizer::of(encoding), text, data[0]);
  }
  return 0;
}
