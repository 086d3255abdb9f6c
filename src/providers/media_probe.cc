#include "providers/media_probe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

namespace weir {
namespace {

constexpr std::uint8_t kNoDigit = 0xFF;

constexpr auto kDigits = [] {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  digits[static_cast<unsigned char>('-')] = 62;
  digits[static_cast<unsigned char>('_')] = 63;
  return digits;
}();

std::uint32_t digit(char c) {
  return kDigits[static_cast<unsigned char>(c)];
}

// The bytes behind a base64 text, one at a time and anywhere. A byte that is not there reads as 0 and spoils `good`.
class Bytes {
 public:
  explicit Bytes(std::string_view base64) : text_(base64) {}

  std::uint32_t at(std::size_t index) {
    const std::size_t group = index / 3 * 4;
    const std::size_t part = index % 3;
    if (group + part + 1 >= text_.size()) return miss();
    const std::uint32_t high = digit(text_[group + part]);
    const std::uint32_t low = digit(text_[group + part + 1]);
    if (high == kNoDigit || low == kNoDigit) return miss();
    const std::size_t shift = 2 * (part + 1);
    return ((high << shift) | (low >> (6 - shift))) & 0xFF;
  }
  std::uint32_t big(std::size_t index, std::size_t count) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value << 8 | at(index + i);
    return value;
  }
  std::uint32_t little(std::size_t index, std::size_t count) {
    std::uint32_t value = 0;
    for (std::size_t i = count; i-- > 0;) value = value << 8 | at(index + i);
    return value;
  }
  bool is(std::size_t index, std::string_view word) {
    return std::all_of(word.begin(), word.end(), [&](char c) { return at(index++) == static_cast<unsigned char>(c); });
  }
  bool good() const { return good_; }

 private:
  std::uint32_t miss() {
    good_ = false;
    return 0;
  }
  std::string_view text_;
  bool good_ = true;
};

std::optional<ImageSize> sized(const Bytes& bytes, std::int64_t width, std::int64_t height) {
  if (!bytes.good() || width <= 0 || height <= 0) return std::nullopt;
  return ImageSize{width, height};
}

std::optional<ImageSize> jpeg_size(Bytes& bytes) {
  std::size_t at = 2;
  for (int segment = 0; segment < kMaxJpegSegments && bytes.good(); ++segment) {
    if (bytes.at(at) != 0xFF) return std::nullopt;
    std::uint32_t marker = bytes.at(++at);
    for (int fill = 0; marker == 0xFF && fill < kMaxJpegSegments; ++fill) marker = bytes.at(++at);
    const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame) return sized(bytes, bytes.big(at + 6, 2), bytes.big(at + 4, 2));
    const std::uint32_t length = bytes.big(at + 1, 2);
    if (length < 2) return std::nullopt;
    at += 1 + length;
  }
  return std::nullopt;
}

std::optional<ImageSize> webp_size(Bytes& bytes) {
  if (bytes.is(12, "VP8 ")) return sized(bytes, bytes.little(26, 2) & 0x3FFF, bytes.little(28, 2) & 0x3FFF);
  if (bytes.is(12, "VP8X")) return sized(bytes, 1 + bytes.little(24, 3), 1 + bytes.little(27, 3));
  if (!bytes.is(12, "VP8L")) return std::nullopt;
  const std::uint32_t bits = bytes.little(21, 4);
  return sized(bytes, 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF));
}

// Behind the spaces that a PDF may have between two words.
std::size_t behind_spaces(std::string_view bytes, std::size_t at) {
  constexpr std::string_view kSpaces(" \r\n\t\f\0", 6);
  return std::min(bytes.find_first_not_of(kSpaces, at), bytes.size());
}

// Page objects ("/Type /Page" with any space between, not "/Pages") in decoded bytes.
std::int64_t page_objects(std::string_view bytes) {
  constexpr std::string_view kType = "/Type";
  constexpr std::string_view kPage = "/Page";
  std::int64_t pages = 0;
  for (std::size_t at = bytes.find(kType); at != std::string_view::npos; at = bytes.find(kType, at)) {
    at += kType.size();
    const std::size_t name = behind_spaces(bytes, at);
    if (!bytes.substr(name).starts_with(kPage)) continue;
    const std::size_t after = name + kPage.size();
    pages += after < bytes.size() && bytes[after] != 's' ? 1 : 0;
  }
  return pages;
}

// The largest "/Count 12" in decoded bytes: a page tree says so at its root. At most kMaxPdfPages.
std::int64_t largest_count(std::string_view bytes) {
  constexpr std::string_view kCount = "/Count";
  std::int64_t largest = 0;
  for (std::size_t at = bytes.find(kCount); at != std::string_view::npos; at = bytes.find(kCount, at)) {
    at += kCount.size();
    std::size_t place = behind_spaces(bytes, at);
    if (place < bytes.size() && bytes[place] == '+') ++place;
    std::int64_t count = 0;
    for (; place < bytes.size() && bytes[place] >= '0' && bytes[place] <= '9'; ++place) {
      count = std::min(kMaxPdfPages, count * 10 + (bytes[place] - '0'));
    }
    largest = std::max(largest, count);
  }
  return largest;
}

}  // namespace

