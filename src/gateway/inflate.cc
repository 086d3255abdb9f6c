#include "gateway/inflate.h"

#define ZLIB_CONST  // zlib only reads what it is given
#include <zlib.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/strings.h"

namespace weir {
namespace {

constexpr int kWindowBits = 15;  // zlib's largest window; + 16: with gzip's header
constexpr std::size_t kStep = 16 << 10;

// "deflate" is a zlib stream by the standard, but some senders leave zlib's two bytes of header out.
bool has_zlib_header(std::string_view head) {
  const auto first = static_cast<unsigned char>(head[0]), second = static_cast<unsigned char>(head[1]);
  return (first & 0x0F) == Z_DEFLATED && (first << 8 | second) % 31 == 0;
}

}  // namespace

struct Inflate::Stream {
  z_stream z{};
  bool open = false;
  ~Stream() {
    if (open) inflateEnd(&z);
  }
};

std::unique_ptr<Inflate> Inflate::of(std::string_view coding) {
  coding = trim(coding);
  const bool gzip = equal_ignoring_case(coding, "gzip") || equal_ignoring_case(coding, "x-gzip");
  if (!gzip && !equal_ignoring_case(coding, "deflate")) return nullptr;
  return std::unique_ptr<Inflate>(new Inflate(gzip));
}

Inflate::Inflate(bool gzip) : stream_(std::make_unique<Stream>()), gzip_(gzip) {}
Inflate::~Inflate() = default;

bool Inflate::begin(bool raw) {
  stream_->open = inflateInit2(&stream_->z, gzip_ ? kWindowBits + 16 : raw ? -kWindowBits : kWindowBits) == Z_OK;
  return stream_->open;
}

// gzip may be several members one after the other. What else follows the end is ignored.
bool Inflate::begins_another(std::string_view rest) {
  if (!rest.empty() && rest.front() != 0x1F) over_ = true;  // also of what comes later, however it is cut
  return gzip_ && !over_ && !rest.empty() && inflateReset(&stream_->z) == Z_OK;
}

Inflate::State Inflate::feed(std::string_view bytes, std::string& text) {
  if (bytes.empty()) return state_;
  if (state_ == State::kEnd && begins_another(bytes)) state_ = State::kMore;
  if (state_ != State::kMore) return state_;
  if (stream_->open) return decode(bytes, text);
  if (gzip_) {
    if (!begin(false)) return state_ = State::kCorrupt;
    return decode(bytes, text);
  }
  head_ += bytes;
  if (head_.size() < 2) return state_;
  if (!begin(!has_zlib_header(head_))) return state_ = State::kCorrupt;
  const std::string all = std::exchange(head_, {});
  return decode(all, text);
}

Inflate::State Inflate::decode(std::string_view bytes, std::string& text) {
  std::array<Bytef, kStep> out;
  z_stream& z = stream_->z;
  z.next_in = reinterpret_cast<const Bytef*>(bytes.data());
  z.avail_in = static_cast<uInt>(bytes.size());
  while (state_ == State::kMore) {
    const std::size_t room = std::min(kStep, kMax - produced_ + 1);
    z.next_out = out.data();
    z.avail_out = static_cast<uInt>(room);
    const int result = inflate(&z, Z_NO_FLUSH);
    const std::size_t made = room - z.avail_out;
    const std::size_t kept = std::min(made, kMax - produced_);
    text.append(reinterpret_cast<const char*>(out.data()), kept);
    produced_ += kept;
    if (kept < made) {
      state_ = State::kTooLong;
    } else if (result == Z_STREAM_END) {
      const std::string_view rest(reinterpret_cast<const char*>(z.next_in), z.avail_in);
      if (!begins_another(rest)) state_ = State::kEnd;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      state_ = State::kCorrupt;
    } else if (z.avail_in == 0 && made < room) {
      break;
    }
  }
  z.next_in = nullptr;
  return state_;
}

}  // namespace weir
