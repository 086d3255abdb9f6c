// Clients of what is no model: MCP servers, with sessions, batches and both eras of the protocol, and plain HTTP APIs.
#pragma once

#include <memory>

#include "clients/actor.h"

namespace weir::sim::client {

std::unique_ptr<Client> make_mcp(const Manners& manners, Context& context);
std::unique_ptr<Client> make_caller(const Manners& manners, Context& context);

}  // namespace weir::sim::client
