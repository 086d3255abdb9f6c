// What goes wrong with one call, drawn before it is answered.
//
//   const Conduct conduct = habits.draw(random);
//   misbehave(conduct, script, random);
//
// Values. At most one of the ways to end badly happens to a call; the others come on top.
#pragma once

#include <cstdint>

#include "providers/script.h"
#include "random.h"
#include "world.h"

namespace weir::sim::provider {

struct Conduct {
  enum class Ending : std::uint8_t {
    kGood,
    kStall,        // never begins
    kStallMidway,  // stops in the middle, and keeps the connection
    kTruncate,     // closes in the middle
    kReset,        // … or resets
    kBrokenJson,   // says something that is no JSON
    kBrokenEvent,  // … or no event
    kBrokenChunk,  // … or no chunk
    kWrongLength,  // promises more bytes than come
  };
  Ending ending = Ending::kGood;
  int status = 200;
  std::int64_t retry_after_s = 0;
  bool no_usage = false, double_usage = false, lie = false, late_usage = false;
  bool split = false;        // one byte at a time
  bool keep_open = false;    // says that it will close, and does not
  bool close_after = false;  // closes without having said so
  bool until_close = false;  // no length: the body ends with the connection
  bool chatter = false;      // bytes after the answer that belong to none
};

struct Habits {
  explicit Habits(const Settings& settings);
  Conduct draw(Random& random) const;

  std::int64_t status_429, status_500, status_503, stall, stall_midway, truncate, reset_midway, malformed, late_usage,
      no_usage, double_usage, lie_usage, split, keep_open, close_after, chatter, wrong_length, until_close;
};

// Absurd, negative, or just not what was done.
Usage lie_about(const Usage& bill, Random& random);
// Damages the bytes of the step at `at`, as the ending says.
void damage(Conduct::Ending ending, Step& step);

}  // namespace weir::sim::provider
