// The chain that makes changes to the audit visible: each stored row carries SHA-256 over the hash of the row before it
// and its own columns.
//
//   AuditHash hash = kAuditGenesis;
//   for (const AuditRow& row : rows) hash = chained(hash, row);
//   to_hex(hash);   // the head: keep it elsewhere, and nobody can rewrite what came before
//
// Values. Belongs to src/records; docs/audit.md says how to recompute it without Weir. The chain has no secret: it
// shows what was changed by somebody who cannot rewrite all that follows, or whose rewriting the kept head contradicts.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/usage.h"

namespace weir {

class Statement;

using AuditHash = std::array<unsigned char, 32>;
inline constexpr AuditHash kAuditGenesis{};   // before the first row
inline constexpr int kAuditColumnCount = 19;  // of AuditRow, in the order in which they are stored and hashed

AuditHash chained(const AuditHash& previous, const AuditRow& row);
// The same of a stored row: the statement's first kAuditColumnCount columns, taken as they are stored.
AuditHash chained(const AuditHash& previous, const Statement& stored);

std::string to_hex(const AuditHash& hash);

// What a walk along the stored chain found.
struct AuditVerdict {
  std::int64_t rows = 0;    // that were checked
  std::int64_t purged = 0;  // before them, deleted by retention
  TimeNs first = 0, last = 0;
  AuditHash base{}, head{};  // before the first kept row; of the last row checked
  TimeNs purge_time = 0;     // of the last kept row in which retention says what it deleted
  std::string purge_words;   // that row's evidence; empty: there is none
  bool intact = true;
  std::string why;  // where not: one sentence
  TimeNs broken_time = 0;
  std::string broken_request_id;
  bool broken_at_row = false;   // false: what is missing has no row
  bool expected_found = false;  // the hash that was asked for lies on the chain
};

}  // namespace weir
