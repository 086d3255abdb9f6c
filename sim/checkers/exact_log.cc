#include "checkers/exact_log.h"

#include <algorithm>

namespace weir::sim {

void ExactLog::add(const Piece& piece) {
  std::size_t index = pieces_.size();
  while (index > 0 && pieces_[index - 1].at > piece.at) --index;
  pieces_.insert(pieces_.begin() + static_cast<std::ptrdiff_t>(index), piece);
  if (index + 1 != pieces_.size()) return count_again(low_from_, high_from_);
  sums_.low += piece.certain;
  sums_.high += piece.amount;
}

ExactLog::Piece* ExactLog::find(Hash128 id, TimeNs at, std::size_t& index) {
  auto place = std::lower_bound(pieces_.begin(), pieces_.end(), at, [](const Piece& p, TimeNs t) { return p.at < t; });
  while (place != pieces_.end() && place->at == at && place->id != id) ++place;
  if (place == pieces_.end() || place->at != at) return nullptr;
  index = static_cast<std::size_t>(place - pieces_.begin());
  return &*place;
}

std::int64_t ExactLog::give_back(Hash128 id, TimeNs at, std::int64_t most) {
  std::size_t index = 0;
  Piece* piece = find(id, at, index);
  if (piece == nullptr) return 0;
  const std::int64_t taken = std::min(most, piece->amount);
  const std::int64_t certain = std::min(taken, piece->certain);
  piece->amount -= taken;
  piece->certain -= certain;
  if (index >= low_begin_) sums_.low -= certain;
  if (index >= high_begin_) sums_.high -= taken;
  return taken;
}

void ExactLog::doubt(Hash128 id, TimeNs at, std::int64_t most) {
  std::size_t index = 0;
  Piece* piece = find(id, at, index);
  if (piece == nullptr) return;
  const std::int64_t less = std::min(most, piece->certain);
  piece->certain -= less;
  if (index >= low_begin_) sums_.low -= less;
}

void ExactLog::doubt_all() {
  for (Piece& piece : pieces_) piece.certain = 0;
  sums_.low = 0;
}

void ExactLog::may_return(Hash128 id, TimeNs at, std::int64_t most) {
  std::size_t index = 0;
  Piece* piece = find(id, at, index);
  if (piece == nullptr) return;
  piece->amount += most;
  if (index >= high_begin_) sums_.high += most;
}

void ExactLog::count_again(TimeNs low_from, TimeNs high_from) {
  sums_ = {};
  low_from_ = low_from;
  high_from_ = high_from;
  const auto first = [&](TimeNs from) {
    return static_cast<std::size_t>(
        std::upper_bound(pieces_.begin(), pieces_.end(), from, [](TimeNs t, const Piece& p) { return t < p.at; }) -
        pieces_.begin());
  };
  low_begin_ = first(low_from);
  high_begin_ = first(high_from);
  for (std::size_t i = high_begin_; i < pieces_.size(); ++i) sums_.high += pieces_[i].amount;
  for (std::size_t i = low_begin_; i < pieces_.size(); ++i) sums_.low += pieces_[i].certain;
}

ExactLog::Sums ExactLog::sums(TimeNs t, DurationNs window, DurationNs width) {
  const TimeNs low_from = t - window, high_from = low_from - 2 * width;
  if (low_from < low_from_ || high_from < high_from_) count_again(low_from, high_from);
  low_from_ = low_from;
  high_from_ = high_from;
  for (; low_begin_ < pieces_.size() && pieces_[low_begin_].at <= low_from; ++low_begin_) {
    sums_.low -= pieces_[low_begin_].certain;
  }
  for (; high_begin_ < pieces_.size() && pieces_[high_begin_].at <= high_from; ++high_begin_) {
    sums_.high -= pieces_[high_begin_].amount;
  }
  while (!pieces_.empty() && pieces_.front().at <= high_from - kKeptBeyond && high_begin_ > 0) {
    pieces_.pop_front();
    --high_begin_;
    --low_begin_;
  }
  return sums_;
}

}  // namespace weir::sim
