// `weir keys import FILE`: many consumers at once, all of them or none.
//
//   run_keys_import({.file = "team.jsonl"}, context);        // {"name":"ann","tenant":"acme","tier":"pro"} and so on
//
// A line is what `keys create --json` and `keys list --json` print: `key` keeps a key that another store made, without
// it a new one is made and printed; `created_at` is passed over, revoked consumers are left out. Faults are
// `FILE:LINE:` and a sentence; then nothing is stored. Limits: kMaxImport lines of 64 KiB.
#pragma once

#include "app/command_keys.h"

namespace weir {

inline constexpr std::size_t kMaxImport = 100'000;

struct KeysImportOptions {
  StoreChoice store;
  bool json = false;
  std::string file;
};

int run_keys_import(const KeysImportOptions& options, const CommandContext& context);

}  // namespace weir