std::string_view base64_payload(std::string_view text) {
  if (!text.starts_with("data:")) return text;
  const std::size_t comma = text.find(',');
  return comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
}

std::string_view media_type_of(std::string_view data_url) {
  if (!data_url.starts_with("data:")) return {};
  return data_url.substr(5, std::min(data_url.find_first_of(";,"), data_url.size()) - 5);
}

std::int64_t decoded_size(std::string_view base64) {
  while (base64.ends_with('=')) base64.remove_suffix(1);
  return static_cast<std::int64_t>(base64.size() / 4 * 3 + base64.size() % 4 * 3 / 4);
}

std::string base64_decoded(std::string_view base64) {
  std::string out;
  out.reserve(base64.size() / 4 * 3);
  std::uint32_t group = 0;
  int digits = 0;
  for (const char c : base64) {
    const std::uint32_t value = digit(c);
    if (value == kNoDigit) continue;
    group = group << 6 | value;
    if (++digits < 4) continue;
    out += static_cast<char>(group >> 16 & 0xFF);
    out += static_cast<char>(group >> 8 & 0xFF);
    out += static_cast<char>(group & 0xFF);
    digits = 0;
    group = 0;
  }
  // Two or three digits at the end are one byte or two.
  if (digits >= 2) out += static_cast<char>(group >> (digits == 2 ? 4 : 10) & 0xFF);
  if (digits == 3) out += static_cast<char>(group >> 2 & 0xFF);
  return out;
}

std::optional<ImageSize> image_size(std::string_view text) {
  Bytes bytes(base64_payload(text));
  switch (bytes.at(0)) {
    case 0x89:
      if (!bytes.is(1, "PNG") || !bytes.is(12, "IHDR")) return std::nullopt;
      return sized(bytes, bytes.big(16, 4), bytes.big(20, 4));
    case 0xFF:
      return bytes.at(1) == 0xD8 ? jpeg_size(bytes) : std::nullopt;
    case 'G':
      return bytes.is(0, "GIF8") ? sized(bytes, bytes.little(6, 2), bytes.little(8, 2)) : std::nullopt;
    case 'R':
      return bytes.is(0, "RIFF") && bytes.is(8, "WEBP") ? webp_size(bytes) : std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<double> wav_seconds(std::string_view text) {
  const std::string_view payload = base64_payload(text);
  Bytes bytes(payload);
  if (!bytes.is(0, "RIFF") || !bytes.is(8, "WAVE")) return std::nullopt;
  std::size_t at = 12;
  for (int chunk = 0; chunk < kMaxWavChunks && bytes.good(); ++chunk) {
    const std::uint32_t length = bytes.little(at + 4, 4);
    if (bytes.is(at, "fmt ")) {
      const double frames = bytes.little(at + 12, 4);
      const double frame_bits = bytes.little(at + 10, 2) * bytes.little(at + 22, 2);
      double rate = bytes.little(at + 16, 4);
      // The smaller of both: a head that claims too fast a rate must not make a recording short.
      if (frame_bits > 0) rate = std::min(rate, frames * frame_bits / 8);
      if (!bytes.good() || rate < 1) return std::nullopt;
      // All that was sent, whatever its own length field says.
      return static_cast<double>(decoded_size(payload)) / rate;
    }
    at += 8 + std::size_t{length} + length % 2;
  }
  return std::nullopt;
}

std::int64_t pdf_pages(std::string_view text, std::size_t& budget) {
  const std::string_view payload = base64_payload(text);
  const std::int64_t size = decoded_size(payload);
  const std::size_t chars = std::min(payload.size(), budget / 3 * 4);
  const std::string bytes = base64_decoded(payload.substr(0, chars));
  budget -= std::min(budget, chars / 4 * 3);
  const std::int64_t by_size = std::max<std::int64_t>(1, (size + kPdfBytesPerPage - 1) / kPdfBytesPerPage);
  std::int64_t seen = page_objects(bytes);
  if (seen == 0) return by_size;
  if (chars < payload.size()) {
    const auto read = static_cast<double>(std::max<std::size_t>(1, bytes.size()));
    seen = static_cast<std::int64_t>(std::ceil(static_cast<double>(seen) * static_cast<double>(size) / read));
  }
  // Where objects are compressed, those in sight may be few of many.
  if (bytes.find("/ObjStm") == std::string::npos) return seen;
  return std::max({seen, by_size, largest_count(bytes)});
}

}  // namespace weir
