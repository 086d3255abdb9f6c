// What the calls of the decision API say: JSON bodies in, values or a fault out.
//
//   auto body = read_admit(bytes);
//   if (!body) …answer 400 with body.error()…
//
// Strict: one object, no unknown members, no duplicate keys, whole numbers from 0 to 2^53, texts of 1 to 256 bytes of
// UTF-8 without control characters. The first fault ends the reading. Pure functions.
// Limits: kMaxToolNames, kMaxCustomMeters, kMaxMembers of one object.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"

namespace weir {

inline constexpr std::size_t kMaxToolNames = 512;
inline constexpr std::size_t kMaxCustomMeters = 64;
inline constexpr std::size_t kMaxMembers = 80;  // the meters that everybody has, and kMaxCustomMeters
inline constexpr DurationNs kDefaultHold = 120 * kSecond;
inline constexpr DurationNs kLeastHold = kSecond;
inline constexpr DurationNs kMostHold = 24 * kHour;

// A call that cannot be answered: nothing was charged.
struct CallFault {
  int status = 400;
  std::string message;  // what is wrong and what to do
  std::string code;     // machine word; empty if none
};
template <class T>
using Call = std::expected<T, CallFault>;

// Facts about the request that the caller of admit asserts. Empty: not given.
struct AskedAttributes {
  std::string conversation, run, agent, task, depth, tool, server;
  std::string key, tenant, user, tier;  // the end consumer of a `kind: service` key
  bool names_consumer() const { return !key.empty() || !tenant.empty() || !user.empty() || !tier.empty(); }
};

// An estimate or what was really used.
struct MeterAmounts {
  std::int64_t requests = 1;
  std::int64_t input_tokens = 0;  // with those read from and written to a cache
  std::int64_t output_tokens = 0;
  std::int64_t cached_tokens = 0, cache_write_tokens = 0;  // of the input
  std::int64_t reasoning_tokens = 0;                       // of the output
  std::int64_t bytes_in = 0, bytes_out = 0;
  std::optional<std::int64_t> usd_micros;                   // absent: by the price of the model
  std::optional<std::int64_t> tool_calls;                   // absent: as many as tools are named
  std::int64_t runs = 0;                                    // counted by itself
  std::vector<std::pair<std::string, std::int64_t>> tools;  // calls by tool, canonical names; each once
  std::vector<std::pair<std::string, std::int64_t>> custom;
};

struct AdmitBody {
  AskedAttributes attributes;
  MeterAmounts estimate;
  std::string model;
  std::vector<std::string> tools;
  DurationNs hold = kDefaultHold;
  std::string id;  // empty: the server makes one
};

struct SettleBody {
  std::string id;
  MeterAmounts usage;
  std::optional<std::vector<std::string>> tools;  // absent: as admitted
};

struct CountBody {
  std::string model;
  std::optional<std::string> text;  // absent: `messages`, which are read where they are counted
};

// [A-Za-z0-9._-]{1,64}
bool is_decision_id(std::string_view id);

Call<AdmitBody> read_admit(std::string_view body);
Call<SettleBody> read_settle(std::string_view body);
Call<std::string> read_cancel(std::string_view body);  // its id
Call<CountBody> read_count(std::string_view body);

}  // namespace weir
