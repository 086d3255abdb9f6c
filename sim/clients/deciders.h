// A client of the decision API: asks before it works, says afterwards what it was, or forgets to. It is its own
// provider: the truth gets a Call of the provider "decision" for each hold.
#pragma once

#include <memory>

#include "clients/actor.h"

namespace weir::sim::client {

std::unique_ptr<Client> make_decider(const Manners& manners, Context& context);

}  // namespace weir::sim::client
