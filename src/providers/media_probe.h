// What the first bytes of an attachment tell: the size of an image, the seconds of a recording, the pages of a PDF.
//
//   auto size = image_size("data:image/png;base64,iVBORw0KGgo…");   // {1024, 768}
//   auto seconds = wav_seconds(base64);                               // 12.4
//   std::size_t budget = kMaxPdfScan;
//   std::int64_t pages = pdf_pages(base64, budget);                   // never less than what was seen
//
// Payloads are base64 (plain or URL alphabet, no line breaks), with or without a data: URL around them. No probe
// decodes a whole payload: heads by random access, PDFs as far as `budget` goes. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

struct ImageSize {
  std::int64_t width = 0;
  std::int64_t height = 0;
  bool operator==(const ImageSize&) const = default;
};

// Segments of a JPEG passed before the one with its size.
inline constexpr int kMaxJpegSegments = 256;
inline constexpr int kMaxWavChunks = 64;
// Decoded bytes of PDFs that are looked at in one request.
inline constexpr std::size_t kMaxPdfScan = 1 << 20;
// A page takes at least about this much in a file whose page objects are compressed.
inline constexpr std::int64_t kPdfBytesPerPage = 3'000;
// A page tree that claims more is not believed further.
inline constexpr std::int64_t kMaxPdfPages = 100'000;

// The base64 of "data:image/png;base64,…"; other texts as they are.
std::string_view base64_payload(std::string_view text);
// "image/png" of a data: URL; empty for other texts.
std::string_view media_type_of(std::string_view data_url);
// Bytes that a base64 text stands for.
std::int64_t decoded_size(std::string_view base64);
// Those bytes. Characters of no alphabet are passed over.
std::string base64_decoded(std::string_view base64);

// PNG, JPEG, GIF, WebP. nullopt: another format, a broken head, or a side of zero.
std::optional<ImageSize> image_size(std::string_view text);
// nullopt: no WAV, or a head that makes no sense.
std::optional<double> wav_seconds(std::string_view text);
// At least 1. Counts page objects in the first `budget` bytes (lowered by what was read) and takes the rest to be like
// them. With none to be seen, by size; where some objects are compressed, by size or by the page tree's own count if
// that is more.
std::int64_t pdf_pages(std::string_view text, std::size_t& budget);

}  // namespace weir
