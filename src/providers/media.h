// Tokens of images, recordings and documents by their provider's published rules: upper bounds where a rule leaves
// room.
//
//   media_image_tokens(Dialect::kOpenAi, "gpt-4o", ImageSize{1024, 1024}, ImageDetail::kHigh);   // 765
//   media_image_tokens(Dialect::kAnthropic, "claude-sonnet-4-5", ImageSize{200, 200}, {});       // 54
//   media_audio_tokens(Dialect::kGemini, base64);                                                // 32 per second
//
// Sources (as published in 2025; docs/media.md has them as a table): OpenAI "Images and vision", "Calculating costs";
// Anthropic "Vision", "PDF support"; Google "Understand and count tokens", "Document understanding", "Image
// understanding". Ollama publishes none: the image embeddings of the models it serves. An image whose size is unknown
// takes the most that its rule can give. Thread-safe; results are 0 to kMaxMediaTokens.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "providers/media_probe.h"
#include "providers/operation.h"

namespace weir {

inline constexpr std::int64_t kMaxMediaTokens = std::int64_t{1} << 32;  // of one attachment

// kOriginal: what some newer OpenAI models take in full.
enum class ImageDetail : std::uint8_t { kAuto, kLow, kHigh, kOriginal };
ImageDetail image_detail_from(std::string_view word);  // unknown words: kAuto

// nullopt: nothing bounds it (a Gemini image of unknown size).
std::optional<std::int64_t> media_image_tokens(Dialect dialect, std::string_view model, std::optional<ImageSize> size,
                                               ImageDetail detail);
// By the head of a WAV, others by their size at kLeastAudioBytes a second. `text`: base64 or a data: URL.
std::int64_t media_audio_tokens(Dialect dialect, std::string_view text);
// By size at kLeastVideoBytes a second; Gemini's rule, sound included.
std::int64_t media_video_tokens(std::string_view text);
// `budget`: as of pdf_pages().
std::int64_t media_pdf_tokens(Dialect dialect, std::string_view model, std::string_view text, std::size_t& budget);

// What a second takes at least: speech at 16 kbit/s, video at 128 kbit/s.
inline constexpr std::int64_t kLeastAudioBytes = 2'000;
inline constexpr std::int64_t kLeastVideoBytes = 16'000;

}  // namespace weir
