// WEIR_CHECK: an invariant of our own code; stays on in release. Never for input from outside.
#pragma once

namespace weir {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define WEIR_CHECK(condition) \
  (__builtin_expect(static_cast<bool>(condition), 1) ? void(0) : ::weir::check_failed(#condition, __FILE__, __LINE__))
