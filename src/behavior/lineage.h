// X-Weir-Lineage: where in a run a request stands, signed, so that a sub-agent can prove whose child it is.
//
//   LineageSigner signer(secret);
//   std::string token = signer.sign({.run = id, .node = 7, .depth = 1}, "acme");   // "v1.….…"
//   auto lineage = signer.verify(token, "acme");      // nullopt: forged, damaged, another tenant's
//
// HMAC-SHA-256 over the token's fields and the tenant (for keys without one: the key). Immutable: one signer serves all
// threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/hmac.h"
#include "weir/types.h"

namespace weir {

inline constexpr std::size_t kMaxLineage = 256;

struct Lineage {
  Hash128 run;              // the run's id
  std::uint64_t node = 0;   // the request whose answer carried the token: its children count against it
  std::uint32_t depth = 0;  // of that request; 0 is the run's first
  bool operator==(const Lineage&) const = default;
};

// What tells the nodes of one run apart, in a row of the ledger. 0 stays 0.
constexpr std::uint32_t short_node(std::uint64_t node) {
  return static_cast<std::uint32_t>(node >> 32);
}

class LineageSigner {
 public:
  explicit LineageSigner(std::string_view secret);

  std::string sign(const Lineage& lineage, std::string_view scope) const;
  std::optional<Lineage> verify(std::string_view token, std::string_view scope) const;

 private:
  HmacSha256 hmac_;
};

}  // namespace weir
