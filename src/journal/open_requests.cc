#include "journal/open_requests.h"

namespace weir {
namespace {
constexpr std::size_t kFirstPlaces = 256;
constexpr std::size_t kKeptRow = 4096;  // rows larger than this give their memory back when they close
}  // namespace

OpenRequests::OpenRequests() : table_(kFirstPlaces, kEmpty) {}

std::size_t OpenRequests::home(Hash128 id) const {
  const std::uint64_t mixed = (id.low ^ (id.high * 0x9E3779B97F4A7C15ull)) * 0xD6E8FEB86659FD93ull;
  return static_cast<std::size_t>(mixed >> 32) & (table_.size() - 1);
}

std::size_t OpenRequests::find(Hash128 id) const {
  std::size_t place = home(id);
  while (table_[place] != kEmpty && slots_[table_[place]].id != id) place = (place + 1) & (table_.size() - 1);
  return place;
}

void OpenRequests::grow() {
  const std::vector<std::uint32_t> old = std::move(table_);
  table_.assign(old.size() * 2, kEmpty);
  for (const std::uint32_t index : old) {
    if (index != kEmpty) table_[find(slots_[index].id)] = index;
  }
}

bool OpenRequests::insert(Hash128 id, std::string_view encoded_row, bool hold) {
  std::size_t place = find(id);
  if (table_[place] == kEmpty) {
    if (size_ >= kMaxOpenRequests) return false;
    if (2 * (size_ + 1) > table_.size()) {
      grow();
      place = find(id);
    }
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    table_[place] = free_.back();
    free_.pop_back();
    ++size_;
  }
  Slot& slot = slots_[table_[place]];
  slot.id = id;
  slot.row.assign(encoded_row);
  slot.hold = hold;
  slot.extra_tokens = slot.extra_usd_micros = 0;
  return true;
}

bool OpenRequests::raise(Hash128 id, std::int64_t extra_tokens, std::int64_t extra_usd_micros) {
  const std::size_t place = find(id);
  if (table_[place] == kEmpty) return false;
  slots_[table_[place]].extra_tokens += extra_tokens;
  slots_[table_[place]].extra_usd_micros += extra_usd_micros;
  return true;
}

bool OpenRequests::erase(Hash128 id) {
  std::size_t hole = find(id);
  if (table_[hole] == kEmpty) return false;
  Slot& slot = slots_[table_[hole]];
  if (slot.row.capacity() > kKeptRow) slot.row = std::string();
  free_.push_back(table_[hole]);
  --size_;
  // Move later entries of the run back, so that no search stops at the hole too early.
  const std::size_t mask = table_.size() - 1;
  for (std::size_t next = (hole + 1) & mask; table_[next] != kEmpty; next = (next + 1) & mask) {
    const std::size_t wanted = home(slots_[table_[next]].id);
    if (((next - wanted) & mask) >= ((next - hole) & mask)) {
      table_[hole] = table_[next];
      hole = next;
    }
  }
  table_[hole] = kEmpty;
  return true;
}

}  // namespace weir
