#include "client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "clients/agents.h"
#include "clients/callers.h"
#include "clients/deciders.h"
#include "clients/others.h"
#include "clients/talkers.h"

namespace weir::sim {
namespace {

using Maker = std::unique_ptr<Client> (*)(const client::Manners&, Context&);

struct Kind {
  std::string_view word;
  Maker make;
};
constexpr std::array<Kind, 17> kKinds = {{{"human", client::make_human},
                                          {"tenant", client::make_human},
                                          {"slow_reader", client::make_human},
                                          {"conversational", client::make_conversational},
                                          {"batch", client::make_batch},
                                          {"disconnector", client::make_disconnector},
                                          {"retrier", client::make_retrier},
                                          {"prober", client::make_prober},
                                          {"fan_out", client::make_fan_out},
                                          {"loop", client::make_loop},
                                          {"tool_spammer", client::make_tool_spammer},
                                          {"budgeter", client::make_budgeter},
                                          {"deciders", client::make_decider},
                                          {"mcp", client::make_mcp},
                                          {"caller", client::make_caller},
                                          {"garbage", client::make_garbage},
                                          {"operator", client::make_operator}}};

bool key_exists(const client::Manners& manners, const Context& context) {
  if (!manners.keys.empty()) return context.keys.contains(manners.keys + "-0");
  return manners.key.empty() || context.keys.contains(manners.key);
}

}  // namespace

Result<std::vector<std::unique_ptr<Client>>> make_clients(const Settings& settings, Context& context) {
  const std::string word = settings.word("kind", "");
  const auto kind = std::ranges::find(kKinds, std::string_view(word), &Kind::word);
  if (kind == kKinds.end()) return fail(fmt::format("no client of the kind `{}`", word));
  const std::string base = settings.word("name", word);
  const std::int64_t count = settings.number("count", 1);
  std::vector<std::unique_ptr<Client>> out;
  for (std::int64_t i = 0; i < count; ++i) {
    const client::Manners manners(settings, fmt::format("{}.{}", base, i));
    if (!manners.bad_dialect.empty()) return fail(fmt::format("no dialect `{}`", manners.bad_dialect));
    if (!key_exists(manners, context)) {
      return fail(fmt::format("client `{}`: no key `{}{}`", base, manners.key, manners.keys));
    }
    out.push_back(kind->make(manners, context));
  }
  if (const std::vector<std::string> unread = settings.unread(); !unread.empty()) {
    return fail(fmt::format("client `{}`: `{}` is no setting of it, or cannot be read", base, unread.front()));
  }
  return out;
}

}  // namespace weir::sim
