#include "behavior/links.h"

namespace weir {

std::uint32_t Links::index_of(std::uint64_t key) const {
  if (heads_.empty()) return kNone;
  std::uint32_t at = heads_[key & (heads_.size() - 1)];
  while (at != kNone && entries_[at].key != key) at = entries_[at].next;
  return at;
}

void Links::unlink(std::uint32_t index) {
  std::uint32_t* from = &head(entries_[index].key);
  while (*from != index) from = &entries_[*from].next;
  *from = entries_[index].next;
}

void Links::grow_heads() {
  heads_.assign(heads_.empty() ? 16 : heads_.size() * 2, kNone);
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    std::uint32_t& from = head(entries_[i].key);
    entries_[i].next = from;
    from = i;
  }
}

void Links::put(std::uint64_t key, const Link& link) {
  std::uint32_t at = index_of(key);
  if (at == kNone) {
    if (entries_.size() < most_) {
      if (entries_.size() >= heads_.size()) grow_heads();
      at = static_cast<std::uint32_t>(entries_.size());
      entries_.emplace_back();
    } else {
      at = oldest_;
      oldest_ = static_cast<std::uint32_t>((oldest_ + 1) % entries_.size());
      unlink(at);
    }
    std::uint32_t& from = head(key);
    entries_[at].key = key;
    entries_[at].next = from;
    from = at;
  }
  Entry& entry = entries_[at];
  entry.slot = link.run.slot;
  entry.generation = link.run.generation;
  entry.stripe = link.run.stripe;
  entry.depth = link.depth;
}

std::optional<Link> Links::find(std::uint64_t key) const {
  const std::uint32_t at = index_of(key);
  if (at == kNone) return std::nullopt;
  const Entry& entry = entries_[at];
  return Link{{entry.slot, entry.generation, entry.stripe}, entry.depth};
}

}  // namespace weir
