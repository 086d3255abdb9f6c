// A row of a trace as the request it was: attributes, consumer, price, costs. Internal to src/replay.
//
//   RowRequest request(policy);
//   request.read(row);
//   rules.plan(request.attributes(), request.costs(output_held), now, plan);
//
// Belongs to one thread; views last until the next read(). Limit: kMaxModels models whose prices are kept.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "policy/ruleset.h"
#include "replay/trace.h"

namespace weir {

class RowRequest {
 public:
  static constexpr std::size_t kMaxModels = 1'000;

  explicit RowRequest(const Policy& policy) : policy_(policy) {}

  void read(const TraceRow& row);
  // Another model is called instead.
  void call(std::string_view model);
  // It begins a run: costs 1 of meter `runs`.
  void begin_run(bool begins) { runs_ = begins ? 1 : 0; }

  const Attributes& attributes() const { return attributes_; }
  std::int64_t key() const { return consumer_.id; }  // a number of its own
  std::string_view tenant() const { return consumer_.tenant; }
  std::string_view model() const { return attributes_[Attribute::kModel]; }
  std::int64_t input_tokens() const { return input_tokens_; }
  const Price& price() const { return facts_->price; }

  const Costs& costs(std::int64_t output_held);
  const Costs& used(std::int64_t output_tokens);
  // One top-up of so many tokens, by itself.
  const Costs& one_step(std::int64_t output_tokens);

 private:
  struct ModelFacts {
    Price price;
    std::string_view provider;  // null data: the policy routes it nowhere
  };
  const ModelFacts& facts_of(std::string_view model);

  const Policy& policy_;
  Consumer consumer_;
  std::string conversation_, model_, run_, agent_, route_;
  Attributes attributes_;
  std::int64_t input_tokens_ = 0, cached_tokens_ = 0, runs_ = 0;
  Costs costs_;
  std::unordered_map<std::string, ModelFacts> models_;
  const ModelFacts* facts_ = nullptr;
  std::string facts_model_;
};

}  // namespace weir
