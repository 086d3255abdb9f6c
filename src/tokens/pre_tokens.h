// Cuts a text into the pieces within which bytes merge: the regular expressions of OpenAI's encodings, by hand.
//
//   Scan scan;
//   Piece piece = next_piece<Encoding::kO200k>(text, begin, size, scan);    // the piece is [begin, piece.end)
//   if (piece.open) …more text might change its end; call again with the same scan once there is more…
//
// The expressions (\s is Unicode's White_Space, the classes are Unicode 16.0's):
//   r50k, p50k  's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//   cl100k      (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+
//               |\s+(?!\S)|\s+
//   o200k       [^\r\n\p{L}\p{N}]?W(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+
//               |\s+(?!\S)|\s+, where a word W is [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+ or else
//               [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*
//
// Where the text ends the piece ends as if nothing followed, so one function serves whole and growing texts. A scan
// that stopped at the end of the text goes on from there: cutting is linear however the text arrives. Pure; text is
// valid UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tokens/char_class.h"
#include "tokens/encoding.h"

namespace weir {

struct Scan {
  enum class Phase : std::uint8_t { kBegin, kUpper, kWord, kNumber, kSymbols, kAfterSymbols, kSpace };
  Phase phase = Phase::kBegin;
  std::size_t at = 0;     // everything before belongs to the run of this phase
  std::size_t split = 0;  // where the piece ends if the run does not go on as hoped; 0: nowhere
};

struct Piece {
  std::size_t end;
  bool open;
};

// The end of a piece depends on at most this many bytes behind it, runs apart: a space given back, a contraction.
inline constexpr std::size_t kLookAhead = 8;

// Bytes of 's 't 're 've 'm 'll 'd at `at`, or 0. `any_case` is that of Unicode: U+017F is an s.
std::size_t contraction(const unsigned char* text, std::size_t at, std::size_t end, bool any_case);

// The last character of text[begin, end) begins here.
inline std::size_t last_char(const unsigned char* text, std::size_t end) {
  --end;
  while ((text[end] & 0xC0) == 0x80) --end;
  return end;
}

template <Encoding E>
class PieceScanner {
 public:
  static constexpr bool kO200k = E == Encoding::kO200k;
  static constexpr bool kOld = E == Encoding::kP50k || E == Encoding::kR50k;

  PieceScanner(const unsigned char* text, std::size_t begin, std::size_t end, Scan& scan)
      : text_(text), begin_(begin), end_(end), scan_(scan) {}

  std::size_t run() {
    if (scan_.phase == Scan::Phase::kBegin && !choose()) return scan_.at;
    switch (scan_.phase) {
      case Scan::Phase::kBegin:
        break;
      case Scan::Phase::kUpper:
        return upper();
      case Scan::Phase::kWord:
        return word();
      case Scan::Phase::kNumber:
        return pass(kNumberBits);
      case Scan::Phase::kSymbols:
        pass(kSymbolBits);
        if (kOld || scan_.at == end_) return scan_.at;
        scan_.phase = Scan::Phase::kAfterSymbols;
        [[fallthrough]];
      case Scan::Phase::kAfterSymbols:
        return after_symbols();
      case Scan::Phase::kSpace:
        return space();
    }
    return scan_.at;
  }

 private:
  std::size_t pass(unsigned bits) { return scan_.at = skip(text_, scan_.at, end_, bits); }

  bool begin_run(Scan::Phase phase, std::size_t at) {
    scan_.phase = phase;
    scan_.at = at;
    return true;
  }

  bool is(std::size_t at, unsigned bits) const { return at < end_ && (read_char(text_, at).bit & bits) != 0; }

