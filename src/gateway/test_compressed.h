// For tests: text as a provider might compress it.
//
//   compressed("hello", kGzip)
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace weir::stage {

// zlib's window bits say which header there is.
inline constexpr int kGzip = 15 + 16, kDeflate = 15, kRawDeflate = -15;

// The bytes up to the end of each piece can be decoded without those that follow.
inline std::string compressed(std::initializer_list<std::string_view> pieces, int window_bits) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out;
  std::size_t left = pieces.size();
  for (const std::string_view piece : pieces) {
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    z.avail_in = static_cast<uInt>(piece.size());
    const int flush = --left == 0 ? Z_FINISH : Z_SYNC_FLUSH;
    const std::size_t before = out.size();
    out.resize(before + deflateBound(&z, static_cast<uLong>(piece.size())) + 64);
    z.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    z.avail_out = static_cast<uInt>(out.size() - before);
    EXPECT_EQ(deflate(&z, flush), flush == Z_FINISH ? Z_STREAM_END : Z_OK);
    out.resize(out.size() - z.avail_out);
  }
  deflateEnd(&z);
  return out;
}
inline std::string compressed(std::string_view text, int window_bits) {
  return compressed({text}, window_bits);
}

}  // namespace weir::stage
