// What every actor is handed.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "network.h"
#include "random.h"
#include "schedule.h"
#include "trace.h"
#include "truth.h"

namespace weir::sim {

class Node;

struct Context {
  Schedule& schedule;
  Network& network;
  Truth& truth;
  Trace& trace;
  Random random;                            // actors fork theirs by name
  std::map<std::string, std::string> keys;  // name -> the secret that is presented
  Node* node = nullptr;
  bool healing = false;  // the end has begun: nothing new goes wrong
  bool failed = false;   // a checker has found something: the run ends

  void note(std::string_view who, std::string_view what) { trace.note(schedule.now(), who, what); }
};

}  // namespace weir::sim
