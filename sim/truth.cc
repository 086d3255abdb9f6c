#include "truth.h"

#include <charconv>

#include "base/check.h"

namespace weir::sim {
namespace {

std::uint64_t number_at(std::string_view text) {
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() ? out : 0;
}

}  // namespace

Ask& Truth::begin(Ask ask) {
  ask.number = asks_.size() + 1;
  asks_.push_back(std::move(ask));
  ++open_;
  tell([&](Observer& observer) { observer.on_ask(asks_.back()); });
  return asks_.back();
}

void Truth::end(Ask& ask, AskEnd how, TimeNs at) {
  WEIR_CHECK(ask.end == AskEnd::kOpen);
  ask.end = how;
  ask.ended = at;
  --open_;
  tell([&](Observer& observer) { observer.on_ask_end(ask); });
}

Call& Truth::arrive(Call call) {
  if (Ask* asked = ask(call.ask)) {
    asked->calls.push_back(calls_.size());
    call.attempt = static_cast<int>(asked->calls.size());
  }
  calls_.push_back(std::move(call));
  tell([&](Observer& observer) { observer.on_call(calls_.back()); });
  return calls_.back();
}

void Truth::end(Call& call, TimeNs at) {
  if (call.over) return;
  call.over = true;
  call.ended = at;
  tell([&](Observer& observer) { observer.on_call_end(call); });
}

Ask* Truth::ask(std::uint64_t number) {
  return number == 0 || number > asks_.size() ? nullptr : &asks_[number - 1];
}

std::uint64_t ask_number(std::string_view text) {
  const std::size_t at = text.find("ask:");
  return at == std::string_view::npos ? 0 : number_at(text.substr(at + 4));
}

std::uint64_t ask_of(const UsageRow& row) {
  for (const std::string* label : {&row.user, &row.conversation}) {
    if (label->starts_with("ask-")) return number_at(std::string_view(*label).substr(4));
  }
  return 0;
}

}  // namespace weir::sim
