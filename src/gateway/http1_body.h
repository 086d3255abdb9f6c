// Reads the body of one message: by length, by chunks (RFC 9112 section 7.1), or until the connection closes. Holds no
// bytes: they go to the sink as views of the input, and chunk lines and trailers are checked character by character.
//
//   reader.begin_chunked();
//   used = reader.feed(bytes, limits, sink);   // until done() or fault()
//
// One owner, not thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

#include "gateway/http1.h"

namespace weir {

class BodyReader {
 public:
  static constexpr std::size_t kMaxExtensions = 8 << 10;  // bytes of chunk extensions in one body

  void begin_length(std::int64_t length);
  void begin_chunked();
  void begin_until_close();

  std::size_t feed(std::string_view bytes, const HttpLimits& limits, BodySink& sink);
  bool done() const { return phase_ == Phase::kDone; }
  bool until_close() const { return phase_ == Phase::kUntilClose; }
  // Status 0 while nothing is wrong; as for requests.
  const HttpFault& fault() const { return fault_; }

 private:
  enum class Phase : std::uint8_t {
    kLength,
    kUntilClose,
    kSizeStart,
    kSize,
    kExtensionStart,
    kExtensionName,
    kExtensionValueStart,
    kExtensionValue,
    kExtensionQuoted,
    kExtensionEscape,
    kExtensionEnd,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kEndLf,
    kDone,
    kFailed,
  };
  std::size_t take_data(std::string_view bytes, const HttpLimits& limits, BodySink& sink);
  void step(char c, const HttpLimits& limits);
  void step_size(char c, const HttpLimits& limits);
  void step_extension(char c, const HttpLimits& limits);
  static Phase after_extension(Phase phase, char c);
  void step_trailer(char c, const HttpLimits& limits);
  void end_size_line(const HttpLimits& limits);
  void expect(char c, char wanted, Phase next, const char* message);
  void fail(int status, const char* message);

  Phase phase_ = Phase::kDone;
  std::uint64_t remaining_ = 0;  // of the body or chunk
  std::uint64_t decoded_ = 0;
  std::size_t line_ = 0;        // bytes of this chunk line
  std::size_t extensions_ = 0;  // bytes of all extensions
  std::size_t trailers_ = 0;
  HttpFault fault_;
};

}  // namespace weir
