// Clients that only ask models. See client.h for what each does.
#pragma once

#include <memory>

#include "clients/actor.h"

namespace weir::sim::client {

std::unique_ptr<Client> make_human(const Manners& manners, Context& context);
std::unique_ptr<Client> make_conversational(const Manners& manners, Context& context);
std::unique_ptr<Client> make_batch(const Manners& manners, Context& context);
std::unique_ptr<Client> make_disconnector(const Manners& manners, Context& context);
std::unique_ptr<Client> make_retrier(const Manners& manners, Context& context);
std::unique_ptr<Client> make_prober(const Manners& manners, Context& context);

}  // namespace weir::sim::client
