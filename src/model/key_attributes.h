// What the verified key itself says of a request, for the gateway and for replays: the consumer, its name, and `team`
// and `app` of its metadata.
//
//   Attributes attributes;
//   set_key(consumer, attributes);             // views of `consumer`, which outlives them
//
// Pure.
#pragma once

#include "model/attributes.h"

namespace weir {

void set_key(const Consumer& consumer, Attributes& out);

}  // namespace weir
