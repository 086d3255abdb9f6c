#include "clients/hearing.h"

#include <charconv>

#include "clients/hearing_json.h"
#include "words.h"

namespace weir::sim::client {
namespace {

std::optional<DurationNs> told_wait(const HttpHead& head) {
  for (const auto& [name, unit] : {std::pair<std::string_view, DurationNs>{"retry-after-ms", kMillisecond},
                                   std::pair<std::string_view, DurationNs>{"retry-after", kSecond}}) {
    const std::string_view text = head.find(name);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (!text.empty() && error == std::errc()) return value * unit;
  }
  return std::nullopt;
}

}  // namespace

void Hearing::begin(const HttpHead& head) {
  heard_.status = head.status;
  heard_.request_id = head.find("x-weir-request-id");
  heard_.lineage = head.find("x-weir-lineage");
  heard_.session = head.find("mcp-session-id");
  heard_.wait = told_wait(head);
  const std::string_view type = head.find("content-type");
  events_ = type.starts_with("text/event-stream");
  stream_ = events_ || type.starts_with("application/x-ndjson");
}

void Hearing::take(std::string_view bytes) {
  if (!events_) return take_objects(bytes);
  for (const char c : bytes) {
    if (c != '\r') pending_ += c;
  }
  take_events();
}

void Hearing::take_events() {
  for (std::size_t end = pending_.find("\n\n"); end != std::string::npos; end = pending_.find("\n\n")) {
    std::string_view event = std::string_view(pending_).substr(0, end);
    std::string data;
    while (!event.empty()) {
      const std::size_t stop = event.find('\n');
      std::string_view line = event.substr(0, stop);
      event.remove_prefix(stop == std::string_view::npos ? event.size() : stop + 1);
      if (line.starts_with("data:")) data += line.substr(5);
    }
    while (data.starts_with(' ')) data.erase(0, 1);
    if (data == "[DONE]") {
      finished_ = true;
    } else if (!data.empty()) {
      object(data);
    }
    pending_.erase(0, end + 2);
  }
}

// Objects one after the other, by line or in a list: whatever stands between them does not matter.
void Hearing::take_objects(std::string_view bytes) {
  for (const char c : bytes) {
    if (depth_ == 0 && c != '{') continue;
    pending_ += c;
    if (in_string_) {
      in_string_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{') {
      ++depth_;
    } else if (c == '}' && --depth_ == 0) {
      object(pending_);
      pending_.clear();
    }
  }
}

void Hearing::object(std::string_view json) {
  Piece piece = hear_object(operation_, json, heard_);
  text_bytes_ += piece.text.size();
  if (heard_.text.size() < kMaxKept) heard_.text += piece.text;
  finished_ |= piece.finished;
  heard_.error |= piece.error;
  heard_.last_json = json;
}

const Heard& Hearing::conclude(bool whole) {
  heard_.tokens = tokens_of(text_bytes_);
  for (const ToolCall& call : heard_.calls) heard_.tokens += call_tokens(call.name, call.arguments);
  if (heard_.refusal && heard_.refusal->retry_after_ms) {
    if (!heard_.wait) heard_.wait = *heard_.refusal->retry_after_ms * kMillisecond;
    heard_.refusal->retry_after_ms = *heard_.wait / kMillisecond;  // the header's: what clients go by
  }
  const bool refusal_status = heard_.status == 429 || heard_.status == 413;
  if (!begun() || !whole) {
    heard_.end = heard_.error && heard_.status >= 200 && stream_ ? AskEnd::kFailed : AskEnd::kBroken;
  } else if (heard_.refusal && (refusal_status || (operation_ == Operation::kMcp && heard_.status == 200))) {
    heard_.end = AskEnd::kRefused;
  } else if (heard_.status >= 400) {
    heard_.end = AskEnd::kFailed;
  } else if (stream_ && heard_.error) {
    heard_.end = AskEnd::kFailed;
  } else {
    heard_.end = !stream_ || finished_ ? AskEnd::kAnswered : AskEnd::kBroken;
  }
  if (heard_.end != AskEnd::kRefused) heard_.refusal.reset();
  return heard_;
}

}  // namespace weir::sim::client
