// `weir recommend`: limits per tier from recorded use, and what each choice would have refused.
//
//   int exit_code = run_recommend({.store = {.config = "weir.yaml"}, .against = "current"}, context);
//
// Exit codes: 0 done, 1 there is no use to recommend from, 2 could not run.
#pragma once

#include <string>
#include <vector>

#include "app/command.h"

namespace weir {

struct RecommendCommand {
  std::vector<std::string> traces;  // empty: the ledger
  StoreChoice store;                // store.config is the policy too
  std::string since;
  std::string against;  // empty or "current"
  bool json = false, yaml = false;
};

int run_recommend(const RecommendCommand& command, const CommandContext& context);

void add_recommend_command(CLI::App& app, int& exit_code, const CommandContext& context);

}  // namespace weir
