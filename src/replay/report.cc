#include "replay/report.h"

#include "base/json_writer.h"
#include "base/strings.h"

namespace weir {

void append_seconds(std::string& out, TimeNs time) {
  append_number(out, time / kSecond);
  TimeNs fraction = time % kSecond;
  if (fraction == 0) return;
  std::size_t places = 9;
  while (fraction % 10 == 0) {
    fraction /= 10;
    --places;
  }
  out += '.';
  append_number(out, fraction, places);
}

void append_decision(std::string& out, const ReplayedRow& row) {
  JsonWriter w(out);
  std::string seconds;
  append_seconds(seconds, row.time);
  w.begin_object().key("row").number(row.row).key("t").raw(seconds).key("tenant").string(row.tenant);
  w.key("decision").string(to_string(row.decision)).key("limit");
  row.limit.empty() ? w.null() : w.string(row.limit);
  w.key("reserved").number(row.reserved).key("settled");
  row.settled ? w.number(*row.settled) : w.null();
  w.key("retry_after");
  row.retry_after_s ? w.real(*row.retry_after_s) : w.null();
  w.end_object();
  out += '\n';
}

std::string summary_json(const ReplaySummary& summary, std::string_view note) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().key("rows").number(summary.rows).key("allowed").number(summary.allowed);
  w.key("refused").number(summary.refused).key("tokens_asked").number(summary.tokens_asked);
  w.key("tokens_used").number(summary.tokens_used).key("open_reservations").number(summary.open_reservations);
  if (!note.empty()) w.key("note").string(note);
  w.end_object();
  return out;
}

}  // namespace weir
