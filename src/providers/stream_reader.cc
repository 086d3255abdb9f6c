// StreamReader: takes a stream event by event while bytes arrive, reads each once, and passes it on.
#include <simdjson.h>

#include "providers/answer_parts.h"

namespace weir {
namespace {

constexpr std::size_t kSharedParser = 256 << 10;
constexpr std::size_t kKeptBuffer = 64 << 10;

// True if the line is a `data` field; `value` is then what follows the colon and at most one space.
bool data_field(std::string_view line, std::string_view& value) {
  if (!line.starts_with("data")) return false;
  value = line.substr(4);
  if (value.empty()) return true;
  if (value.front() != ':') return false;
  value.remove_prefix(1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  return true;
}

std::string_view without_front(std::string_view text, std::string_view characters) {
  return text.substr(std::min(text.find_first_not_of(characters), text.size()));
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  text = without_front(text, kSpace);
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

}  // namespace

StreamReader::StreamReader(Operation operation, Framing framing, bool hide_usage, GeneratedText* listener)
    : operation_(operation), framing_(framing), hide_usage_(hide_usage), listener_(listener), cutter_(framing) {}

void StreamReader::feed(std::string_view bytes, std::string& out) {
  while (next(bytes, out)) {
  }
}

bool StreamReader::next(std::string_view& bytes, std::string& out) {
  while (!bytes.empty()) {
    const StreamCutter::Cut cut = cutter_.next(bytes);
    const std::string_view part = bytes.substr(0, cut.length);
    bytes.remove_prefix(cut.length);
    if (cut.filler) {
      if (hid_last_) continue;
      out.append(part);
      return true;
    }
    if (passing_ || pending_.size() + part.size() > kMaxEvent) {
      pass_unread(part, out);
      passing_ = !cut.complete;
      return true;
    }
    if (!cut.complete) {
      pending_.append(part);
      return false;
    }
    if (!pending_.empty()) pending_.append(part);
    const std::string_view raw = pending_.empty() ? part : std::string_view(pending_);
    const bool cr = raw.back() == '\r';
    hid_last_ = event(raw);
    if (!hid_last_) out.append(raw);
    pending_.clear();
    if (pending_.capacity() > kKeptBuffer) std::string().swap(pending_);
    if (cr && bytes.starts_with('\n')) {  // the event's own, if it is at hand
      bytes.remove_prefix(cutter_.next(bytes.substr(0, 1)).length);
      if (!hid_last_) out += '\n';
    }
    return true;
  }
  return false;
}

void StreamReader::pass_unread(std::string_view part, std::string& out) {
  TextSink sink(facts_, listener_);
  // What is not read counts as text: the charge is then too high rather than nothing.
  facts_.unread = true;
  sink.add(pending_);
  sink.add(part);
  out.append(pending_).append(part);
  std::string().swap(pending_);
  hid_last_ = false;
  begun_ = true;
}

void StreamReader::finish(std::string& out) {
  cut_off_ = true;
  if (!pending_.empty() && !event(pending_)) out.append(pending_);
  pending_.clear();
}

bool StreamReader::event(std::string_view raw) {
  if (first_event_ && raw.starts_with("\xEF\xBB\xBF")) raw.remove_prefix(3);
  first_event_ = false;
  begun_ = true;
  bool hide = false;
  if (framing_ == Framing::kSse) {
    std::string_view payload;
    int lines = 0;
    LineCutter lines_of_event(raw);
    for (std::string_view line; lines_of_event.next(line);) {
      std::string_view value;
      if (!data_field(line, value)) continue;
      if (++lines == 2) joined_.assign(payload);
      if (lines == 1) {
        payload = value;
      } else {
        joined_.append("\n").append(value);
      }
    }
    if (lines > 0) hide = data(lines == 1 ? payload : std::string_view(joined_));
  } else {
    (void)data(framing_ == Framing::kJsonArray ? without_front(raw, " \t\r\n[,") : raw);
  }
  ended_ |= state_.finished && (framing_ != Framing::kJsonArray || cutter_.closed());
  return hide;
}

bool StreamReader::data(std::string_view payload) {
  payload = trimmed(payload);
  const bool chat = operation_ == Operation::kChatCompletions || operation_ == Operation::kCompletions;
  if (chat && payload == "[DONE]") {
    state_.finished = true;
    return false;
  }
  // Ends and fillers of any server; and the bracket that closes Gemini's array.
  if (payload.empty() || payload == "[DONE]" || payload == "null") return false;
  if (framing_ == Framing::kJsonArray && payload == "]") return false;
  const Dialect dialect = dialect_of(operation_);
  if (dialect == Dialect::kAnthropic && payload.starts_with(R"({"type":"content_block_stop")")) return false;
  thread_local simdjson::dom::parser shared;
  std::optional<simdjson::dom::parser> own;
  if (payload.size() > kSharedParser) own.emplace();
  simdjson::dom::parser& parser = own ? *own : shared;
  simdjson::dom::object root;
  TextSink sink(facts_, listener_);
  if (parser.parse(payload.data(), payload.size(), /*realloc_if_needed=*/true).get_object().get(root) !=
      simdjson::SUCCESS) {
    // The client gets it and may make more of it: counted as text, so that a broken event is not a free one. A torso is
    // no event to anybody.
    if (!cut_off_) {
      facts_.unread = true;
      sink.add(payload);
    }
    return false;
  }
  if (chat) return openai_chunk(operation_, root, facts_, sink) && hide_usage_;
  switch (dialect) {
    case Dialect::kOpenAi:
      if (operation_ == Operation::kResponses) responses_event(root, state_, facts_, sink);
      break;
    case Dialect::kAnthropic:
      anthropic_event(root, state_, facts_, sink);
      break;
    case Dialect::kGemini:
      gemini_chunk(root, state_, facts_, sink);
      break;
    case Dialect::kOllama:
      ollama_line(root, state_, facts_, sink);
      break;
  }
  return false;
}

}  // namespace weir
