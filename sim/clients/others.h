// Garbage that must cost nothing, and the operator who stops and unstops.
#pragma once

#include <memory>

#include "clients/actor.h"

namespace weir::sim::client {

std::unique_ptr<Client> make_garbage(const Manners& manners, Context& context);
std::unique_ptr<Client> make_operator(const Manners& manners, Context& context);

}  // namespace weir::sim::client