  // Which run the piece is; false: the piece is complete and ends at scan_.at.
  bool choose() {
    const Char first = read_char(text_, begin_);
    const std::size_t second = begin_ + first.size;
    if constexpr (!kO200k) {
      if (text_[begin_] == '\'') {
        if (const std::size_t size = contraction(text_, begin_, end_, !kOld); size > 0) {
          scan_.at = begin_ + size;
          return false;
        }
      }
    }
    constexpr unsigned kWordBits = kO200k ? kLetterBits | kCaselessBits : kLetterBits;
    constexpr auto kWordPhase = kO200k ? Scan::Phase::kUpper : Scan::Phase::kWord;
    if ((first.bit & kWordBits) != 0) return begin_run(kWordPhase, begin_);
    if constexpr (kOld) {
      if ((first.bit & kNumberBits) != 0) return begin_run(Scan::Phase::kNumber, begin_);
    } else {
      if ((first.bit & kNumberBits) != 0) return three_digits(second);
      if ((first.bit & kNewlineBits) == 0 && is(second, kWordBits)) return begin_run(kWordPhase, second);
    }
    if (text_[begin_] == ' ') {
      if (kOld && is(second, kLetterBits)) return begin_run(Scan::Phase::kWord, second);
      if (kOld && is(second, kNumberBits)) return begin_run(Scan::Phase::kNumber, second);
      if (is(second, kSymbolBits)) return begin_run(Scan::Phase::kSymbols, second);
    }
    if ((first.bit & kSymbolBits) != 0) return begin_run(Scan::Phase::kSymbols, begin_);
    return begin_run(Scan::Phase::kSpace, begin_);
  }

  bool three_digits(std::size_t at) {
    for (int digits = 1; digits < 3 && is(at, kNumberBits); ++digits) at += read_char(text_, at).size;
    scan_.at = at;
    return false;
  }

  // Capitals and caseless letters. A word needs a small or caseless letter at its end: the last caseless one, unless a
  // small one follows the run; a run of capitals alone is a word, too.
  std::size_t upper() {
    constexpr unsigned kCapital = bit_of(CharClass::kUpper);
    while (scan_.at < end_) {
      const Char c = read_char(text_, scan_.at);
      if ((c.bit & (kCapital | kCaselessBits)) == 0) break;
      scan_.at += c.size;
      if ((c.bit & kCaselessBits) != 0) scan_.split = scan_.at;
    }
    if (is(scan_.at, bit_of(CharClass::kLower))) {
      scan_.phase = Scan::Phase::kWord;
      return word();
    }
    return with_contraction(scan_.split > 0 ? scan_.split : scan_.at);
  }

  std::size_t word() {
    if constexpr (kO200k) return with_contraction(pass(bit_of(CharClass::kLower) | kCaselessBits));
    return pass(kLetterBits);
  }

  std::size_t with_contraction(std::size_t at) const {
    return at < end_ && text_[at] == '\'' ? at + contraction(text_, at, end_, true) : at;
  }

  std::size_t after_symbols() {
    while (scan_.at < end_) {
      const unsigned char c = text_[scan_.at];
      if (c != '\n' && c != '\r' && !(kO200k && c == '/')) break;
      ++scan_.at;
    }
    return scan_.at;
  }

  // Up to the last line end; without one, all but the last character if something follows.
  std::size_t space() {
    while (scan_.at < end_) {
      const Char c = read_char(text_, scan_.at);
      if ((c.bit & kSpaceBits) == 0) break;
      scan_.at += c.size;
      if (!kOld && (c.bit & kNewlineBits) != 0) scan_.split = scan_.at;
    }
    if (scan_.split > 0) return scan_.split;
    if (scan_.at == end_) return end_;
    const std::size_t last = last_char(text_, scan_.at);
    return last > begin_ ? last : scan_.at;
  }

  const unsigned char* text_;
  std::size_t begin_, end_;
  Scan& scan_;
};

// The piece that begins at `begin` < `end`. A new piece needs a new scan.
template <Encoding E>
Piece next_piece(const unsigned char* text, std::size_t begin, std::size_t end, Scan& scan) {
  const std::size_t piece_end = PieceScanner<E>(text, begin, end, scan).run();
  const bool open = scan.at >= end || piece_end + kLookAhead > end;
  if (end - begin <= kLookAhead) scan = {};  // which run this is was decided on too little
  return {piece_end, open};
}

}  // namespace weir
