#include "providers/media.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace weir {
namespace {

std::string base64(std::string_view bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string big(std::uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}

std::string little(std::uint32_t value, int bytes) {
  std::string out = big(value, bytes);
  return {out.rbegin(), out.rend()};
}

std::string png(std::uint32_t width, std::uint32_t height) {
  return "\x89PNG\r\n\x1a\n" + big(13, 4) + "IHDR" + big(width, 4) + big(height, 4) + "\x08\x06";
}

std::string jpeg(std::uint32_t width, std::uint32_t height, std::size_t exif, int segments = 1) {
  std::string out = "\xFF\xD8";
  for (int i = 0; i < segments; ++i) {
    out += "\xFF\xE1" + big(static_cast<std::uint32_t>(exif + 2), 2) + std::string(exif, 'e');
  }
  return out + "\xFF\xFF\xC2" + big(17, 2) + "\x08" + big(height, 2) + big(width, 2) + std::string(20, 'd');
}

std::string webp(std::string_view kind, const std::string& rest) {
  return "RIFF" + std::string(4, 's') + "WEBP" + std::string(kind) + rest + std::string(8, 'x');
}

std::string wav(std::uint32_t byte_rate, std::uint32_t samples, std::size_t data) {
  return "RIFF" + little(static_cast<std::uint32_t>(data) + 36, 4) + "WAVE" + "LIST" + little(3, 4) + "abc" +
         std::string(1, '\0') + "fmt " + little(16, 4) + little(1, 2) + little(1, 2) + little(samples, 4) +
         little(byte_rate, 4) + little(2, 2) + little(16, 2) + "data" + little(static_cast<std::uint32_t>(data), 4) +
         std::string(data, 'd');
}

TEST(ImageSize, IsReadFromTheHeadOfEachFormat) {
  const ImageSize size{640, 480};
  EXPECT_EQ(image_size(base64(png(640, 480))), size);
  EXPECT_EQ(image_size("data:image/png;base64," + base64(png(640, 480))), size);
  EXPECT_EQ(image_size(base64(jpeg(640, 480, 10))), size);
  EXPECT_EQ(image_size(base64(jpeg(640, 480, 60'000, 4))), size) << "behind large metadata";
  EXPECT_EQ(image_size(base64("GIF89a" + little(640, 2) + little(480, 2) + "rest")), size);
  EXPECT_EQ(image_size(base64(webp("VP8X", std::string(8, '\0') + little(639, 3) + little(479, 3)))), size);
  EXPECT_EQ(image_size(base64(webp("VP8 ", std::string(10, '\0') + little(640, 2) + little(480, 2)))), size);
  EXPECT_EQ(image_size(base64(webp("VP8L", std::string(4, '\0') + "\x2f" + little(639u | 479u << 14, 4)))), size);
}

TEST(ImageSize, IsUnknownWhenTheHeadIsBroken) {
  for (const std::string& bytes : {std::string(), std::string("x"), png(640, 480).substr(0, 20), png(0, 480),
                                   jpeg(640, 480, 10).substr(0, 16), std::string("\xFF\xD8\xFF\xE1\x00\x00", 6),
                                   std::string("\xFF\xD8") + std::string(5'000, '\xFF'), webp("VP9 ", "abc")}) {
    EXPECT_FALSE(image_size(base64(bytes)).has_value()) << bytes.size();
  }
  EXPECT_FALSE(image_size("data:image/png;base64").has_value());
  EXPECT_FALSE(image_size("iVBOR*0KGgoAAAANSUhEUgAAAoAAAAHgCAYAAAA=").has_value()) << "no base64";
  EXPECT_TRUE(image_size(base64(jpeg(640, 480, 1, kMaxJpegSegments - 1))).has_value());
  EXPECT_FALSE(image_size(base64(jpeg(640, 480, 1, kMaxJpegSegments))).has_value()) << "too many segments";
}

RC_GTEST_PROP(MediaProperty, AnyBytesAreSizedOrNotAndNeverNegative, (const std::string& bytes, std::uint8_t head)) {
  const std::string heads[] = {png(3, 4).substr(0, 12), "\xFF\xD8", "RIFFxxxxWEBPVP8X",
                               "RIFFxxxxWAVE",          "GIF89a",   "%PDF"};
  const std::string text = base64(heads[head % 6] + bytes);
  for (const Dialect dialect : {Dialect::kOpenAi, Dialect::kAnthropic, Dialect::kGemini, Dialect::kOllama}) {
    const auto image = media_image_tokens(dialect, "m", image_size(text), ImageDetail::kAuto);
    RC_ASSERT(!image || (*image > 0 && *image <= kMaxMediaTokens));
    const std::int64_t audio = media_audio_tokens(dialect, text);
    RC_ASSERT(audio > 0);
    RC_ASSERT(audio <= kMaxMediaTokens);
    std::size_t budget = 64;
    RC_ASSERT(media_pdf_tokens(dialect, "m", text, budget) > 0);
    RC_ASSERT(budget <= 64u);
  }
}

TEST(OpenAiImages, CountAsThePublishedExamplesDo) {
  const struct {
    const char* model;
    ImageSize size;
    ImageDetail detail;
    std::int64_t tokens;
  } cases[] = {
      {"gpt-4o", {1024, 1024}, ImageDetail::kHigh, 765},
      {"gpt-4o", {2048, 4096}, ImageDetail::kHigh, 1105},
      {"gpt-4o", {4096, 8192}, ImageDetail::kLow, 85},
      {"gpt-4o", {512, 512}, ImageDetail::kAuto, 255},
      {"gpt-4o-mini", {512, 512}, ImageDetail::kHigh, 2833 + 5667},
      {"gpt-4o-mini-2024-07-18", {4096, 8192}, ImageDetail::kLow, 2833},
      {"o1", {1024, 1024}, ImageDetail::kHigh, 75 + 4 * 150},
      {"o3", {512, 512}, ImageDetail::kHigh, 225},
      {"gpt-5", {1024, 1024}, ImageDetail::kHigh, 70 + 4 * 140},
      {"gpt-4.1-mini", {1024, 1024}, ImageDetail::kHigh, 1'659},  // 1024 patches × 1.62, rounded up
      {"gpt-4.1-mini", {1800, 2400}, ImageDetail::kHigh, 2'353},  // 1452 patches
      {"gpt-5-nano", {1024, 1024}, ImageDetail::kHigh, 2'520},
      {"o4-mini", {32, 32}, ImageDetail::kHigh, 2},
      {"o4-mini-2025-04-16", {33, 32}, ImageDetail::kHigh, 4},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(media_image_tokens(Dialect::kOpenAi, c.model, c.size, c.detail), c.tokens) << c.model;
  }
}

RC_GTEST_PROP(MediaProperty, AnImageOfUnknownSizeTakesTheMost, ()) {
  const auto side = rc::gen::inRange<std::int64_t>(1, 40'000);
  const ImageSize size{*side, *side};
  const std::string model =
      *rc::gen::element<std::string>("gpt-4o", "gpt-4o-mini", "o1", "gpt-5-mini", "o4-mini", "new", "claude-3-5-haiku",
                                     "claude-sonnet-4-5", "claude-next");
  const Dialect dialect = model.starts_with("claude") ? Dialect::kAnthropic : Dialect::kOpenAi;
  const auto detail =
      *rc::gen::element(ImageDetail::kAuto, ImageDetail::kLow, ImageDetail::kHigh, ImageDetail::kOriginal);
  RC_ASSERT(*media_image_tokens(dialect, model, size, detail) <=
            *media_image_tokens(dialect, model, std::nullopt, detail));
}

TEST(OpenAiImages, AnUnknownModelTakesTheLargerRule) {
  for (const ImageSize size : {ImageSize{512, 512}, ImageSize{1024, 1024}, ImageSize{3000, 100}}) {
    const auto of = [&](const char* model) {
      return *media_image_tokens(Dialect::kOpenAi, model, size, ImageDetail::kHigh);
    };
    EXPECT_GE(of("something-new"), of("gpt-4o"));
    EXPECT_GE(of("something-new"), of("gpt-5-nano"));
  }
}

TEST(AnthropicImages, CountAsThePublishedTableDoes) {
  const auto of = [](const char* model, ImageSize size) {
    return *media_image_tokens(Dialect::kAnthropic, model, size, ImageDetail::kAuto);
  };
  EXPECT_EQ(of("claude-sonnet-4-5", {200, 200}), 54);
  EXPECT_EQ(of("claude-sonnet-4-5", {1000, 1000}), 1334);
  EXPECT_EQ(of("claude-sonnet-4-5", {1092, 1092}), 1590);
  EXPECT_EQ(of("claude-3-haiku", {8000, 8000}), 1640);
  EXPECT_EQ(of("claude-3-haiku", {3136, 1000}), (1568 * 500 + 749) / 750);
  EXPECT_EQ(of("claude-opus-4-7", {8000, 8000}), 4784) << "high resolution";
  EXPECT_EQ(of("claude-of-tomorrow", {8000, 8000}), 4784) << "unknown: the larger bound";
  EXPECT_EQ(of("claude-3-haiku", {1, 1}), 1);
}

TEST(GeminiImages, CountByTiles) {
  const auto of = [](ImageSize size) { return media_image_tokens(Dialect::kGemini, "gemini", size, {}); };
  EXPECT_EQ(of({384, 384}), 258);
  EXPECT_EQ(of({960, 540}), 6 * 258) << "the published example";
  EXPECT_EQ(of({3072, 1536}), 4 * 2 * 258);
  EXPECT_EQ(media_image_tokens(Dialect::kGemini, "gemini", std::nullopt, {}), std::nullopt);
  EXPECT_LE(*of({4'000'000'000, 4'000'000'000}), kMaxMediaTokens);
}

TEST(OllamaImages, AreFlatPerModel) {
  EXPECT_EQ(media_image_tokens(Dialect::kOllama, "gemma3:4b", std::nullopt, {}), 256);
  EXPECT_EQ(media_image_tokens(Dialect::kOllama, "somebody/new-vision", std::nullopt, {}), 6404);
}

TEST(Audio, WavCountsByItsSeconds) {
  const std::string ten_seconds = base64(wav(32'000, 16'000, 320'000));
  EXPECT_NEAR(*wav_seconds(ten_seconds), 10, 0.01);
  EXPECT_EQ(media_audio_tokens(Dialect::kOpenAi, ten_seconds), 101) << "the head's bytes round up";
  EXPECT_EQ(media_audio_tokens(Dialect::kGemini, ten_seconds), 321);
  EXPECT_NEAR(*wav_seconds(base64(wav(0xFFFFFFFF, 16'000, 320'000))), 10, 0.01) << "a head that lies about its rate";
  EXPECT_FALSE(wav_seconds(base64(wav(0, 16'000, 100))).has_value());
  EXPECT_FALSE(wav_seconds(base64("RIFFxxxxWAVE")).has_value());
  std::string chunks = "RIFFxxxxWAVE";
  for (int i = 0; i < kMaxWavChunks; ++i) chunks += "junk" + little(0, 4);
  EXPECT_FALSE(wav_seconds(base64(chunks + wav(32'000, 16'000, 9).substr(24))).has_value()) << "too many chunks";
}

TEST(Audio, OthersCountByTheirBytes) {
  EXPECT_EQ(media_audio_tokens(Dialect::kOpenAi, base64(std::string(20'000, 'm'))), 100);
  EXPECT_EQ(media_audio_tokens(Dialect::kGemini, base64(std::string(20'000, 'm'))), 320);
  EXPECT_EQ(media_video_tokens(base64(std::string(160'000, 'm'))), 10 * 295);
  EXPECT_EQ(media_audio_tokens(Dialect::kOpenAi, ""), 1);
}

std::string pdf(int pages, std::size_t page_bytes) {
  std::string out = "%PDF-1.7\n<< /Type /Catalog /Pages 2 0 R >> << /Type /Pages /Count 1 >>\n";
  for (int i = 0; i < pages; ++i) {
    out += i % 2 == 0 ? "<< /Type /Page /Parent 2 0 R >>" : "<</Type/Page/Parent 2 0 R>>";
    out += std::string(page_bytes, 'x');
  }
  return out;
}

TEST(Pdf, PagesAreCounted) {
  std::size_t budget = kMaxPdfScan;
  EXPECT_EQ(pdf_pages(base64(pdf(7, 10'000)), budget), 7);
  EXPECT_LT(budget, kMaxPdfScan);
  EXPECT_EQ(pdf_pages("data:application/pdf;base64," + base64(pdf(3, 10)), budget), 3);
  EXPECT_EQ(media_pdf_tokens(Dialect::kGemini, "gemini", base64(pdf(7, 10)), budget), 7 * 258);
  EXPECT_EQ(media_pdf_tokens(Dialect::kAnthropic, "claude-3-haiku", base64(pdf(2, 10)), budget), 2 * (3'000 + 1'640));
}

TEST(Pdf, CompressedPagesAreTakenFromTheSize) {
  std::size_t budget = kMaxPdfScan;
  EXPECT_EQ(pdf_pages(base64("%PDF-1.7" + std::string(29'992, 'z')), budget), 10);
  EXPECT_EQ(pdf_pages("", budget), 1);
}

TEST(Pdf, OnePageToBeSeenDoesNotHideTheCompressedOnes) {
  const auto pages = [](const std::string& bytes) {
    std::size_t budget = kMaxPdfScan;
    return pdf_pages(base64(bytes), budget);
  };
  const std::string stream = "<< /Type /ObjStm /N 99 >>" + std::string(300'000, 'z');
  EXPECT_GE(pages(pdf(1, 10) + stream), 100) << "by size";
  EXPECT_LE(pages(pdf(1, 10) + stream), 102);
  EXPECT_GE(pages(stream + pdf(1, 10)), 100) << "wherever it stands";
  EXPECT_EQ(pages(pdf(200, 10) + "<</Type/ObjStm>>"), 200) << "never less than what was seen";
  EXPECT_EQ(pages(pdf(1, 10) + "<</Type/ObjStm>>" + std::string(10, 'z')), 1) << "a small file holds few";
  for (const char* count : {"/Count 5000", "/Count\n5000/Kids", "/Count  +5000 ", "/Count 00005000>>"}) {
    EXPECT_EQ(pages(pdf(1, 10) + "<</Type/Pages /Count 3 " + count + stream), 5'000) << count;
  }
  for (const char* count : {"/Count -5000", "/Count", "/Counter 5000", "/Count 7"}) {
    EXPECT_LE(pages(pdf(1, 10) + count + stream), 102) << count;
  }
  EXPECT_EQ(pages(pdf(1, 10) + "/Count 99999999999999999999999999" + stream), kMaxPdfPages);
  EXPECT_EQ(pages("<</Type\t/Page>>" + std::string(30'000, 'z')), 1) << "any space of a PDF";
  EXPECT_EQ(pages(pdf(2, 10) + "<</Type/Outlines /Count 5000>>"), 2) << "nothing is compressed: all pages are seen";
}

TEST(Pdf, WhatIsBeyondTheBudgetIsTakenToBeLikeTheRest) {
  std::size_t budget = 100'000;
  const std::string text = base64(pdf(100, 4'000));
  const std::int64_t pages = pdf_pages(text, budget);
  EXPECT_GE(pages, 95);
  EXPECT_LE(pages, 110);
  EXPECT_LT(budget, 3u);
  EXPECT_GE(pdf_pages(text, budget), 100) << "nothing left to look with: by size";
}

}  // namespace
}  // namespace weir
