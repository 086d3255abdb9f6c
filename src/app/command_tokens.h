// `weir tokens create|list|revoke`: who may use the admin API, through the store, also while the server runs.
//
//   int exit_code = run_tokens_create({.name = "grafana", .role = "viewer", .expires = "30d"}, context);
#pragma once

#include <string>

#include "app/command.h"

namespace weir {

struct TokensOptions {
  StoreChoice store;
  bool json = false;
  std::string name;
  std::string role = "viewer", expires;  // create; an age, empty: never
};

int run_tokens_create(const TokensOptions& options, const CommandContext& context);
int run_tokens_list(const TokensOptions& options, const CommandContext& context);
int run_tokens_revoke(const TokensOptions& options, const CommandContext& context);

void add_tokens_commands(CLI::App& app, int& exit_code, const CommandContext& context);

}  // namespace weir
