// What an operator changed over the file, merged into its YAML before it is loaded: an override can do nothing that a
// file could not.
//
//   MergedPolicy merged = merge_overrides(text, "weir.yaml", environment, overrides);
//   for (const SkippedOverride& s : merged.skipped) log(s.name, s.why);    // the rest holds
//   if (merged.loaded.policy) run(*merged.loaded.policy);
//
// A limit's members replace those of the file's limit of that name, or are a new limit; so do a tier's `weight` and
// `tools`, and its `amounts` (by limit) become the tier's part of those limits' `allow`; a tenant has a `zone`. Null
// removes a member. References to the environment stay as they are in the file, and an override may have none.
//
// Pure. Limits: those of a file, for file and overrides together; kMaxOverrideDepth of one's JSON.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/override.h"
#include "policy/policy.h"

namespace weir {

inline constexpr int kMaxOverrideDepth = 16;

// One that no longer fits its file, or that never did.
struct SkippedOverride {
  Override::Kind kind = Override::Kind::kLimit;
  std::string name;
  std::string member;  // that is wrong, where one is
  std::string why;
};

struct MergedPolicy {
  LoadedPolicy loaded;  // diagnostics of the file with its lines; of overrides without
  std::string yaml;     // what holds, as one file. With the file's secrets: see secrets_masked()
  std::vector<SkippedOverride> skipped;
};

// An empty text is the built-in policy. Of a file that is not valid by itself only its diagnostics come back. The same
// overrides in any order give the same policy and version; none give the file's.
MergedPolicy merge_overrides(std::string_view text, const std::string& file, const Environment& environment,
                             std::span<const Override> overrides);

// A valid file's text with `***` for what is secret: values named key, token, secret or password that are not a
// reference such as ${NAME}, passwords of URLs, and what follows the host of an alert's URL. A token of the admin
// listener is left out: a file that says `***` would let everybody in.
std::string secrets_masked(std::string_view yaml);

// A draft with what secrets_masked() took from `known` put back.
std::string secrets_restored(std::string_view draft, std::string_view known);

// An error for each value of a draft that names a variable of the environment where `known` does not: words and
// diagnostics of a draft would tell its sender what the variable holds.
std::vector<Diagnostic> new_references(std::string_view draft, std::string_view known);

// The built-in policy's limits, which hold for a file that has none, as a file for readers and exports.
std::string with_limits_spelled_out(std::string_view yaml, const Policy& policy);

}  // namespace weir
