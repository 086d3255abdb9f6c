// The journal as the node's exchanges see it: the real writer, and what is opened and settled told to the observers.
#pragma once

#include "context.h"
#include "journal/writer.h"

namespace weir::sim {

class NodeJournal final : public Journal {
 public:
  NodeJournal(JournalWriter& writer, Context& context) : writer_(writer), context_(context) {}

  // The process has died: whatever its objects still do on their way out did not happen.
  void mute() { muted_ = true; }

  void open(Hash128 id, const UsageRow& row, std::span<const Effect> effects) override {
    if (muted_) return;
    writer_.open(id, row, effects);
    context_.truth.tell([&](Observer& observer) { observer.on_opened(id, row); });
  }
  void top_up(Hash128 id, std::span<const Effect> effects) override {
    if (!muted_) writer_.top_up(id, effects);
  }
  void top_up_held(Hash128 id, std::int64_t extra_tokens, std::int64_t extra_usd_micros,
                   std::span<const Effect> effects) override {
    if (!muted_) writer_.top_up_held(id, extra_tokens, extra_usd_micros, effects);
  }
  void settle(Hash128 id, const UsageRow& row, std::span<const Effect> effects) override {
    if (muted_) return;
    writer_.settle(id, row, effects);
    context_.truth.tell([&](Observer& observer) { observer.on_settled(id, row); });
  }
  void open_hold(Hash128 id, const UsageRow& row, std::string_view hold, std::span<const Effect> effects) override {
    if (muted_) return;
    writer_.open_hold(id, row, hold, effects);
    context_.truth.tell([&](Observer& observer) { observer.on_opened(id, row); });
  }
  void settle_hold(const UsageRow& row, const ClosedDecision& closed, std::span<const Effect> effects) override {
    if (muted_) return;
    writer_.settle_hold(row, closed, effects);
    context_.truth.tell([&](Observer& observer) { observer.on_settled(closed.id, row); });
  }
  void audit(const AuditRow& row) override {
    if (!muted_) writer_.audit(row);
  }
  void when_written(JournalEvents& events) override { writer_.when_written(events); }
  void forget(JournalEvents& events) override { writer_.forget(events); }

 private:
  JournalWriter& writer_;
  Context& context_;
  bool muted_ = false;
};

}  // namespace weir::sim
