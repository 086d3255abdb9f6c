// A thin cover over SQLite: connections and prepared statements that close themselves, and errors as values.
//
//   Statement s = db.prepare("SELECT name FROM consumers WHERE id = ?1");
//   s.bind(1, id);
//   while (s.next()) use(s.text(0));
//   if (s.failed()) return db.error("cannot read consumers");
//
// Belongs to one thread. Inside src/records only.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"

namespace weir {

class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* s) : s_(s) {}
  ~Statement() { sqlite3_finalize(s_); }
  Statement(Statement&& other) noexcept : s_(other.s_) { other.s_ = nullptr; }
  Statement& operator=(Statement&& other) noexcept {
    std::swap(s_, other.s_);
    return *this;
  }
  explicit operator bool() const { return s_ != nullptr; }

  // Positions from 1. Texts and blobs must live until the statement is reset or stepped to its end.
  void bind(int at, std::int64_t value) { sqlite3_bind_int64(s_, at, value); }
  void bind(int at, std::string_view text) {
    sqlite3_bind_text64(s_, at, text.data() == nullptr ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  // From the first position on; enums are their numbers, hashes are blobs.
  template <class... Values>
  void bind_all(const Values&... values) {
    int at = 0;
    (bind_one(++at, values), ...);
  }

  // To the next row. False: there is none, or reading failed.
  bool next();
  bool failed() const { return failed_; }
  void reset();
  // Runs to the end and resets: true if it worked.
  bool run();
  // The same, and what is bound stays: for one whose values are all bound anew before it runs again.
  bool run_bound();

  // Columns from 0.
  std::int64_t integer(int at) const { return sqlite3_column_int64(s_, at); }
  double real(int at) const { return sqlite3_column_double(s_, at); }
  int type(int at) const { return sqlite3_column_type(s_, at); }  // SQLITE_INTEGER …, as it is stored
  bool is_null(int at) const { return sqlite3_column_type(s_, at) == SQLITE_NULL; }
  std::string text(int at) const;
  std::string_view view(int at) const;  // the same until the next step

 private:
  template <class Value>
  void bind_one(int at, const Value& value) {
    if constexpr (std::is_convertible_v<const Value&, std::string_view>) {
      bind(at, std::string_view(value));
    } else if constexpr (std::is_integral_v<Value> || std::is_enum_v<Value>) {
      bind(at, static_cast<std::int64_t>(value));
    } else if constexpr (std::is_same_v<Value, std::optional<double>>) {
      value ? sqlite3_bind_double(s_, at, *value) : sqlite3_bind_null(s_, at);
    } else {
      static_assert(std::has_unique_object_representations_v<Value>);
      sqlite3_bind_blob64(s_, at, &value, sizeof value, SQLITE_STATIC);
    }
  }

  sqlite3_stmt* s_ = nullptr;
  bool failed_ = false;
};

class Database {
 public:
  Database() = default;
  ~Database() { close(); }
  Database(Database&& other) noexcept : db_(other.db_) { other.db_ = nullptr; }
  Database& operator=(Database&& other) noexcept {
    std::swap(db_, other.db_);
    return *this;
  }

  Result<void> open(const std::string& path, int flags, int busy_timeout_ms);
  void close();
  void set_busy_timeout(int ms) { sqlite3_busy_timeout(db_, ms); }
  // Any number of statements without results.
  Result<void> execute(const char* sql);
  Statement prepare(std::string_view sql);  // false as a bool if it failed
  std::unexpected<Error> error(std::string_view doing) const;
  void use_triggers(bool on) { sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_TRIGGER, on ? 1 : 0, nullptr); }
  void on_progress(int every, int (*stop)(void*), void* with) { sqlite3_progress_handler(db_, every, stop, with); }
  int total_changes() const { return sqlite3_total_changes(db_); }  // by this connection
  int changes() const { return sqlite3_changes(db_); }
  std::int64_t last_id() const { return sqlite3_last_insert_rowid(db_); }
  int code() const { return sqlite3_errcode(db_); }
  std::string_view message() const { return sqlite3_errmsg(db_); }  // of the last call; until the next
  int extended_code() const { return sqlite3_extended_errcode(db_); }

 private:
  sqlite3* db_ = nullptr;
};

// Until it leaves scope, what this connection writes fires no triggers.
class WithoutTriggers {
 public:
  explicit WithoutTriggers(Database& db) : db_(db) { db_.use_triggers(false); }
  ~WithoutTriggers() { db_.use_triggers(true); }
  WithoutTriggers(const WithoutTriggers&) = delete;
  WithoutTriggers& operator=(const WithoutTriggers&) = delete;

 private:
  Database& db_;
};

// Rolls back when it leaves scope without commit().
class Transaction {
 public:
  explicit Transaction(Database& db, const char* how = "BEGIN IMMEDIATE") : db_(db), how_(how) {}
  ~Transaction();
  Result<void> begin();
  Result<void> commit();

 private:
  Database& db_;
  const char* how_;
  bool open_ = false;
};

// What is read until it leaves scope is of one moment.
class ReadTransaction : public Transaction {
 public:
  explicit ReadTransaction(Database& db) : Transaction(db, "BEGIN") {}
};

}  // namespace weir
