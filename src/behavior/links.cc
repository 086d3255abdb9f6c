#include "behavior/links.h"

#include <algorithm>

namespace weir {

namespace {

std::uint32_t bucket_of(std::uint64_t owner) {
  return static_cast<std::uint32_t>((owner * 0x9e3779b97f4a7c15ULL) >> 40) & (Links::kOwners - 1);
}

}  // namespace

Link Links::Entry::link() const {
  return {{slot, generation, static_cast<std::uint16_t>(stripe)}, static_cast<std::uint16_t>(depth)};
}

bool Links::Entry::leads_to(const RunRef& run) const {
  return slot == run.slot && generation == run.generation && stripe == run.stripe;
}

void Links::Entry::set(const Link& to, std::uint32_t of) {
  slot = to.run.slot;
  generation = to.run.generation;
  stripe = to.run.stripe & 0x3fU;
  depth = std::min(to.depth, kMaxDepth) & 0x3fffU;
  owner = of & 0x7ffU;
  taken = 0;
}

std::uint32_t Links::index_of(std::uint64_t key) const {
  if (heads_.empty()) return kNone;
  std::uint32_t at = heads_[key & (heads_.size() - 1)];
  while (at != kNone && entries_[at].key != key) at = entries_[at].next;
  return at;
}

std::uint32_t Links::next_of(std::uint32_t index) const {
  const std::uint64_t key = entries_[index].key;
  std::uint32_t at = entries_[index].next;
  while (at != kNone && entries_[at].key != key) at = entries_[at].next;
  return at;
}

void Links::chain(std::uint32_t index) {
  std::uint32_t& from = head(entries_[index].key);
  entries_[index].next = from;
  from = index;
}

void Links::unlink(std::uint32_t index) {
  std::uint32_t* from = &head(entries_[index].key);
  while (*from != index) from = &entries_[*from].next;
  *from = entries_[index].next;
}

void Links::grow_heads() {
  heads_.assign(heads_.empty() ? 16 : heads_.size() * 2, kNone);
  for (std::uint32_t i = 0; i < entries_.size(); ++i) chain(i);
}

std::uint32_t Links::oldest_of_the_richest() {
  if (counts_.empty()) {
    counts_.assign(kOwners, 0);
    for (const Entry& entry : entries_) ++counts_[entry.owner];
  }
  const auto size = static_cast<std::uint32_t>(entries_.size());
  const auto at = [&](std::uint32_t look) { return static_cast<std::uint32_t>((oldest_ + std::size_t{look}) % size); };
  std::uint32_t richest = 0;
  for (std::uint32_t look = 1; look < std::min(kMaxLooks, size); ++look) {
    if (counts_[entries_[at(look)].owner] > counts_[entries_[at(richest)].owner]) richest = look;
  }
  const std::uint32_t found = at(richest);
  oldest_ = at(richest + 1);
  return found;
}

std::uint32_t Links::new_entry(std::uint64_t key) {
  std::uint32_t at = 0;
  if (entries_.size() < most_) {
    if (entries_.size() >= heads_.size()) grow_heads();
    at = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back();
  } else {
    at = oldest_of_the_richest();
    unlink(at);
  }
  entries_[at].key = key;
  chain(at);
  return at;
}

void Links::set(Entry& entry, const Link& link, std::uint64_t owner) {
  if (!counts_.empty()) {
    --counts_[entry.owner];
    ++counts_[bucket_of(owner)];
  }
  entry.set(link, bucket_of(owner));
}

void Links::put(std::uint64_t key, const Link& link, std::uint64_t owner) {
  std::uint32_t at = index_of(key);
  if (at == kNone) at = new_entry(key);
  set(entries_[at], link, owner);
}

std::optional<Link> Links::find(std::uint64_t key) const {
  const std::uint32_t at = index_of(key);
  if (at == kNone) return std::nullopt;
  return entries_[at].link();
}

void Links::push(std::uint64_t key, const Link& link, std::uint64_t owner, bool once) {
  std::size_t same = 0;
  std::uint32_t oldest = kNone;
  for (std::uint32_t at = index_of(key); at != kNone; at = next_of(at)) {
    if (once && entries_[at].leads_to(link.run)) return;
    oldest = at;
    ++same;
  }
  if (same < kMaxSame) {
    oldest = new_entry(key);
  } else {
    unlink(oldest);
    chain(oldest);
  }
  set(entries_[oldest], link, owner);
}

std::optional<Link> Links::take(std::uint64_t key) {
  std::uint32_t found = kNone;
  for (std::uint32_t at = index_of(key); at != kNone; at = next_of(at)) {
    if (entries_[at].taken == 0) found = at;
  }
  if (found == kNone) return std::nullopt;
  entries_[found].taken = 1;
  return entries_[found].link();
}

bool Links::take_of(std::uint64_t key, const RunRef& run) {
  for (std::uint32_t at = index_of(key); at != kNone; at = next_of(at)) {
    if (entries_[at].taken != 0 || !entries_[at].leads_to(run)) continue;
    entries_[at].taken = 1;
    return true;
  }
  return false;
}

void Links::give_back(std::uint64_t key, const RunRef& run) {
  std::uint32_t found = kNone;
  for (std::uint32_t at = index_of(key); at != kNone; at = next_of(at)) {
    if (entries_[at].taken != 0 && entries_[at].leads_to(run)) found = at;
  }
  if (found != kNone) entries_[found].taken = 0;
}

std::vector<Link> Links::all(std::uint64_t key) const {
  std::vector<Link> found;
  for (std::uint32_t at = index_of(key); at != kNone; at = next_of(at)) found.push_back(entries_[at].link());
  return found;
}

}  // namespace weir
