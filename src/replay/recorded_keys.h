// What the store knows today of the keys that rows name: their metadata, which gives keys amounts, lists and labels of
// their own, as the gateway uses it.
//
//   RecordedKeys keys(store.load_directory());
//   keys.complete(row);                       // row.metadata, which limits read
//   note += keys.note();                      // "The metadata of 3 keys was used, as it is now."
//
// What a row says itself wins: its tier and kind are those of its time, its metadata if it has any. Rows without a key,
// and keys that the store does not have, stay as they are.
//
// Belongs to one thread; views that it gives last as long as it. Memory: the directory's, and a word a key.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>

#include "base/result.h"
#include "records/directory.h"
#include "replay/trace.h"

namespace weir {

class RecordedKeys {
 public:
  // An error: there is no store, or it cannot be read; the note says so.
  explicit RecordedKeys(Result<std::shared_ptr<const ConsumerSnapshot>> directory) : directory_(std::move(directory)) {}

  void complete(TraceRow& row);
  const Consumer* find(std::string_view key);
  // A sentence or two; empty when no row named a key.
  std::string note() const;

 private:
  const Result<std::shared_ptr<const ConsumerSnapshot>> directory_;
  std::unordered_set<const Consumer*> used_;  // whose metadata was used
  bool asked_ = false, unknown_ = false, own_ = false;
};

}  // namespace weir
