// `degrade`, `on_exceed` and `hard` of one limit.
#include <algorithm>
#include <array>

#include "base/strings.h"
#include "policy/loader.h"

namespace weir {
namespace {

constexpr std::int64_t kMaxTokens = std::int64_t{1} << 40;
constexpr std::int64_t kMaxMessages = 1'000'000;

// "50%", whole percent.
std::optional<int> read_percent(Section& s, const Yaml& value, std::string_view key, int least, int most) {
  std::string_view text = value.text;
  const bool sign = value.is_scalar() && text.ends_with('%');
  if (sign) text.remove_suffix(1);
  const auto percent = parse_decimal(text);
  if (sign && percent && *percent >= least && *percent <= most) return static_cast<int>(*percent);
  std::string hint;
  if (!sign && percent && *percent >= least && *percent <= most) hint = "; write `" + value.text + "%`";
  s.reporter().error(value, "`" + std::string(key) + "` must be a whole percentage from " + std::to_string(least) +
                                "% to " + std::to_string(most) + "%" + hint);
  return std::nullopt;
}

void read_model_map(Section& s, Rung& rung) {
  const Yaml* node = s.get("model");
  if (node == nullptr) return;
  Reporter& reporter = s.reporter();
  if (!node->is_map() || node->keys.empty() || node->keys.size() > kMaxLadderModels) {
    return reporter.error(*node, "`model` must be a map of 1 to 100 models, as in { gpt-4o: gpt-4o-mini }");
  }
  for (std::size_t i = 0; i < node->keys.size(); ++i) {
    const Yaml& from = node->keys[i];
    const Yaml& to = node->items[i];
    bool good = true;
    for (const Yaml* name : {&from, &to}) {
      if (name->is_scalar() && is_value(name->text) && name->text.find('*') == std::string::npos) continue;
      reporter.error(*name, "write the full name of a model here, as in { gpt-4o: gpt-4o-mini }");
      good = false;
    }
    if (good && from.text == to.text) {
      reporter.error(to, "`" + to.text + "` would become itself; name a cheaper model");
    } else if (good) {
      rung.model[from.text] = to.text;
    }
  }
}

Rung read_rung(Section& s) {
  Rung rung;
  if (const Yaml* at = s.required("at")) rung.percent = read_percent(s, *at, "at", 1, 1'000).value_or(0);
  read_model_map(s, rung);
  if (s.get("max_tokens") != nullptr) {
    std::int64_t tokens = 1;
    s.integer("max_tokens", tokens, 1, kMaxTokens);
    rung.max_tokens = tokens;
  }
  if (s.get("keep_messages") != nullptr) {
    std::int64_t messages = 1;
    s.integer("keep_messages", messages, 1, kMaxMessages);
    rung.keep_messages = static_cast<std::size_t>(messages);
  }
  const Yaml& node = s.node();
  const bool any = node.find("model") != nullptr || rung.max_tokens || rung.keep_messages;
  if (node.is_map() && !any) {
    s.reporter().error(node, "this rung changes nothing; give it `model`, `max_tokens` or `keep_messages`");
  }
  s.finish();
  return rung;
}

void read_ladder(Section& limit, LimitRule& rule) {
  const Yaml* node = limit.get("degrade");
  if (node == nullptr) return;
  Reporter& reporter = limit.reporter();
  if (!node->is_list() || node->items.empty() || node->items.size() > kMaxRungs) {
    return reporter.error(*node, "`degrade` must be a list of 1 to 16 rungs, as in [{ at: 80%, max_tokens: 1024 }]");
  }
  for (const Yaml& item : node->items) {
    Section s(reporter, item, "rung");
    Rung rung = read_rung(s);
    if (rung.percent == 0) continue;  // reported
    const bool twice =
        std::any_of(rule.degrade.begin(), rule.degrade.end(), [&](const Rung& r) { return r.percent == rung.percent; });
    if (twice) {
      reporter.error(item, "two rungs begin at " + std::to_string(rung.percent) + "%; write them as one");
      continue;
    }
    rule.degrade.push_back(std::move(rung));
  }
  std::sort(rule.degrade.begin(), rule.degrade.end(),
            [](const Rung& a, const Rung& b) { return a.percent < b.percent; });
}

// The value of `on_exceed` if it is one that works.
std::string_view read_action(Section& limit) {
  constexpr std::array<std::string_view, 1> kLaterActions = {"strip_tool"};
  const Yaml* action = limit.get("on_exceed");
  if (action == nullptr) return {};
  if (action->is_scalar() && !action->text.starts_with("queue")) return limit.choice("on_exceed", kLaterActions);
  const std::string word = action->is_scalar()                         ? "queue"
                           : !action->is_map() || action->keys.empty() ? ""
                                                                       : action->keys.front().text;
  if (word == "queue" || word == "strip_tool") {
    limit.reporter().error(*action, not_available("on_exceed: " + word));
  } else {
    limit.reporter().error(*action,
                           "`on_exceed` must be a single value; write `on_exceed: degrade` and beside it "
                           "`hard: 120%`");
  }
  return {};
}

}  // namespace

void read_on_exceed(Section& limit, LimitRule& rule) {
  read_ladder(limit, rule);
  const bool degrades = read_action(limit) == "degrade";
  if (degrades) {
    rule.on_exceed = OnExceed::kDegrade;
    if (limit.get("degrade") == nullptr) {
      limit.reporter().error(*limit.get("on_exceed"),
                             "`on_exceed: degrade` needs a ladder; add one as in degrade: "
                             "[{ at: 80%, max_tokens: 1024 }]");
    }
  }
  const Yaml* hard = limit.get("hard");
  if (hard == nullptr) return;
  const auto percent = read_percent(limit, *hard, "hard", 100, 1'000);
  if (percent) rule.hard_percent = *percent;
  if (percent && !degrades) limit.reporter().error(*hard, "`hard` works only with `on_exceed: degrade`; add that");
}

}  // namespace weir
