// What a key's metadata say of limits and tools: read in one way where requests are decided and where keys are changed.
//
//   if (const auto own = own_amount("500/1m", window, unit_of(rule), only)) amount = own->amount;
//   if (const auto unfit = unfit_for(policy, changed, as_it_was)) refuse(unfit->field, unfit->why);
//
// Pure functions. The metadata are those of a Consumer, flattened: at most 256 values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/consumer.h"
#include "policy/amounts.h"
#include "policy/policy.h"

namespace weir {

// The value at `name` ("limits.requests", "tools.deny") or an element of a list there ("tools.deny.0").
bool is_value_of(std::string_view path, std::string_view name);

// Does the limit count a key, user or caller, whose key may then have an amount of its own?
bool takes_own_amount(const LimitRule& rule);

struct OwnAmount {
  std::int64_t amount = 0;
  RefillRate rate;
};
// What a text of the metadata makes of a limit's window; nothing if it is not for this one. `only`: the limit has no
// other, so that the amount alone will do.
std::optional<OwnAmount> own_amount(std::string_view text, const WindowRule& window, AmountUnit unit, bool only);

struct Unfit {
  std::string_view field;  // "tier", "metadata"
  std::string why;         // a sentence without its full stop
};
// What a consumer cannot have under this policy: a tier, a limit or a list of tools that it does not know, an amount
// that the limit cannot take. What `before` had already is not judged: the policy may have changed since.
std::optional<Unfit> unfit_for(const Policy& policy, const Consumer& now, const Consumer& before = {});

}  // namespace weir
