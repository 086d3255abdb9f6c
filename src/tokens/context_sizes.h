// How much input hides behind an id that a request only names: an earlier response, a cached content, a file.
//
//   ContextSizes contexts;
//   contexts.remember("acme", "resp_1", 5200);       // that response's input and output together
//   contexts.tokens_of("acme", "resp_1");            // 5200; nullopt if nothing is known
//
// Ids are a tenant's (or key's) own. Bounded: kMaxIds, what was used least recently is forgotten first. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace weir {

class ContextSizes {
 public:
  static constexpr std::size_t kMaxIds = 200'000;

  ContextSizes();
  ~ContextSizes();
  ContextSizes(const ContextSizes&) = delete;
  ContextSizes& operator=(const ContextSizes&) = delete;

  void remember(std::string_view owner, std::string_view id, std::int64_t tokens);
  std::optional<std::int64_t> tokens_of(std::string_view owner, std::string_view id) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
