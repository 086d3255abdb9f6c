// How long answers turn out to be, per tenant and model, learned from those that have ended.
//
//   OutputHistory history({.quantile = 0.97, .warmup = 20});
//   history.learn(OutputHistory::key("acme", "gpt-4o"), 412);
//   if (auto tokens = history.learned(key)) …hold that much…
//
// What is learned is never below the true quantile of the answers seen and at most 5% above it; up to 19 tokens it is
// exact. Answers fade: of the first 4,096 all count alike, then the weight of the past is halved every 2,048 answers,
// so a change of habit shows after some thousand.
//
// Bounded: at most kMaxKeys tenants and models (about 1.4 KB each); what was used least recently is forgotten first, in
// each of 16 shards by itself. Thread-safe; O(1) a call. Keys are not keyed hashes: whoever aims two names at one key
// makes an estimate worse, nothing else.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace weir {

class OutputHistory {
 public:
  static constexpr std::size_t kMaxKeys = 20'000;

  struct Options {
    double quantile = 0.97;  // 0 to 1
    std::int64_t warmup = 20;
  };
  explicit OutputHistory(Options options);
  ~OutputHistory();
  OutputHistory(const OutputHistory&) = delete;
  OutputHistory& operator=(const OutputHistory&) = delete;

  static std::uint64_t key(std::string_view tenant, std::string_view model);

  void learn(std::uint64_t key, std::int64_t output_tokens);
  // The quantile of the outputs seen, rounded up to what its resolution allows; nullopt before `warmup` answers.
  std::optional<std::int64_t> learned(std::uint64_t key) const;
  void set_options(Options options);  // after a reload

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
