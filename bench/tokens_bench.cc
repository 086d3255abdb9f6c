// Benchmarks of the tokenizer, one thread, processor time; the rivals run beside it in bench/tokens/compare.mjs.
//
//   tokens_bench [--data FOLDER]        JSON lines on stdout, a table on stderr
//
// Workloads, for each encoding:
//   load          the first use of the encoding: finding its table and counting ten words
//   prose         1 MB of transcripts_*.jsonl from FOLDER (default ../shared/data); without them, of made-up words
//   letter, pair, spaces, newlines, digits, marks, points, bytes, capitals
//                 1 MB of one letter, of "ab", of spaces, of line ends, of digits, of '!', of random code points, of
//                 random bytes, of random capitals with caseless letters between: nanoseconds a byte, and how many
//                 times that of prose
//   stream_letter, stream_prose   1 MB appended to a TokenCounter, 10 bytes at a time, tokens() after every piece
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "tokens/tokenizer.h"

namespace {

using namespace weir;

constexpr std::size_t kSize = 1'000'000;

std::int64_t thread_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

class Random {
 public:
  std::uint32_t below(std::uint32_t bound) {
    state_ ^= state_ << 13, state_ ^= state_ >> 7, state_ ^= state_ << 17;
    return static_cast<std::uint32_t>((state_ >> 32) * bound >> 32);
  }

 private:
  std::uint64_t state_ = 0x9E3779B97F4A7C15ull;
};

void append_code_point(std::string& out, std::uint32_t point) {
  const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
  if (point < 0x80) return byte(point);
  if (point < 0x800) return byte(0xC0 | point >> 6), byte(0x80 | (point & 0x3F));
  if (point < 0x10000) {
    return byte(0xE0 | point >> 12), byte(0x80 | (point >> 6 & 0x3F)), byte(0x80 | (point & 0x3F));
  }
  byte(0xF0 | point >> 18), byte(0x80 | (point >> 12 & 0x3F)), byte(0x80 | (point >> 6 & 0x3F));
  byte(0x80 | (point & 0x3F));
}

std::string made(const std::function<void(std::string&)>& more) {
  std::string text;
  while (text.size() < kSize) more(text);
  return text;
}

std::string repeated(std::string_view part) {
  return made([&](std::string& text) { text += part; });
}

std::string prose(const std::string& folder) {
  std::string text;
  std::error_code ignored;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("transcripts_") && name.ends_with(".jsonl")) names.push_back(entry.path());
  }
  std::ranges::sort(names);
  for (const std::string& name : names) {
    std::ifstream in(name);
    for (std::string line; text.size() < kSize && std::getline(in, line);) text += line + "\n";
  }
  if (!text.empty()) return text.substr(0, kSize);
  std::fprintf(stderr, "no transcripts in %s: made-up words instead\n", folder.c_str());
  Random random;
  return made([&](std::string& out) {
    static constexpr std::array<std::string_view, 8> kWords{" the", " request", " tokens", ", and",
                                                            " of",  " budget",  ".\n",     " Limits"};
    out += kWords[random.below(kWords.size())];
  });
}

struct Workload {
  const char* name;
  std::string text;
};

std::vector<Workload> workloads(const std::string& folder) {
  Random random;
  const auto point = [&](std::string& out) {
    const std::uint32_t value = random.below(0x110000 - 0x800);
    append_code_point(out, value < 0xD800 ? value : value + 0x800);
  };
  const auto capital = [&](std::string& out) {
    if (random.below(20) == 0)
      append_code_point(out, 0x4E00 + random.below(2000));
    else
      out += static_cast<char>('A' + random.below(26));
  };
  return {{"prose", prose(folder)},
          {"letter", repeated("a")},
          {"pair", repeated("ab")},
          {"spaces", repeated(" ")},
          {"newlines", repeated("\n")},
          {"digits", made([&](std::string& out) { out += static_cast<char>('0' + random.below(10)); })},
          {"marks", repeated("!")},
          {"points", made(point)},
          {"bytes", made([&](std::string& out) { out += static_cast<char>(random.below(256)); })},
          {"capitals", made(capital)}};
}

double best_ns_per_byte(std::size_t bytes, const std::function<void()>& run) {
  std::int64_t best = INT64_MAX;
  for (int round = 0; round < 5; ++round) {
    const std::int64_t begin = thread_ns();
    run();
    best = std::min(best, thread_ns() - begin);
  }
  return static_cast<double>(best) / static_cast<double>(bytes);
}

void report(Encoding encoding, const char* workload, double ns_per_byte, double prose_ns, std::int64_t tokens) {
  const std::string name(to_string(encoding));
  std::printf(
      "{\"bench\":\"tokens\",\"encoding\":\"%s\",\"workload\":\"%s\",\"ns_per_byte\":%.2f,\"mb_s\":%.1f,"
      "\"times_prose\":%.2f,\"tokens\":%lld}\n",
      name.c_str(), workload, ns_per_byte, 1000 / ns_per_byte, ns_per_byte / prose_ns, static_cast<long long>(tokens));
  std::fprintf(stderr, "%-12s %-14s %7.2f ns/byte %7.1f MB/s %5.2f x prose\n", name.c_str(), workload, ns_per_byte,
               1000 / ns_per_byte, ns_per_byte / prose_ns);
}

void stream(Encoding encoding, const char* name, const std::string& text, double prose_ns) {
  std::int64_t tokens = 0;
  const double ns = best_ns_per_byte(text.size(), [&] {
    TokenCounter counter(Tokenizer::of(encoding));
    for (std::size_t at = 0; at < text.size(); at += 10) {
      counter.append(std::string_view(text).substr(at, 10));
      tokens = counter.tokens();
    }
  });
  report(encoding, name, ns, prose_ns, tokens);
}

}  // namespace

int main(int argc, char** argv) {
  const bool given = argc == 3 && std::strcmp(argv[1], "--data") == 0;
  if (argc != 1 && !given) {
    std::fputs("usage: tokens_bench [--data FOLDER]\n", stderr);
    return 2;
  }
  const std::vector<Workload> all = workloads(given ? argv[2] : "../shared/data");
  for (const Encoding encoding : {Encoding::kO200k, Encoding::kCl100k, Encoding::kP50k, Encoding::kR50k}) {
    const std::int64_t begin = thread_ns();
    const std::int64_t first = Tokenizer::of(encoding).count("What an encoding costs when it is used first, in all.");
    const double load_ms = static_cast<double>(thread_ns() - begin) / 1e6;
    std::printf("{\"bench\":\"tokens\",\"encoding\":\"%s\",\"workload\":\"load\",\"ms\":%.3f,\"tokens\":%lld}\n",
                std::string(to_string(encoding)).c_str(), load_ms, static_cast<long long>(first));
    std::fprintf(stderr, "%-12s load %.3f ms\n", std::string(to_string(encoding)).c_str(), load_ms);
    double prose_ns = 0;
    for (const Workload& workload : all) {
      std::int64_t tokens = 0;
      const double ns =
          best_ns_per_byte(workload.text.size(), [&] { tokens = Tokenizer::of(encoding).count(workload.text); });
      if (prose_ns == 0) prose_ns = ns;
      report(encoding, workload.name, ns, prose_ns, tokens);
    }
    stream(encoding, "stream_letter", all[1].text, prose_ns);
    stream(encoding, "stream_prose", all[0].text, prose_ns);
  }
}
