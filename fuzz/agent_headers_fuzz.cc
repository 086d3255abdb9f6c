// What a client says of its run in headers: lineage tokens and run budgets. Checks: no token is valid that was not
// signed here for this tenant, and each that was comes back as it was; a budget is refused with words or has amounts
// that are held as they are.
//
// Input: byte 0 = what (mod 2); the rest = the header, or the fields of a lineage.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "behavior/lineage.h"
#include "fuzz.h"
#include "gateway/run_budgets.h"

namespace {

using namespace weir;
using fuzz::require;

void check_lineage(std::string_view bytes) {
  static LineageSigner ours("a secret of this server"), theirs("another server's");
  require(!ours.verify(bytes, "acme"));
  Lineage lineage;
  std::uint64_t fields[4] = {};
  if (!bytes.empty()) std::memcpy(fields, bytes.data(), std::min(bytes.size(), sizeof fields));
  lineage.run = {fields[0], fields[1]};
  lineage.node = fields[2];
  lineage.depth = static_cast<std::uint32_t>(fields[3]);
  std::string token = ours.sign(lineage, "acme");
  require(token.size() <= kMaxLineage && ours.verify(token, "acme") == lineage);
  require(!ours.verify(token, "acm") && !theirs.verify(token, "acme"));
  // One letter more, less or other is another token.
  const std::size_t at = (fields[3] >> 32) % token.size();
  const char other = token[at] == 'A' ? 'B' : 'A';
  require(!ours.verify(token + other, "acme") && !ours.verify(token.substr(0, at), "acme"));
  token[at] = other;
  require(!ours.verify(token, "acme"));
}

void check_budget(std::string_view header) {
  const auto asked = parse_run_budget(header);
  if (!asked) return require(!asked.error().message.empty());
  require(asked->tokens.has_value() || asked->usd_micros.has_value());
  require(asked->tokens.value_or(1) > 0 && asked->usd_micros.value_or(1) > 0);
  std::string again;
  if (asked->tokens) again = "tokens=" + std::to_string(*asked->tokens);
  const auto same = parse_run_budget(again);
  require(!asked->tokens || (same && same->tokens == asked->tokens && !same->usd_micros));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    check_lineage(bytes);
  } else {
    check_budget(bytes);
  }
  return 0;
}
