#include "gateway/http1_body.h"

#include <algorithm>
#include <limits>

#include "base/characters.h"
#include "gateway/http1_chars.h"

namespace weir {

void BodyReader::begin_length(std::int64_t length) {
  *this = {};
  remaining_ = static_cast<std::uint64_t>(length);
  phase_ = length > 0 ? Phase::kLength : Phase::kDone;
}

void BodyReader::begin_chunked() {
  *this = {};
  phase_ = Phase::kSizeStart;
}

void BodyReader::begin_until_close() {
  *this = {};
  remaining_ = std::numeric_limits<std::uint64_t>::max();
  phase_ = Phase::kUntilClose;
}

void BodyReader::fail(int status, const char* message) {
  phase_ = Phase::kFailed;
  fault_ = {status, message};
}

std::size_t BodyReader::feed(std::string_view bytes, const HttpLimits& limits, BodySink& sink) {
  std::size_t used = 0;
  while (used < bytes.size() && phase_ < Phase::kDone) {
    if (phase_ == Phase::kData || phase_ == Phase::kLength || phase_ == Phase::kUntilClose) {
      used += take_data(bytes.substr(used), limits, sink);
    } else {
      step(bytes[used++], limits);
    }
  }
  return used;
}

std::size_t BodyReader::take_data(std::string_view bytes, const HttpLimits& limits, BodySink& sink) {
  const std::uint64_t allowed = limits.body - decoded_;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>({bytes.size(), remaining_, allowed}));
  if (count > 0) sink.on_body(bytes.substr(0, count));
  decoded_ += count;
  remaining_ -= count;
  if (remaining_ == 0) {
    phase_ = phase_ == Phase::kData ? Phase::kDataCr : Phase::kDone;
  } else if (count < bytes.size()) {
    fail(413, "body too large");  // only bodies of unknown length get here: the others are refused by their length
  }
  return count;
}

void BodyReader::step(char c, const HttpLimits& limits) {
  switch (phase_) {
    case Phase::kSizeStart:
    case Phase::kSize:
      return step_size(c, limits);
    case Phase::kSizeLf:
      return c == '\n' ? end_size_line(limits) : fail(400, "chunk line without CRLF");
    case Phase::kDataCr:
      return expect(c, '\r', Phase::kDataLf, "chunk data without CRLF");
    case Phase::kDataLf:
      return expect(c, '\n', Phase::kSizeStart, "chunk data without CRLF");
    case Phase::kTrailerStart:
    case Phase::kTrailerName:
    case Phase::kTrailerValue:
    case Phase::kTrailerLf:
    case Phase::kEndLf:
      return step_trailer(c, limits);
    default:
      return step_extension(c, limits);
  }
}

void BodyReader::expect(char c, char wanted, Phase next, const char* message) {
  if (c != wanted) return fail(400, message);
  phase_ = next;
}

void BodyReader::step_size(char c, const HttpLimits& limits) {
  if (phase_ == Phase::kSizeStart) {
    line_ = 0;
    remaining_ = 0;
  }
  if (++line_ > limits.chunk_line) return fail(400, "chunk line too long");
  const int digit = hex_value(c);
  if (digit >= 0) {
    if (remaining_ > (std::numeric_limits<std::uint64_t>::max() >> 4)) return fail(413, "chunk too large");
    remaining_ = remaining_ << 4 | static_cast<unsigned>(digit);
    phase_ = Phase::kSize;
  } else if (phase_ == Phase::kSize && c == '\r') {
    phase_ = Phase::kSizeLf;
  } else if (phase_ == Phase::kSize && c == ';') {
    phase_ = Phase::kExtensionStart;
  } else {
    fail(400, "invalid chunk size");
  }
}

void BodyReader::end_size_line(const HttpLimits& limits) {
  if (remaining_ > limits.body - decoded_) return fail(413, "body too large");
  phase_ = remaining_ > 0 ? Phase::kData : Phase::kTrailerStart;
}

// chunk-ext = *( ";" token [ "=" ( token / quoted-string ) ] ), without the optional whitespace that parsers disagree
// on.
void BodyReader::step_extension(char c, const HttpLimits& limits) {
  if (++line_ > limits.chunk_line || ++extensions_ > kMaxExtensions) return fail(400, "chunk extensions too long");
  phase_ = after_extension(phase_, c);
  if (phase_ == Phase::kFailed) fail(400, "invalid chunk extension");
}

BodyReader::Phase BodyReader::after_extension(Phase phase, char c) {
  const bool token = is_char(c, kTokenChar);
  const bool text = !is_char(c, kControlChar);
  const Phase end = c == '\r' ? Phase::kSizeLf : c == ';' ? Phase::kExtensionStart : Phase::kFailed;
  switch (phase) {
    case Phase::kExtensionStart:
      return token ? Phase::kExtensionName : Phase::kFailed;
    case Phase::kExtensionName:
      if (c == '=') return Phase::kExtensionValueStart;
      return token ? phase : end;
    case Phase::kExtensionValueStart:
      if (c == '"') return Phase::kExtensionQuoted;
      return token ? Phase::kExtensionValue : Phase::kFailed;
    case Phase::kExtensionValue:
      return token ? phase : end;
    case Phase::kExtensionQuoted:
      if (c == '"') return Phase::kExtensionEnd;
      if (c == '\\') return Phase::kExtensionEscape;
      return text ? phase : Phase::kFailed;
    case Phase::kExtensionEscape:
      return text ? Phase::kExtensionQuoted : Phase::kFailed;
    default:
      return end;
  }
}

void BodyReader::step_trailer(char c, const HttpLimits& limits) {
  if (++trailers_ > limits.trailers) return fail(431, "trailers too large");
  switch (phase_) {
    case Phase::kTrailerStart:
      if (c == '\r') {
        phase_ = Phase::kEndLf;
      } else if (is_char(c, kTokenChar)) {
        phase_ = Phase::kTrailerName;
      } else {
        fail(400, "invalid trailer");
      }
      return;
    case Phase::kTrailerName:
      if (c == ':') {
        phase_ = Phase::kTrailerValue;
      } else if (!is_char(c, kTokenChar)) {
        fail(400, "invalid trailer");
      }
      return;
    case Phase::kTrailerValue:
      if (c == '\r') {
        phase_ = Phase::kTrailerLf;
      } else if (is_char(c, kControlChar)) {
        fail(400, "control character in a trailer");
      }
      return;
    case Phase::kTrailerLf:
      return expect(c, '\n', Phase::kTrailerStart, "trailer without CRLF");
    default:
      return expect(c, '\n', Phase::kDone, "end of the body without CRLF");
  }
}

}  // namespace weir
