// The tables of the record store and how a file of an older version becomes one of this version.
//
//   Result<void> ready = prepare_schema(db);
//
// Belongs to src/records.
#pragma once

#include <functional>
#include <string>

#include "records/sqlite.h"

namespace weir {

inline constexpr int kSchemaVersion = 5;

// Creates or migrates the tables, in one transaction. `say` (may be empty) hears what takes long, before and after.
Result<void> prepare_schema(Database& db, const std::function<void(const std::string&)>& say = {});
// PRAGMA user_version: 0 for an empty file.
Result<int> schema_version(Database& db);

}  // namespace weir
