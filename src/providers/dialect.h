// Dialects: what a provider's requests and answers look like on the wire. Bytes in, facts out; no I/O, no clock.
#pragma once

#include "providers/answer.h"     // IWYU pragma: export
#include "providers/operation.h"  // IWYU pragma: export
#include "providers/request.h"    // IWYU pragma: export
