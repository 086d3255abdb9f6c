// What a replay says: lines of decisions, and sums for programs. (The table for people is the command's.)
//
//   append_decision(out, row);                         // {"row":1,"t":0.25,"tenant":"acme",…}
//   std::string line = summary_json(replay.summary());
//
// Pure functions.
#pragma once

#include <string>

#include "replay/replay.h"

namespace weir {

void append_decision(std::string& out, const ReplayedRow& row);  // with the line's end
// `note`: what was assumed; empty: nothing.
std::string summary_json(const ReplaySummary& summary, std::string_view note = {});
// "12.345": exactly, without zeros at the end.
void append_seconds(std::string& out, TimeNs time);

}  // namespace weir
