// How often each limit refused whom, or would have in mode shadow: by the hour for the record store, by the minute for
// the last hour.
//
//   RefusalBook book;
//   book.add(now, "tokens", "rate", "agent-1", false);
//   if (!store.add_refusal_hours(rows = book.take())) book.give_back(rows);
//
// One thread at a time. Limits: kMaxWaiting rows wait for the store, beyond it refusals are counted without their key
// (and, when that is not enough, not at all); of kMaxLimits limits the last hour is known.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/time.h"
#include "records/store.h"

namespace weir {

class RefusalBook {
 public:
  static constexpr std::size_t kMaxWaiting = 8'192;
  static constexpr std::size_t kMaxLimits = 512;

  void add(TimeNs now, std::string_view limit, std::string_view layer, std::string_view key, bool shadow);
  // What the store does not have yet.
  std::vector<RefusalHour> take();
  void give_back(std::vector<RefusalHour> rows);
  // Refused, not in mode shadow.
  std::int64_t last_hour(std::string_view limit, TimeNs now) const;

 private:
  static constexpr std::size_t kMinutes = 60;
  struct Minutes {
    std::array<std::int64_t, kMinutes> minute{};  // since 1970
    std::array<std::int64_t, kMinutes> count{};
  };
  using Row = std::tuple<std::int64_t, std::string, std::string, std::string, bool>;
  void add_row(Row row, std::int64_t count);

  std::map<Row, std::int64_t> waiting_;
  std::map<std::string, Minutes, std::less<>> recent_;
};

}  // namespace weir
