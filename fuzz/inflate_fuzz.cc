// Compressed answers. Checks: what zlib packed comes out again whatever the coding, the pieces and the members; of any
// other bytes the same text and state come however they are split, and they are those of zlib called plainly on the
// whole; a bomb stops at Inflate::kMax, also when the bytes go on, and never costs more than that.
//
// Input: byte 0 = what (mod 4: packed, packed and damaged, raw bytes); byte 1 = coding (mod 3) and seed;
// the rest = the text or the bytes.
#define ZLIB_CONST
#include <zlib.h>

#include <memory>
#include <string>
#include <string_view>

#include "fuzz.h"
#include "gateway/inflate.h"

namespace {

using namespace weir;
using namespace weir::fuzz;

constexpr int kGzip = 15 + 16, kZlib = 15, kRaw = -15;
constexpr int kWindows[] = {kGzip, kZlib, kRaw};
constexpr std::size_t kMaxText = 1 << 20;

std::string pack(std::string_view text, int window, int flush_every, int level) {
  z_stream z{};
  require(deflateInit2(&z, level, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out;
  for (bool last = false; !last;) {
    const std::string_view piece =
        text.substr(0, flush_every > 0 ? static_cast<std::size_t>(flush_every) : text.size());
    text.remove_prefix(piece.size());
    last = text.empty();
    z.next_in = reinterpret_cast<const Bytef*>(piece.data());
    z.avail_in = static_cast<uInt>(piece.size());
    const std::size_t before = out.size();
    out.resize(before + deflateBound(&z, static_cast<uLong>(piece.size())) + 64);
    z.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    z.avail_out = static_cast<uInt>(out.size() - before);
    require(deflate(&z, last ? Z_FINISH : Z_SYNC_FLUSH) == (last ? Z_STREAM_END : Z_OK));
    out.resize(out.size() - z.avail_out);
  }
  deflateEnd(&z);
  return out;
}

struct Read {
  std::string text;
  Inflate::State state = Inflate::State::kMore;
};

// `most`: pieces have 1 to so many bytes; 0: all at once.
Read read(std::string_view coding, std::string_view bytes, std::uint32_t seed, std::uint32_t most) {
  const auto inflate = Inflate::of(coding);
  require(inflate != nullptr);
  Read out;
  Chance chance(seed);
  while (!bytes.empty()) {
    const std::size_t length = most == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 1 + chance.below(most));
    const std::size_t before = out.text.size();
    const Inflate::State state = inflate->feed(bytes.substr(0, length), out.text);
    require(state == inflate->state());
    // After damage and the bound nothing more comes.
    if (out.state == Inflate::State::kCorrupt || out.state == Inflate::State::kTooLong) {
      require(out.text.size() == before && state == out.state);
    }
    out.state = state;
    bytes.remove_prefix(length);
  }
  require(out.text.size() <= Inflate::kMax);
  return out;
}

// zlib as its manual says, on the whole at once; gzip members one after the other.
Read plainly(int window, std::string_view bytes) {
  Read out;
  z_stream z{};
  require(inflateInit2(&z, window) == Z_OK);
  z.next_in = reinterpret_cast<const Bytef*>(bytes.data());
  z.avail_in = static_cast<uInt>(bytes.size());
  std::string room(4096, '\0');
  for (;;) {
    z.next_out = reinterpret_cast<Bytef*>(room.data());
    z.avail_out = static_cast<uInt>(room.size());
    const int result = inflate(&z, Z_SYNC_FLUSH);
    out.text.append(room, 0, room.size() - z.avail_out);
    if (result == Z_STREAM_END) {
      out.state = Inflate::State::kEnd;
      if (window != kGzip || z.avail_in == 0 || *z.next_in != 0x1F) break;
      out.state = Inflate::State::kMore;
      inflateReset(&z);
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      out.state = Inflate::State::kCorrupt;
      break;
    } else if (z.avail_out > 0) {
      break;
    }
    if (out.text.size() > Inflate::kMax) break;
  }
  inflateEnd(&z);
  return out;
}

void same(const Read& a, const Read& b) {
  require(a.state == b.state);
  require(a.text == b.text);
}

void check_bytes(int window, std::string_view bytes, std::uint32_t seed) {
  const std::string_view coding = window == kGzip ? "gzip" : "deflate";
  const Read whole = read(coding, bytes, seed, 0);
  same(whole, read(coding, bytes, seed, 1));
  same(whole, read(coding, bytes, seed, 40));
  if (bytes.size() < 2) return;
  const auto first = static_cast<unsigned char>(bytes[0]), second = static_cast<unsigned char>(bytes[1]);
  const bool header = (first & 0x0F) == Z_DEFLATED && (first << 8 | second) % 31 == 0;
  const Read plain = plainly(window == kGzip ? kGzip : header ? kZlib : kRaw, bytes);
  if (plain.text.size() > Inflate::kMax) return require(whole.state == Inflate::State::kTooLong);
  same(whole, plain);
}

void check_packed(int window, std::string_view text, std::uint8_t seed, bool damaged) {
  Chance chance(seed);
  std::string long_text;
  for (std::uint32_t times = 1 + chance.below(40); times > 0 && long_text.size() < kMaxText; --times) long_text += text;
  const int flush_every = static_cast<int>(chance.below(3)) * 37;
  std::string bytes = pack(long_text, window, flush_every, static_cast<int>(1 + chance.below(9)));
  std::string expected = long_text;
  if (window == kGzip && chance.below(2) == 0) {  // another member
    bytes += pack(text, window, 0, 6);
    expected += text;
  }
  if (!damaged) {
    const std::string_view coding = window == kGzip ? " X-GZip" : "Deflate ";
    for (const std::uint32_t most : {0u, 1u, 100u}) {
      const Read out = read(coding, bytes, seed, most);
      // A raw stream whose first bytes look like zlib's header is read as one: senders of those are not heard right.
      if (window == kRaw && out.state != Inflate::State::kEnd) return;
      require(out.state == Inflate::State::kEnd && out.text == expected);
    }
    return;
  }
  for (std::uint32_t times = 1 + chance.below(3); times > 0 && !bytes.empty(); --times) {
    const std::size_t at = chance.below(65'536) % bytes.size();
    if (chance.below(3) == 0) {
      bytes.resize(at);
    } else {
      bytes[at] = static_cast<char>(chance.below(256));
    }
  }
  check_bytes(window, bytes, seed);
}

// 2 MiB in 2 KB, again and again: more text than kMax from 70 KB. Once a process, since it costs a second.
void check_bomb() {
  constexpr std::size_t kMember = 2 << 20;
  const std::string member = pack(std::string(kMember, 'a'), kGzip, 0, 9);
  std::string bytes;
  for (std::size_t size = 0; size <= Inflate::kMax; size += kMember) bytes += member;
  const Read out = read("gzip", bytes + member, 1, 4000);
  require(out.state == Inflate::State::kTooLong && out.text.size() == Inflate::kMax);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  check_bomb();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 16 << 10) return 0;
  const int window = kWindows[data[1] % 3];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (data[0] % 4 == 0) {
    check_packed(window, bytes, data[1], false);
  } else if (data[0] % 4 == 1) {
    check_packed(window, bytes, data[1], true);
  } else {
    check_bytes(window, bytes, data[1]);
  }
  return 0;
}
