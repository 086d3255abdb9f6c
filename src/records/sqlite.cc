#include "records/sqlite.h"

namespace weir {

bool Statement::next() {
  const int code = sqlite3_step(s_);
  failed_ = code != SQLITE_ROW && code != SQLITE_DONE;
  return code == SQLITE_ROW;
}

void Statement::reset() {
  sqlite3_reset(s_);
  sqlite3_clear_bindings(s_);
}

bool Statement::run() {
  const bool done = run_bound();
  sqlite3_clear_bindings(s_);
  return done;
}

bool Statement::run_bound() {
  while (next()) continue;
  sqlite3_reset(s_);
  return !failed_;
}

std::string_view Statement::view(int at) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(s_, at));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(s_, at))};
}

std::string Statement::text(int at) const {
  return std::string(view(at));
}

Result<void> Database::open(const std::string& path, int flags, int busy_timeout_ms) {
  close();
  // Statistics that nobody reads would cost a lock for every piece of memory.
  [[maybe_unused]] static const int kWithoutStatistics = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  if (sqlite3_open_v2(path.c_str(), &db_, flags | SQLITE_OPEN_NOMUTEX, nullptr) != SQLITE_OK) {
    auto failed = error("cannot open " + path);
    close();
    return failed;
  }
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, busy_timeout_ms);
  return {};
}

void Database::close() {
  sqlite3_close_v2(db_);
  db_ = nullptr;
}

Result<void> Database::execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return error("the record store failed");
  return {};
}

Statement Database::prepare(std::string_view sql) {
  sqlite3_stmt* s = nullptr;
  sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &s, nullptr);
  return Statement(s);
}

std::unexpected<Error> Database::error(std::string_view doing) const {
  return fail(std::string(doing) + ": " + (db_ == nullptr ? "out of memory" : sqlite3_errmsg(db_)));
}

Transaction::~Transaction() {
  // A rollback that fails leaves nothing to do: SQLite rolls back what was not committed when it closes.
  if (open_) [[maybe_unused]]
    const Result<void> done = db_.execute("ROLLBACK");
}

Result<void> Transaction::begin() {
  auto result = db_.execute(how_);
  open_ = result.has_value();
  return result;
}

Result<void> Transaction::commit() {
  auto result = db_.execute("COMMIT");
  if (result) open_ = false;
  return result;
}

}  // namespace weir
