#include "http_reader.h"

#include <algorithm>
#include <charconv>

namespace weir::sim {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

bool read_number(std::string_view text, int base, std::uint64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

std::string_view HttpHead::find(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

void HttpReader::feed(std::string_view bytes) {
  buffer_ += bytes;
  advance();
}

void HttpReader::next() {
  state_ = State::kHead;
  body_.clear();
  advance();
}

void HttpReader::eof() {
  if (state_ == State::kBody && framing_ == Framing::kUntilEnd) {
    state_ = State::kDone;
  } else if (begun() && state_ != State::kDone) {
    state_ = State::kBroken;
  }
}

bool HttpReader::keeps_open() const {
  return framing_ != Framing::kUntilEnd && lower(head_.find("connection")) != "close";
}

void HttpReader::advance() {
  bool more = true;
  while (more) {
    switch (state_) {
      case State::kHead:
        more = read_head();
        break;
      case State::kBody:
        if (framing_ == Framing::kChunks) {
          more = chunk_ == Chunk::kData ? read_chunk_part() : read_chunk_line();
        } else {
          more = read_length();
        }
        break;
      default:
        more = false;
    }
  }
}

bool HttpReader::read_head() {
  const std::size_t end = buffer_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (buffer_.size() > kMaxHead) state_ = State::kBroken;
    return false;
  }
  head_ = {};
  std::string_view text = std::string_view(buffer_).substr(0, end + 2);
  const std::size_t first = text.find("\r\n");
  const std::string_view line = text.substr(0, first);
  const std::size_t one = line.find(' '), two = line.find(' ', one + 1);
  if (one == std::string_view::npos) {
    state_ = State::kBroken;
    return false;
  }
  if (side_ == Side::kRequests) {
    head_.method = line.substr(0, one);
    head_.target = line.substr(one + 1, two == std::string_view::npos ? two : two - one - 1);
  } else {
    std::uint64_t status = 0;
    const bool good = line.starts_with("HTTP/1.") && read_number(line.substr(one + 1, 3), 10, status);
    head_.status = good ? static_cast<int>(status) : 0;
  }
  text.remove_prefix(first + 2);
  while (!text.empty()) {
    const std::size_t stop = text.find("\r\n");
    const std::string_view field = text.substr(0, stop);
    const std::size_t colon = field.find(':');
    if (colon != std::string_view::npos) {
      head_.headers.emplace_back(lower(field.substr(0, colon)), trimmed(field.substr(colon + 1)));
    }
    text.remove_prefix(stop + 2);
  }
  buffer_.erase(0, end + 4);
  if (side_ == Side::kAnswers && head_.status == 0) {
    state_ = State::kBroken;
    return false;
  }
  if (side_ == Side::kAnswers && head_.status < 200) return true;  // 100 Continue: the answer is still to come
  choose_framing();
  return true;
}

void HttpReader::choose_framing() {
  left_ = 0;
  framing_ = Framing::kNone;
  const std::string_view length = head_.find("content-length");
  if (lower(head_.find("transfer-encoding")) == "chunked") {
    framing_ = Framing::kChunks;
    chunk_ = Chunk::kSize;
  } else if (!length.empty()) {
    framing_ = Framing::kLength;
    if (!read_number(length, 10, left_)) state_ = State::kBroken;
  } else if (side_ == Side::kAnswers && head_.status != 204 && head_.status != 304) {
    framing_ = Framing::kUntilEnd;
  }
  if (state_ == State::kBroken) return;
  const bool none = framing_ == Framing::kNone || (framing_ == Framing::kLength && left_ == 0);
  state_ = none ? State::kDone : State::kBody;
}

bool HttpReader::read_length() {
  const std::size_t take =
      framing_ == Framing::kUntilEnd ? buffer_.size() : std::min<std::uint64_t>(left_, buffer_.size());
  body_.append(buffer_, 0, take);
  buffer_.erase(0, take);
  if (framing_ == Framing::kUntilEnd) return false;
  left_ -= take;
  if (left_ != 0) return false;
  state_ = State::kDone;
  return false;
}

bool HttpReader::read_chunk_part() {
  const std::size_t take = std::min<std::uint64_t>(left_, buffer_.size());
  body_.append(buffer_, 0, take);
  buffer_.erase(0, take);
  left_ -= take;
  if (left_ != 0) return false;
  chunk_ = Chunk::kDataEnd;
  return true;
}

bool HttpReader::read_chunk_line() {
  const std::size_t end = buffer_.find("\r\n");
  if (end == std::string::npos) {
    if (buffer_.size() > kMaxLine) state_ = State::kBroken;
    return false;
  }
  const std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  switch (chunk_) {
    case Chunk::kSize:
      if (!read_number(std::string_view(line).substr(0, line.find(';')), 16, left_)) {
        state_ = State::kBroken;
        return false;
      }
      chunk_ = left_ == 0 ? Chunk::kTrailer : Chunk::kData;
      return true;
    case Chunk::kDataEnd:
      if (!line.empty()) state_ = State::kBroken;
      chunk_ = Chunk::kSize;
      return line.empty();
    default:
      if (line.empty()) state_ = State::kDone;
      return !line.empty();
  }
}

}  // namespace weir::sim
