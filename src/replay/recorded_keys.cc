#include "replay/recorded_keys.h"

#include <fmt/format.h>

namespace weir {

const Consumer* RecordedKeys::find(std::string_view key) {
  if (key.empty()) return nullptr;
  asked_ = true;
  if (!directory_) return nullptr;
  const Consumer* known = (*directory_)->find_name(key).get();  // the directory keeps it
  if (known == nullptr) {
    unknown_ = true;
  } else if (!known->metadata.empty()) {
    used_.insert(known);
  }
  return known;
}

void RecordedKeys::complete(TraceRow& row) {
  if (row.metadata != nullptr) {
    own_ = true;
    return;
  }
  const Consumer* known = find(row.key);
  if (known == nullptr) return;
  row.metadata = &known->metadata;
  if (row.tier.empty()) row.tier = known->tier;
  if (row.kind.empty()) row.kind = to_string(known->kind);
}

std::string RecordedKeys::note() const {
  std::string out = own_ ? "Rows with metadata of their own were judged by it." : "";
  if (!asked_) return out;
  if (!out.empty()) out += ' ';
  if (!directory_) {
    return out +
           fmt::format("The metadata of keys was not used, for it could not be read: {}.", directory_.error().message);
  }
  out += used_.empty() ? "No key has metadata that could be used."
                       : fmt::format("The metadata of {} key{} was used, as it is now.", used_.size(),
                                     used_.size() == 1 ? "" : "s");
  if (unknown_) out += " Keys that the store does not have were judged without.";
  return out;
}

}  // namespace weir
