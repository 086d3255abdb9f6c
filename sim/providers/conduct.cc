#include "providers/conduct.h"

#include <array>
#include <utility>

namespace weir::sim::provider {

Habits::Habits(const Settings& settings)
    : status_429(settings.number("status_429", 0)),
      status_500(settings.number("status_500", 0)),
      status_503(settings.number("status_503", 0)),
      stall(settings.number("stall", 0)),
      stall_midway(settings.number("stall_midway", 0)),
      truncate(settings.number("truncate", 0)),
      reset_midway(settings.number("reset_midway", 0)),
      malformed(settings.number("malformed", 0)),
      late_usage(settings.number("late_usage", 0)),
      no_usage(settings.number("no_usage", 0)),
      double_usage(settings.number("double_usage", 0)),
      lie_usage(settings.number("lie_usage", 0)),
      split(settings.number("split", 0)),
      keep_open(settings.number("keep_open", 0)),
      close_after(settings.number("close_after", 0)),
      chatter(settings.number("chatter", 0)),
      wrong_length(settings.number("wrong_length", 0)),
      until_close(settings.number("until_close", 0)) {}

Conduct Habits::draw(Random& random) const {
  using Ending = Conduct::Ending;
  Conduct out;
  const std::array<std::pair<std::int64_t, int>, 3> errors = {
      {{status_429, 429}, {status_500, 500}, {status_503, 503}}};
  for (const auto& [chance, status] : errors) {
    if (out.status == 200 && random.permille(chance)) out.status = status;
  }
  if (out.status == 429 && random.permille(800)) out.retry_after_s = random.between(1, 40);
  static constexpr std::array<Ending, 3> kMalformed = {Ending::kBrokenJson, Ending::kBrokenEvent, Ending::kBrokenChunk};
  const Ending broken = kMalformed[random.below(3)];
  const std::array<std::pair<std::int64_t, Ending>, 6> endings = {{{stall, Ending::kStall},
                                                                   {stall_midway, Ending::kStallMidway},
                                                                   {truncate, Ending::kTruncate},
                                                                   {reset_midway, Ending::kReset},
                                                                   {malformed, broken},
                                                                   {wrong_length, Ending::kWrongLength}}};
  for (const auto& [chance, ending] : endings) {
    if (random.permille(chance) && out.ending == Ending::kGood) out.ending = ending;
  }
  const std::array<std::pair<std::int64_t, bool*>, 9> others = {{{no_usage, &out.no_usage},
                                                                 {double_usage, &out.double_usage},
                                                                 {lie_usage, &out.lie},
                                                                 {late_usage, &out.late_usage},
                                                                 {split, &out.split},
                                                                 {keep_open, &out.keep_open},
                                                                 {close_after, &out.close_after},
                                                                 {until_close, &out.until_close},
                                                                 {chatter, &out.chatter}}};
  for (const auto& [chance, flag] : others) *flag = random.permille(chance);
  return out;
}

Usage lie_about(const Usage& bill, Random& random) {
  Usage out = bill;
  switch (random.below(6)) {
    case 0:
      out.output_visible = -random.between(1, 1000);
      break;
    case 1:
      out.output_visible = std::int64_t{1} << random.between(41, 61);
      break;
    case 2:
      out = {};
      break;
    case 3:
      out.output_visible = bill.output_visible * random.between(2, 9);
      break;
    case 4:
      out.input_uncached = bill.input_uncached / 2;
      break;
    default:
      out.cache_read = bill.input() + random.between(1, 5000);
      out.input_uncached = 0;
  }
  return out;
}

void damage(Conduct::Ending ending, Step& step) {
  step.tells = false;
  if (ending == Conduct::Ending::kBrokenEvent) {
    step.bytes.insert(0, "dat");
    return;
  }
  const std::size_t brace = step.bytes.rfind('}');
  step.bytes.replace(brace == std::string::npos ? 0 : brace, brace == std::string::npos ? 0 : 1, ",,\x01");
}

}  // namespace weir::sim::provider
