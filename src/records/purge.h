// Whose records are deleted on request, and how the ledger remembers that without remembering the name.
//
//   PurgeSubject subject{.key = {}, .user = "ann@example.com", .tenant = "acme"};   // all that are given must agree
//   Result<PurgeDone> done = store.purge_subject(subject, {.at = now, .by = "cli"});
//   subject.mark();                                             // what stays: "0a41…", no name
//
// Rows of it that still wait in the journal are left out when they are booked, for as long as the mark is kept: the
// newest kMaxPurges subjects. Values; pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>

#include "base/result.h"
#include "base/time.h"
#include "model/usage.h"

namespace weir {

inline constexpr std::size_t kMaxPurges = 10'000;  // remembered

struct PurgeSubject {
  std::string key, user, tenant;  // empty: any
  bool empty() const { return key.empty() && user.empty() && tenant.empty(); }
  // 64 hexadecimal digits: HMAC-SHA-256 with the key "weir purge" of each given name and value, both followed by a zero
  // byte, in the order of the members.
  std::string mark() const;
};

struct PurgeDone {
  std::int64_t rows = 0;  // deleted
  std::string mark;
};

// Which rows of the journal are too late to be booked.
class PurgeMarks {
 public:
  static constexpr int kKey = 1, kUser = 2, kTenant = 4;
  static int names(const PurgeSubject& subject);

  void add(int names, std::string mark, TimeNs at);
  bool empty() const { return at_.empty(); }
  // True if the row is of a subject that was purged at its time or later.
  bool cover(const UsageRow& row) const;

 private:
  std::unordered_map<std::string, TimeNs> at_;
  unsigned combinations_ = 0;  // bit n: some mark is of the names n
};

}  // namespace weir
