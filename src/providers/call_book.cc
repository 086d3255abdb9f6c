#include "providers/call_book.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir {

CallBook::CallBook() : calls_(1) {
  calls_.front().state = StreamedCall::State::kCut;
  calls_.front().complete = true;
}

std::size_t CallBook::begin(std::int64_t choice, std::int64_t index) {
  if (calls_.size() > kMaxCallsInTurn) return 0;
  StreamedCall& call = calls_.emplace_back();
  call.choice = choice;
  call.index = index;
  ++open_;
  return calls_.size() - 1;
}

void CallBook::identify(std::size_t at, std::string_view id) {
  StreamedCall& call = calls_[at];
  if (at != 0 && call.call.id.empty() && id.size() <= kMaxCallId) call.call.id = id;
}

void CallBook::name(std::size_t at, std::string_view name) {
  StreamedCall& call = calls_[at];
  if (call.named || name.empty()) return;
  if (at == 0) {
    ++cut_;
    return;
  }
  call.named = true;
  call.call.name = canonical_tool_name(name);
  questions_.push_back({at, Asks::kName});
}

void CallBook::append(std::size_t at, std::string_view arguments) {
  StreamedCall& call = calls_[at];
  if (call.state == StreamedCall::State::kCut || call.complete || arguments.empty()) return;
  if (argument_bytes_ + arguments.size() > CallFilter::kMaxHeld) {
    // What cannot be judged as a whole does not leave; what has left already counts by its beginning.
    if (call.is_withheld()) cut(call);
    return;
  }
  argument_bytes_ += arguments.size();
  call.arguments.append(arguments);
}

void CallBook::set_arguments(std::size_t at, std::string_view arguments) {
  StreamedCall& call = calls_[at];
  if (call.complete || arguments.empty()) return;
  forget_arguments(call);
  append(at, arguments);
}

void CallBook::complete(std::size_t at) {
  StreamedCall& call = calls_[at];
  if (call.complete) return;
  call.complete = true;
  --open_;
  if (!call.named) {
    call.named = true;
    questions_.push_back({at, Asks::kName});
  }
  questions_.push_back({at, Asks::kCall});
}

CallBook::Asks CallBook::next() {
  for (; question_ < questions_.size(); ++question_) {
    const Question& question = questions_[question_];
    StreamedCall& call = calls_[question.call];
    if (call.state == StreamedCall::State::kCut) continue;
    if (question.asks == Asks::kCall) {
      argument_bytes_ -= call.arguments.size();
      call.call.arguments = std::exchange(call.arguments, {});
      call.call.signature = call_signature(call.call.name, call.call.arguments);
    }
    return question.asks;
  }
  questions_.clear();
  question_ = 0;
  return Asks::kNothing;
}

bool CallBook::holds_asked() const {
  return calls_[questions_[question_].call].state == StreamedCall::State::kHeld;
}

const ToolCall& CallBook::asked() const {
  return calls_[question_ < questions_.size() ? questions_[question_].call : 0].call;
}

void CallBook::rule(Ruling ruling) {
  if (question_ >= questions_.size()) return;
  const Question question = questions_[question_++];
  StreamedCall& call = calls_[question.call];
  if (question.asks == Asks::kCall) std::string().swap(call.call.arguments);
  if (!call.is_withheld()) return;
  if (question.asks == Asks::kName && ruling == Ruling::kHold) {
    call.state = StreamedCall::State::kHeld;
  } else if (ruling == Ruling::kPass) {
    call.state = StreamedCall::State::kPassing;
    ++passed_;
    if (!call.held.empty()) ++released_;
  } else {
    cut(call);
  }
}

void CallBook::hold(std::size_t at, std::string_view event) {
  StreamedCall& call = calls_[at];
  if (!call.is_withheld()) return;
  held_bytes_ -= call.held.bytes();
  call.held.add(event);
  held_bytes_ += call.held.bytes();
  if (held_bytes_ > CallFilter::kMaxHeld) cut(call);
}

void CallBook::released(std::size_t at) {
  --released_;
  held_bytes_ -= calls_[at].held.bytes();
  calls_[at].held.clear();
}

void CallBook::drop_all() {
  for (StreamedCall& call : calls_) {
    if (!call.is_withheld()) continue;
    cut(call);
    --cut_;  // it was never announced
  }
  questions_.clear();
  question_ = 0;
}

void CallBook::cut(StreamedCall& call) {
  call.state = StreamedCall::State::kCut;
  ++cut_;
  held_bytes_ -= call.held.bytes();
  call.held.clear();
  forget_arguments(call);
}

void CallBook::forget_arguments(StreamedCall& call) {
  argument_bytes_ -= call.arguments.size();
  std::string().swap(call.arguments);
}

bool mentions(std::string_view text, char anchor, std::initializer_list<std::string_view> endings) {
  for (const char *at = text.data(), *end = at + text.size(); at < end; ++at) {
    at = static_cast<const char*>(std::memchr(at, anchor, static_cast<std::size_t>(end - at)));
    if (at == nullptr) break;
    const std::string_view rest(at + 1, static_cast<std::size_t>(end - at) - 1);
    for (const std::string_view ending : endings) {
      if (rest.starts_with(ending)) return true;
    }
  }
  // Letters and the underscore may be written as \\u005f or \\u0061.
  for (std::size_t at = text.find("\\u00"); at != std::string_view::npos; at = text.find("\\u00", at + 4)) {
    if (at + 4 < text.size() && text[at + 4] >= '4' && text[at + 4] <= '7') return true;
  }
  return false;
}

}  // namespace weir
