#include "records/queries.h"

#include "records/store_impl.h"

namespace weir {

Result<std::vector<KeyUse>> RecordQueries::use_by_key(TimeNs since) {
  Statement s = impl_.db.prepare(
      "SELECT key, sum(requests), sum(tokens), sum(usd), sum(refused) FROM ("
      "SELECT key, requests, input_tokens + output_tokens AS tokens, usd_micros AS usd, 0 AS refused "
      "FROM usage_hours WHERE hour >= ?1 UNION ALL "
      "SELECT key, 0, 0, 0, count FROM refusal_hours WHERE hour >= ?1 AND shadow = 0) GROUP BY key ORDER BY key");
  if (!s) return impl_.error("cannot read the ledger");
  s.bind(1, since / kHour);
  std::vector<KeyUse> all;
  Statement::Outcome outcome = Statement::kDone;
  while ((outcome = s.step()) == Statement::kRow) {
    all.push_back({.key = s.text(0),
                   .requests = s.integer(1),
                   .tokens = s.integer(2),
                   .usd_micros = s.integer(3),
                   .refused = s.integer(4)});
  }
  if (outcome == Statement::kFailed) return impl_.error("cannot read the ledger");
  return all;
}

}  // namespace weir
