// Where the policy comes from: the file, and what operators changed over it in the record store.
//
//   PolicySource source("weir.yaml");
//   Result<SourcedPolicy> first = source.read();      // the file alone: its data folder is not known yet
//   source.use_store(data);
//   Result<SourcedPolicy> all = source.read();        // with the overrides
//
// Used under one lock. Overrides that cannot be read never stop a start: the file then holds alone. Later those that
// were read last go on: a store that fails must not loosen a limit. `overrides_fault` says why.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "admin/host.h"
#include "app/policy_file.h"
#include "policy/overrides.h"
#include "records/store.h"

namespace weir {

struct SourcedPolicy {
  LoadedPolicy loaded;
  std::shared_ptr<PolicyState> state;  // without `loaded_at`
};

class PolicySource {
 public:
  explicit PolicySource(std::string path = {}) : path_(std::move(path)) {}

  void use_store(const std::string& data);
  // An unreadable file is an Error, an invalid one has no policy. With `known`, the file's text is taken from there.
  Result<SourcedPolicy> read(const PolicyState* known = nullptr);
  // True if the store has other overrides than `known`, or they can be read again.
  bool overrides_differ(const PolicyState& known);

 private:
  std::string path_;
  std::optional<Store> store_;
  std::string store_fault_;
  std::vector<Override> last_;  // overrides, as they were read last
};

// The process's own variables.
const Environment& process_environment();

}  // namespace weir
