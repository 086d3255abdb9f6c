// Clients that are agents: models announce calls, tools give results, runs go on for a while. See client.h.
#pragma once

#include <memory>

#include "clients/actor.h"

namespace weir::sim::client {

std::unique_ptr<Client> make_fan_out(const Manners& manners, Context& context);
std::unique_ptr<Client> make_loop(const Manners& manners, Context& context);
std::unique_ptr<Client> make_tool_spammer(const Manners& manners, Context& context);
std::unique_ptr<Client> make_budgeter(const Manners& manners, Context& context);

}  // namespace weir::sim::client
