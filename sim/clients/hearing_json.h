// Reads one JSON object of an answer: inside hearing.cc's folder only.
#pragma once

#include <string_view>

#include "clients/hearing.h"

namespace weir::sim::client {

struct Piece {
  std::string text;
  bool finished = false;  // nothing follows in this dialect
  bool error = false;
};

// Adds calls, ids and a refusal to `heard`.
Piece hear_object(Operation operation, std::string_view json, Heard& heard);

}  // namespace weir::sim::client
