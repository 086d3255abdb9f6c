#include "engine/counter_defs.h"

#include <algorithm>
#include <vector>

namespace weir::engine {

CounterDefs::~CounterDefs() {
  for (auto& chunk : chunks_) delete chunk.load(std::memory_order_relaxed);
}

namespace {

// The same name with another kind of window is another counter.
std::uint64_t key_of(std::uint64_t hash, WindowKind kind) {
  return hash + (static_cast<std::uint64_t>(kind) + 1) * 0x9E3779B97F4A7C15ull;
}

}  // namespace

bool is_part_of(const Identity& other, const Identity& identity) {
  for (const Identity* part = &identity; part != nullptr; part = part->absorbed.load(std::memory_order_acquire)) {
    if (part == &other) return true;
  }
  return false;
}

Identity& CounterDefs::identity_of(std::uint64_t hash, WindowKind kind) {
  Identity*& identity = by_hash_[key_of(hash, kind)];
  if (identity == nullptr) {
    identity = &identities_.emplace_back();
    identity->hash = hash;
  }
  return *identity;
}

void CounterDefs::rename(std::uint64_t from, std::uint64_t to, WindowKind kind) {
  const auto old = by_hash_.find(key_of(from, kind));
  if (old == by_hash_.end() || !old->second->defined) return;
  const auto taken = by_hash_.find(key_of(to, kind));
  if (taken != by_hash_.end() && taken->second->defined) return;
  Identity* identity = old->second;
  if (taken != by_hash_.end()) absorb(*identity, *taken->second, kind);
  by_hash_.erase(old);
  by_hash_[key_of(to, kind)] = identity;
  // Its shapes go with it, or a later counter of the old name would find them and share its cells.
  const auto [begin, end] = shapes_.equal_range(key_of(from, kind));
  std::vector<const Def*> own;
  for (auto it = begin; it != end; ++it) own.push_back(it->second);
  shapes_.erase(begin, end);
  for (const Def* def : own) shapes_.emplace(key_of(to, kind), def);
  for (Identity* part = identity; part != nullptr; part = part->absorbed.load()) part->hash.store(to);
}

void CounterDefs::absorb(Identity& identity, Identity& restored, WindowKind kind) {
  shapes_.erase(key_of(restored.hash, kind));
  if (kind != WindowKind::kSliding) {
    restored.hash.store(0);  // its cells are nobody's, also after the next restart
    return;
  }
  Identity* last = &restored;
  while (Identity* next = last->absorbed.load()) last = next;
  last->absorbed.store(identity.absorbed.load());
  identity.absorbed.store(&restored);
  mark_changed(identity);
}

const Def* CounterDefs::define(std::uint64_t hash, const CounterSpec& spec, std::uint64_t formerly, bool& first) {
  const MutexLock guard(mutex_);
  if (formerly != 0) rename(formerly, hash, spec.kind);
  Identity& identity = identity_of(hash, spec.kind);
  const Def* def = shape(identity, spec.kind, spec.window, spec.precision);
  if (def == nullptr) return nullptr;
  first = !identity.defined;
  identity.defined = true;
  const Def* before = identity.current.load(std::memory_order_relaxed);
  if (before != nullptr && before != def) mark_changed(identity);
  for (Identity* part = &identity; part != nullptr; part = part->absorbed.load()) {
    part->current.store(def, std::memory_order_release);
  }
  return def;
}

const Def* CounterDefs::restore(std::uint64_t hash, WindowKind kind, DurationNs window, std::uint16_t precision) {
  const MutexLock guard(mutex_);
  Identity& identity = identity_of(hash, kind);
  const Def* def = shape(identity, kind, window, precision);
  if (def == nullptr) return nullptr;
  const Def* current = identity.current.load(std::memory_order_relaxed);
  if (current == nullptr) {
    identity.current.store(def, std::memory_order_release);
  } else if (current != def) {
    mark_changed(identity);
  }
  return def;
}

void CounterDefs::mark_changed(Identity& identity) {
  identity.changes.fetch_add(1, std::memory_order_release);
  identity.reshaped.store(true, std::memory_order_release);
}

const Def* CounterDefs::newest(std::uint64_t hash, bool defined) const {
  const Def* newest = nullptr;
  for (const WindowKind kind : {WindowKind::kSliding, WindowKind::kBucket, WindowKind::kCalendar}) {
    const auto found = by_hash_.find(key_of(hash, kind));
    if (found == by_hash_.end() || (defined && !found->second->defined)) continue;
    const Def* def = found->second->current.load(std::memory_order_relaxed);
    if (def != nullptr && (newest == nullptr || def->id > newest->id)) newest = def;
  }
  return newest;
}

const Def* CounterDefs::find_defined(std::uint64_t hash) const {
  const MutexLock guard(mutex_);
  return newest(hash, true);
}

const Def* CounterDefs::find(std::uint64_t hash) const {
  const MutexLock guard(mutex_);
  return newest(hash, false);
}

const Def* CounterDefs::find_defined(std::uint64_t hash, WindowKind kind) const {
  const MutexLock guard(mutex_);
  const auto found = by_hash_.find(key_of(hash, kind));
  if (found == by_hash_.end() || !found->second->defined) return nullptr;
  return found->second->current.load(std::memory_order_relaxed);
}

const Def* CounterDefs::shape(Identity& identity, WindowKind kind, DurationNs window, std::uint16_t precision) {
  const bool sliding = kind == WindowKind::kSliding;
  window = sliding ? std::clamp<DurationNs>(window, kMinWindow, kMaxWindow) : 0;
  precision = sliding ? std::clamp<std::uint16_t>(precision, 1, 1000) : std::uint16_t{0};
  const auto [begin, end] = shapes_.equal_range(key_of(identity.hash, kind));
  for (auto it = begin; it != end; ++it) {
    const Def& known = *it->second;
    if (known.window == window && known.precision == precision) return &known;
  }
  const std::uint32_t id = count_.load(std::memory_order_relaxed);
  if (id == kMaxDefs) return nullptr;
  auto& chunk = chunks_[id / kChunk];
  if (id % kChunk == 0) chunk.store(new Chunk, std::memory_order_release);
  Def& def = (*chunk.load(std::memory_order_relaxed))[id % kChunk];
  def.id = id;
  def.kind = kind;
  def.window = window;
  def.precision = precision;
  def.buckets = static_cast<std::uint16_t>(precision + 1);
  if (sliding) {
    def.width = (window + precision - 1) / precision;
    identity.shortest.store(std::min(identity.shortest.load(std::memory_order_relaxed), window),
                            std::memory_order_relaxed);
  }
  def.width_inverse = ~std::uint64_t{0} / static_cast<std::uint64_t>(def.width);
  def.buckets_inverse = ~std::uint64_t{0} / def.buckets;
  def.identity = &identity;
  count_.store(id + 1, std::memory_order_release);
  shapes_.emplace(key_of(identity.hash, kind), &def);
  return &def;
}

}  // namespace weir::engine
