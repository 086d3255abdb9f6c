// Rows of the ledger and the audit as JSON: the members that `weir usage --json`, `weir audit --json` and the admin API
// show, in their order.
//
//   output << row_json(row) << '\n';
//
// Pure.
#pragma once

#include "base/json_writer.h"
#include "model/usage.h"
#include "records/store.h"

namespace weir {

void add_members(JsonWriter& w, const UsageRow& row);
void add_members(JsonWriter& w, const AuditRow& row);
void add_members(JsonWriter& w, const UsageSum& sum);  // without the group

template <class Row>
std::string row_json(const Row& row) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  add_members(w, row);
  w.end_object();
  return out;
}

}  // namespace weir
