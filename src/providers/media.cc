#include "providers/media.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace weir {
namespace {

constexpr std::int64_t kMaxSide = 1 << 20;  // beyond it an image is taken to be this large

std::int64_t divided_up(std::int64_t value, std::int64_t by) {
  return (value + by - 1) / by;
}

std::int64_t rounded_up(double value) {
  return value >= static_cast<double>(kMaxMediaTokens) ? kMaxMediaTokens : static_cast<std::int64_t>(std::ceil(value));
}

// OpenAI ------------------------------------------------------------------------------------------------------------

struct OpenAiRule {
  std::string_view prefix;  // of the model's name; the first that fits decides
  std::int64_t base = 0;    // tile rule: per image
  std::int64_t tile = 0;    // and per 512 px tile; 0: no tile rule
  double patch_factor = 0;  // patch rule: per 32 px patch; 0: no patch rule
};

constexpr std::array kOpenAiRules = {
    OpenAiRule{"gpt-4.1-mini", 0, 0, 1.62}, OpenAiRule{"gpt-4.1-nano", 0, 0, 2.46},
    OpenAiRule{"gpt-5-mini", 0, 0, 1.62},   OpenAiRule{"gpt-5-nano", 0, 0, 2.46},
    OpenAiRule{"o4-mini", 0, 0, 1.72},      OpenAiRule{"gpt-4o-mini", 2833, 5667, 0},
    OpenAiRule{"gpt-4o", 85, 170, 0},       OpenAiRule{"chatgpt-4o", 85, 170, 0},
    OpenAiRule{"gpt-4.1", 85, 170, 0},      OpenAiRule{"gpt-4.5", 85, 170, 0},
    OpenAiRule{"gpt-4-", 85, 170, 0},       OpenAiRule{"o1", 75, 150, 0},
    OpenAiRule{"o3-mini", 85, 170, 2.46},   OpenAiRule{"o3", 75, 150, 0},
    OpenAiRule{"gpt-5-", 70, 140, 0},       OpenAiRule{"computer-use-preview", 65, 129, 0},
};
// Of names in no rule: the larger of both rules.
constexpr OpenAiRule kUnknownOpenAi{"", 85, 170, 2.46};

constexpr double kMostPatches = 1'536;
constexpr double kMostPatchesOriginal = 10'000;
constexpr std::int64_t kMostTiles = 8;  // 2048 by 768

const OpenAiRule& openai_rule(std::string_view model) {
  static constexpr OpenAiRule kGpt5{"gpt-5", 70, 140, 0};
  if (model == "gpt-5") return kGpt5;
  const auto* rule = std::find_if(kOpenAiRules.begin(), kOpenAiRules.end(),
                                  [&](const OpenAiRule& each) { return model.starts_with(each.prefix); });
  return rule == kOpenAiRules.end() ? kUnknownOpenAi : *rule;
}

// Into 2048 by 2048, then the shorter side to 768; never enlarged.
std::int64_t tiles_of(const ImageSize& size) {
  auto width = static_cast<double>(size.width);
  auto height = static_cast<double>(size.height);
  const double fit = std::min(1.0, 2048.0 / std::max(width, height));
  width *= fit;
  height *= fit;
  const double shrink = std::min(1.0, 768.0 / std::min(width, height));
  // A hair less, so that 512.0000001 is not two tiles.
  const auto along = [&](double side) { return std::max(1.0, std::ceil(side * shrink / 512.0 - 1e-9)); };
  return std::min(kMostTiles, static_cast<std::int64_t>(along(width) * along(height)));
}

double patches_of(const ImageSize& size, double most) {
  const auto width = static_cast<double>(size.width) / 32.0;
  const auto height = static_cast<double>(size.height) / 32.0;
  const double whole = std::ceil(width) * std::ceil(height);
  if (whole <= most) return whole;
  double shrink = std::sqrt(most / (width * height));
  // So far that both sides are whole patches, as the published formula has it.
  const double fit =
      std::min(std::floor(width * shrink) / (width * shrink), std::floor(height * shrink) / (height * shrink));
  if (!(fit > 0)) return most;  // a strip thinner than a patch
  shrink *= fit;
  return std::min(most, std::ceil(width * shrink - 1e-9) * std::ceil(height * shrink - 1e-9));
}

std::int64_t openai_image(std::string_view model, std::optional<ImageSize> size, ImageDetail detail) {
  const OpenAiRule& rule = openai_rule(model);
  std::int64_t tokens = 0;
  if (rule.tile > 0) {
    const std::int64_t tiles = detail == ImageDetail::kLow ? 0 : size ? tiles_of(*size) : kMostTiles;
    tokens = rule.base + rule.tile * tiles;
  }
  if (rule.patch_factor > 0) {
    const double most = detail == ImageDetail::kOriginal ? kMostPatchesOriginal : kMostPatches;
    tokens = std::max(tokens, rounded_up((size ? patches_of(*size, most) : most) * rule.patch_factor - 1e-9));
  }
  return tokens;
}

// Anthropic ---------------------------------------------------------------------------------------------------------

struct AnthropicRule {
  double long_edge;
  std::int64_t most;
};

// Older models; every other name takes the bound of the high-resolution ones.
AnthropicRule anthropic_rule(std::string_view model) {
  static constexpr std::array<std::string_view, 6> kClassic = {"claude-2",       "claude-3",        "claude-sonnet-4",
                                                               "claude-haiku-4", "claude-opus-4-2", "claude-opus-4-0"};
  const auto is = [&](std::string_view prefix) { return model.starts_with(prefix); };
  bool classic = std::any_of(kClassic.begin(), kClassic.end(), is);
  for (const std::string_view prefix : {"claude-opus-4-1", "claude-opus-4-5", "claude-opus-4-6"}) {
    classic = classic || is(prefix);
  }
  return classic ? AnthropicRule{1'568, 1'640} : AnthropicRule{2'576, 4'784};
}

std::int64_t anthropic_image(std::string_view model, std::optional<ImageSize> size) {
  const AnthropicRule rule = anthropic_rule(model);
  if (!size) return rule.most;
  const auto width = static_cast<double>(size->width);
  const auto height = static_cast<double>(size->height);
  const double fit = std::min(1.0, rule.long_edge / std::max(width, height));
  return std::clamp<std::int64_t>(rounded_up(width * fit * height * fit / 750.0), 1, rule.most);
}

// Gemini ------------------------------------------------------------------------------------------------------------

constexpr std::int64_t kGeminiTile = 258;
constexpr std::int64_t kGeminiAudioPerSecond = 32;
constexpr std::int64_t kGeminiVideoPerSecond = 263;

std::int64_t gemini_image(const ImageSize& size) {
  if (size.width <= 384 && size.height <= 384) return kGeminiTile;
  // Tiles of 768 px, smaller ones for small images: two thirds of the shorter side, at least 256.
  const std::int64_t unit = std::clamp<std::int64_t>(std::min(size.width, size.height) * 2 / 3, 256, 768);
  return std::min(kMaxMediaTokens, divided_up(size.width, unit) * divided_up(size.height, unit) * kGeminiTile);
}

// Ollama ------------------------------------------------------------------------------------------------------------

struct OllamaRule {
  std::string_view prefix;
  std::int64_t tokens;
};

// The most that an image becomes: patches × crops.
constexpr std::array kOllamaRules = {
    OllamaRule{"gemma3", 256},    OllamaRule{"llava:", 2'880},  OllamaRule{"bakllava", 576},
    OllamaRule{"moondream", 729}, OllamaRule{"minicpm-v", 640},
};
constexpr std::int64_t kOllamaMost = 6'404;  // Llama 3.2 Vision: four tiles of 1,601

std::int64_t ollama_image(std::string_view model) {
  for (const OllamaRule& rule : kOllamaRules) {
    if (model.starts_with(rule.prefix)) return rule.tokens;
  }
  return kOllamaMost;
}

// Documents ---------------------------------------------------------------------------------------------------------

// The text of a dense page; Anthropic says 1,500 to 3,000. OpenAI publishes none, so the same there.
constexpr std::int64_t kPageText = 3'000;
// A page as an image, its longer side at what the provider keeps.
constexpr ImageSize kPageImage{1'700, 2'200};

}  // namespace

ImageDetail image_detail_from(std::string_view word) {
  if (word == "low") return ImageDetail::kLow;
  if (word == "high") return ImageDetail::kHigh;
  if (word == "original") return ImageDetail::kOriginal;
  return ImageDetail::kAuto;
}

std::optional<std::int64_t> media_image_tokens(Dialect dialect, std::string_view model, std::optional<ImageSize> size,
                                               ImageDetail detail) {
  if (size) size = ImageSize{std::min(size->width, kMaxSide), std::min(size->height, kMaxSide)};
  switch (dialect) {
    case Dialect::kOpenAi:
      return openai_image(model, size, detail);
    case Dialect::kAnthropic:
      return anthropic_image(model, size);
    case Dialect::kGemini:
      if (!size) return std::nullopt;
      return gemini_image(*size);
    case Dialect::kOllama:
      return ollama_image(model);
  }
  return std::nullopt;
}

std::int64_t media_audio_tokens(Dialect dialect, std::string_view text) {
  // OpenAI hears a token in every tenth of a second.
  const double per_second = dialect == Dialect::kGemini ? static_cast<double>(kGeminiAudioPerSecond) : 10.0;
  const double bytes = static_cast<double>(decoded_size(base64_payload(text)));
  const double seconds = wav_seconds(text).value_or(bytes / static_cast<double>(kLeastAudioBytes));
  return std::max<std::int64_t>(1, rounded_up(seconds * per_second));
}

std::int64_t media_video_tokens(std::string_view text) {
  const std::int64_t seconds = divided_up(decoded_size(base64_payload(text)), kLeastVideoBytes);
  return std::max<std::int64_t>(1, seconds) * (kGeminiVideoPerSecond + kGeminiAudioPerSecond);
}

std::int64_t media_pdf_tokens(Dialect dialect, std::string_view model, std::string_view text, std::size_t& budget) {
  const std::int64_t pages = pdf_pages(text, budget);
  if (dialect == Dialect::kGemini) return pages * kGeminiTile;
  return pages * (kPageText + media_image_tokens(dialect, model, kPageImage, ImageDetail::kHigh).value_or(0));
}

}  // namespace weir
