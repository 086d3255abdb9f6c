#include "app/policy_source.h"

#include <cstdlib>

namespace weir {
namespace {

constexpr int kBusyMs = 200;  // keys and the policy file must not wait for it for long

}  // namespace

const Environment& process_environment() {
  static const Environment environment = [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
  };
  return environment;
}

void PolicySource::use_store(const std::string& data) {
  Result<Store> store = Store::open(data, {.read_only = true, .busy_timeout_ms = kBusyMs});
  if (store) {
    store_ = std::move(*store);
  } else {
    store_fault_ = store.error().message;
  }
}

Result<SourcedPolicy> PolicySource::read(const PolicyState* known) {
  SourcedPolicy out{.loaded = {}, .state = std::make_shared<PolicyState>()};
  PolicyState& state = *out.state;
  state.file = path_.empty() ? "built-in policy" : path_;
  if (known != nullptr) {
    state.file_text = known->file_text;
  } else {
    Result<std::string> text = read_policy_text(path_);
    if (!text) return std::unexpected(text.error());
    state.file_text = std::move(*text);
  }
  if (store_) {
    if (auto rows = store_->overrides()) {
      last_ = std::move(*rows);
    } else {
      state.overrides_fault = rows.error().message;
    }
  } else {
    state.overrides_fault = store_fault_;
  }
  state.overrides = last_;
  MergedPolicy merged = merge_overrides(state.file_text, state.file, process_environment(), state.overrides);
  out.loaded = std::move(merged.loaded);
  state.yaml = std::move(merged.yaml);
  state.skipped = std::move(merged.skipped);
  return out;
}

bool PolicySource::overrides_differ(const PolicyState& known) {
  if (!store_) return false;
  const auto rows = store_->overrides();
  return rows && (*rows != known.overrides || !known.overrides_fault.empty());
}

}  // namespace weir
