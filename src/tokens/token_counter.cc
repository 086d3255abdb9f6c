#include <array>
#include <string>

#include "tokens/pre_tokens.h"
#include "tokens/tokenizer.h"
#include "tokens/tokenizer_impl.h"
#include "tokens/utf8_text.h"

namespace weir {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::size_t kMaxSettledText = 4096;  // counted text that waits to be removed from the front of the tail

// A piece that may still change: how far it is cut and merged.
struct OpenPiece {
  std::size_t begin = 0;
  Scan scan;
  LongPiece merged;
};

// Two pieces can be long and open at the same time: capitals behind a caseless letter, spaces behind line ends.
using OpenPieces = std::array<OpenPiece, 2>;

Piece next_piece_by(Encoding encoding, const unsigned char* text, std::size_t begin, std::size_t end, Scan& scan) {
  switch (encoding) {
    case Encoding::kO200k:
      return next_piece<Encoding::kO200k>(text, begin, end, scan);
    case Encoding::kCl100k:
      return next_piece<Encoding::kCl100k>(text, begin, end, scan);
    case Encoding::kP50k:
    case Encoding::kR50k:
      break;
  }
  return next_piece<Encoding::kR50k>(text, begin, end, scan);
}

}  // namespace

struct TokenCounter::State {
  explicit State(const Tokenizer& t) : tokenizer(t.impl()) {}

  const unsigned char* text() const { return reinterpret_cast<const unsigned char*>(tail.data()) + head; }
  std::size_t size() const { return tail.size() - head; }

  std::int64_t count(OpenPiece& piece, std::size_t end) {
    return count_piece(tokenizer.vocabulary, text() + piece.begin, end - piece.begin, text() + size(), scratch,
                       piece.merged, kStreamWindow);
  }

  void append(std::string_view piece) {
    std::string joined;
    if (!unfinished.empty()) {
      joined = unfinished;
      joined += piece;
      piece = joined;
    }
    const std::size_t rest = unfinished_bytes(piece);
    append_valid(piece.substr(0, piece.size() - rest), tail);
    unfinished.assign(piece.substr(piece.size() - rest));
    settle();
  }

  // Counts the pieces that no further text can change.
  void settle() {
    while (size() > 0) {
      const Piece piece = next_piece_by(tokenizer.encoding, text(), 0, size(), open[0].scan);
      if (piece.open) break;
      settled += count(open[0], piece.end);
      head += piece.end;
      open = {};
    }
    if (head > kMaxSettledText && head > tail.size() / 2) tail.erase(0, head), head = 0;
  }

  // Tokens of the tail if the text ended here.
  std::int64_t count_open(OpenPieces& pieces) {
    std::int64_t tokens = 0;
    std::size_t begin = 0;
    for (std::size_t n = 0; begin < size(); ++n) {
      OpenPiece later;
      OpenPiece& piece = n < pieces.size() ? pieces[n] : later;
      if (piece.begin != begin) piece = {.begin = begin, .scan = {}, .merged = {}};
      const std::size_t end = next_piece_by(tokenizer.encoding, text(), begin, size(), piece.scan).end;
      tokens += count(piece, end);
      begin = end;
    }
    return tokens;
  }

  std::int64_t tokens() {
    const std::int64_t without = count_open(open);  // first, so that what is merged is kept
    if (unfinished.empty()) return settled + without;
    OpenPieces as_if = open;
    tail += kReplacement;
    const std::int64_t with = count_open(as_if);
    tail.resize(tail.size() - kReplacement.size());
    return settled + with;
  }

  const Tokenizer::Impl& tokenizer;
  std::string tail;  // valid text from `head` on is not settled
  std::size_t head = 0;
  std::string unfinished;  // bytes of a character that has not come whole
  std::int64_t settled = 0;
  OpenPieces open;
  MergeScratch scratch;
};

TokenCounter::TokenCounter(const Tokenizer& tokenizer) : state_(std::make_unique<State>(tokenizer)) {}
TokenCounter::~TokenCounter() = default;
TokenCounter::TokenCounter(TokenCounter&&) noexcept = default;
TokenCounter& TokenCounter::operator=(TokenCounter&&) noexcept = default;

void TokenCounter::append(std::string_view piece) {
  state_->append(piece);
}

std::int64_t TokenCounter::tokens() const {
  return state_->tokens();
}

}  // namespace weir
