// The refusal counts of Store.
#include "records/store_impl.h"

namespace weir {

Result<void> Store::add_refusal_hours(std::span<const RefusalHour> rows) {
  if (rows.empty()) return {};
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return begun;
  Statement add = impl_->db.prepare(
      "INSERT INTO refusal_hours (hour, limit_name, layer, key, shadow, count) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
      "ON CONFLICT (hour, limit_name, layer, key, shadow) DO UPDATE SET count = count + ?6");
  if (!add) return impl_->error("cannot write refusal counts");
  for (const RefusalHour& row : rows) {
    Binder(add)
        .number(row.hour)
        .text(row.limit)
        .text(row.layer)
        .text(row.key)
        .number(row.shadow ? 1 : 0)
        .number(row.count);
    if (!add.run()) return impl_->error("cannot write refusal counts");
  }
  return transaction.commit();
}

}  // namespace weir
