// What the tests of recommendations share: a ledger row in one line, a book of rows, both passes.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "replay/recommend_report.h"
#include "replay/test_replay.h"

namespace weir {

struct Used {
  double at = 0;  // seconds since kReplayOrigin
  std::string key = "ann";
  std::int64_t input = 900, output = 100;
  std::string tier = "free", kind = "agent", run{}, user{};
};

// Views of `used`, valid while it lives.
inline TraceRow ledger_row(const Used& used) {
  TraceRow row;
  row.time = kReplayOrigin + static_cast<TimeNs>(used.at * 1e9);
  row.key = used.key;
  row.user = used.user;
  row.tier = used.tier;
  row.kind = used.kind;
  row.run = used.run;
  row.model = "gpt-4o";
  row.input_tokens = used.input;
  row.output_tokens = used.output;
  return row;
}

inline std::shared_ptr<const Policy> built_in() {
  return policy_from("");
}

inline UseBook book_of(const Policy& policy, const std::vector<Used>& rows) {
  UseBook book(policy);
  for (const Used& used : rows) {
    const auto added = book.add(ledger_row(used));
    EXPECT_TRUE(added) << (added ? "" : added.error().message);
  }
  book.finish();
  return book;
}

inline std::unique_ptr<Trial> tried(const Policy& policy, const UseBook& book, const std::vector<Used>& rows,
                                    bool every_row = false) {
  auto trial = Trial::make(policy, book, {}, every_row);
  EXPECT_TRUE(trial) << (trial ? "" : trial.error().message);
  for (const Used& used : rows) {
    const auto added = (*trial)->add(ledger_row(used));
    EXPECT_TRUE(added) << (added ? "" : added.error().message);
  }
  (*trial)->finish();
  return std::move(*trial);
}

// Calm callers for `days`, one request each half hour from eight to six, and one who asks far more on the last day.
inline std::vector<Used> office(int callers, int days, int burst_of_heavy) {
  std::vector<Used> rows;
  for (int day = 0; day < days; ++day) {
    for (int slot = 0; slot < 20; ++slot) {
      const double at = day * 86'400.0 + 8 * 3'600 + slot * 1'800;
      for (int caller = 0; caller < callers; ++caller) {
        rows.push_back({.at = at + caller, .key = "calm-" + std::to_string(caller)});
      }
      if (day + 1 < days || slot != 5) continue;
      for (int i = 0; i < burst_of_heavy; ++i) rows.push_back({.at = at + callers + i * 0.1, .key = "heavy"});
    }
  }
  return rows;
}

}  // namespace weir
