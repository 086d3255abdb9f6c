// What the record commands (keys, usage, audit) share: where the store is, how time and randomness come in.
//
//   CommandContext context{.data_of_config = …, .now = …, .entropy = system_entropy};
//   add_keys_commands(app, exit_code, context);
//
// Exit codes: 0 done, 1 the answer is no, 2 could not run. Errors are one line with what to do next.
#pragma once

#include <functional>
#include <ostream>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "records/secrets.h"
#include "records/store.h"

namespace CLI {
class App;
}

namespace weir {

inline constexpr int kExitDone = 0;
inline constexpr int kExitNo = 1;
inline constexpr int kExitCouldNotRun = 2;

struct CommandContext {
  // Data directory that a weir.yaml names.
  std::function<Result<std::string>(const std::string& config_path)> data_of_config;
  std::function<TimeNs()> now;
  Entropy entropy;
  std::ostream* out = nullptr;  // null: std::cout
  std::ostream* err = nullptr;  // null: std::cerr
};

// Where a command finds its store: --data, else the directory of -c, else ./weir-data.
struct StoreChoice {
  std::string config;
  std::string data;
};
Result<std::string> data_directory(const StoreChoice& choice, const CommandContext& context);
Result<Store> open_store(const StoreChoice& choice, const CommandContext& context,
                         const StoreOptions& options = {.read_only = true});
void add_store_options(CLI::App& command, StoreChoice& choice);

// Prints "weir: message" as one line; returns `code`.
int report(std::ostream& err, int code, const std::string& message);
int could_not(const CommandContext& context, const Error& error);

std::ostream& output(const CommandContext& context);
std::ostream& errors(const CommandContext& context);

// "2026-11-20T10:00:00Z" or an age such as 90m, 24h, 7d before `now`.
Result<TimeNs> parse_since(std::string_view text, TimeNs now);
Result<TimeNs> parse_since_or_all(std::string_view text, TimeNs now);  // empty: the beginning of time

// Columns of text for people: left-aligned, numbers right-aligned.
class TextTable {
 public:
  struct Column {
    std::string title;
    bool right = false;
  };
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // Control characters become question marks. `below`: a line of its own under the row.
  void add(std::vector<std::string> cells, std::string below = {});
  void print(std::ostream& out) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::string> below_;  // of each row
};

// For tables: "-" for nothing, at most so many bytes of the rest; in a cut name the end, which tells names apart,
// stays.
std::string shown(std::string_view text, std::size_t most = 60);
std::string shown_name(std::string_view text, std::size_t most);
std::string shown_time(TimeNs at, bool seconds);  // "2026-11-20 10:00:00", UTC

}  // namespace weir
