// Our tokenizer for compare.mjs: commands on stdin, answers on stdout.
//
//   load N         then N texts, each a 32-bit little-endian size and its bytes; replaces those before
//   ids NAME       one line of ids per text, by the encoding of that name
//   counts NAME    one line per text: count(), and a TokenCounter's tokens() after cuts of 7 bytes
//   time NAME N    nanoseconds of this thread's processor time to count all texts N times, and their tokens
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "tokens/tokenizer.h"

namespace {

using namespace weir;

std::int64_t thread_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

bool load(std::size_t count, std::vector<std::string>& texts) {
  texts.clear();
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t size = 0;
    if (std::fread(&size, sizeof size, 1, stdin) != 1) return false;
    std::string text(size, '\0');
    if (size > 0 && std::fread(text.data(), size, 1, stdin) != 1) return false;
    texts.push_back(std::move(text));
  }
  std::puts("loaded");
  return true;
}

void print_ids(const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  std::vector<std::uint32_t> ids;
  std::string line;
  for (const std::string& text : texts) {
    ids.clear();
    tokenizer.encode(text, ids);
    line.clear();
    for (const std::uint32_t id : ids) {
      if (!line.empty()) line += ' ';
      line += std::to_string(id);
    }
    std::puts(line.c_str());
  }
}

void print_counts(const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    TokenCounter counter(tokenizer);
    for (std::size_t at = 0; at < text.size(); at += 7) counter.append(std::string_view(text).substr(at, 7));
    std::printf("%lld %lld\n", static_cast<long long>(tokenizer.count(text)), static_cast<long long>(counter.tokens()));
  }
}

void print_time(const Tokenizer& tokenizer, const std::vector<std::string>& texts, long rounds) {
  std::int64_t tokens = 0;
  const std::int64_t begin = thread_ns();
  for (long round = 0; round < rounds; ++round) {
    for (const std::string& text : texts) tokens += tokenizer.count(text);
  }
  const std::int64_t end = thread_ns();
  std::printf("%lld %lld\n", static_cast<long long>(end - begin), static_cast<long long>(tokens));
}

}  // namespace

int main() {
  std::vector<std::string> texts;
  char line[128], command[16], name[32];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    long number = 1;
    if (std::sscanf(line, "load %ld", &number) == 1) {
      if (number < 0 || !load(static_cast<std::size_t>(number), texts)) return 1;
    } else {
      if (std::sscanf(line, "%15s %31s %ld", command, name, &number) < 2) return 1;
      const auto encoding = encoding_from(name);
      if (!encoding) return 1;
      const Tokenizer& tokenizer = Tokenizer::of(*encoding);
      if (std::strcmp(command, "ids") == 0)
        print_ids(tokenizer, texts);
      else if (std::strcmp(command, "counts") == 0)
        print_counts(tokenizer, texts);
      else if (std::strcmp(command, "time") == 0)
        print_time(tokenizer, texts, number);
      else
        return 1;
    }
    std::fflush(stdout);
  }
}
