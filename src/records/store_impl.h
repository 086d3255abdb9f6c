// What a Store holds: the connection and its prepared statements. Belongs to src/records.
//
//   impl.find.bind(1, name);
//   ResetAfter reset(impl.find);
#pragma once

#include <string>

#include "records/sqlite.h"
#include "records/store.h"

namespace weir {

struct Store::Impl {
  std::string dir;
  Database db;
  Statement insert_consumer, find_consumer, list_consumers, update_consumer, revoke_consumer;
  Statement version, get_setting, put_setting, add_setting;
  Statement insert_usage, insert_audit, put_position, replace_usage, put_closed;

  Result<void> prepare();  // every statement above
  std::unexpected<Error> error(std::string_view doing) const { return db.error(doing); }
};

// Frees a statement's row and bindings at the end of a scope.
class ResetAfter {
 public:
  explicit ResetAfter(Statement& s) : s_(s) {}
  ~ResetAfter() { s_.reset(); }
  ResetAfter(const ResetAfter&) = delete;
  ResetAfter& operator=(const ResetAfter&) = delete;

 private:
  Statement& s_;
};

// Statements of the ledger, built from the lists of columns in store_ledger.cc.
std::string usage_insert_sql();
std::string audit_insert_sql();
std::string usage_replace_sql();
std::string closed_insert_sql();

}  // namespace weir
