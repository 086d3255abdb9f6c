// The tables of the record store and how a file of an older version becomes one of this version.
//
//   Result<void> ready = prepare_schema(db);
//
// Belongs to src/records.
#pragma once

#include "records/sqlite.h"

namespace weir {

inline constexpr int kSchemaVersion = 4;

// Creates or migrates the tables, in one transaction.
Result<void> prepare_schema(Database& db);
// PRAGMA user_version: 0 for an empty file.
Result<int> schema_version(Database& db);

}  // namespace weir
