#include <date/tz.h>

#include <algorithm>
#include <array>

#include "base/characters.h"
#include "base/strings.h"
#include "policy/address.h"
#include "policy/amounts.h"
#include "policy/loader.h"

namespace weir {
namespace {

constexpr std::int64_t kMaxWorkers = 256;
constexpr std::size_t kMaxTenants = 10'000;
constexpr std::size_t kMaxTiers = 100;
constexpr std::int64_t kMaxAttempts = 10;
constexpr std::int64_t kMaxTokens = std::int64_t{1} << 40;

void read_endpoint(Section& section, Endpoint& out) {
  const Yaml* value = section.scalar("listen");
  if (value == nullptr) return;
  if (auto parsed = parse_endpoint(value->text)) {
    out = *parsed;
  } else {
    section.reporter().error(*value, parsed.error().message);
  }
}

void read_tls(Section& parent, TlsFiles& out) {
  constexpr std::size_t kMaxPath = 4096;
  const Yaml* node = parent.get("tls");
  if (node == nullptr) return;
  Section s(parent.reporter(), *node, "tls");
  const auto file = [&](std::string_view key, std::string& path) {
    const Yaml* value = s.required(key);
    if (value == nullptr) return;
    if (!value->is_scalar() || value->text.empty() || value->text.size() > kMaxPath) {
      s.reporter().error(*value, "`" + std::string(key) + "` must name a PEM file");
    } else if (value->text.starts_with("-----BEGIN")) {  // the text is not repeated: it may be the private key
      s.reporter().error(*value, "`" + std::string(key) + "` must name a PEM file, not hold its content");
    } else {
      path = value->text;
    }
  };
  file("cert", out.cert);
  file("key", out.key);
  out.line = node->line;
  out.column = node->column;
  s.finish();
}

// Only processes of this machine can connect.
bool is_loopback(const std::string& host) {
  const bool v4 = host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
  return v4 || host == "localhost" || host == "::1";
}

void read_admin_names(Section& s, std::vector<std::string>& out) {
  constexpr std::size_t kMaxNames = 100;
  const Yaml* node = s.list("names", 0, kMaxNames, "a list of at most 100 host names, as in [weir.internal]");
  if (node == nullptr) return;
  for (const Yaml& item : node->items) {
    if (is_word(item.text, 253)) {
      out.push_back(to_lower(item.text));
    } else {
      s.reporter().error(item, "`" + item.text + "` is not a host name; write it without scheme and port");
    }
  }
}

void read_zone(Section& section, std::string& out) {
  const Yaml* value = section.scalar("zone");
  if (value == nullptr) return;
  if (is_known_zone(value->text)) {
    out = value->text;
    return;
  }
  std::string hint;
  try {
    std::vector<std::string_view> names;
    for (const auto& zone : date::get_tzdb().zones) names.push_back(zone.name());
    hint = did_you_mean(value->text, names);
  } catch (const std::exception&) {
    hint = "; the system has no time zones, install tzdata";
  }
  section.reporter().error(*value, "unknown time zone `" + value->text + "`" +
                                       (hint.empty() ? "; write an IANA name such as Europe/Berlin" : hint));
}

void load_admin(Section& root, Policy& policy) {
  const Yaml* node = root.get("admin");
  if (node == nullptr) return;
  Section s(root.reporter(), *node, "admin");
  read_endpoint(s, policy.admin);
  if (const Yaml* token = s.scalar("token")) {
    const bool printable =
        std::all_of(token->text.begin(), token->text.end(), [](char c) { return c > ' ' && c < 0x7F; });
    if (token->text.size() < 8 || token->text.size() > 256 || !printable) {
      s.reporter().error(*token, "`token` must be 8 to 256 printable characters without spaces");
    } else {
      policy.admin_token = Secret(token->text);
    }
  }
  policy.metrics_public = s.choice("metrics") == "public";
  read_tls(s, policy.admin_tls);
  read_admin_names(s, policy.admin_names);
  s.finish();
}

void load_store(Section& root) {
  root.section("store", "store", [&](Section& s) {
    for (const char* key : {"counters", "records"}) {
      const Yaml* value = s.get(key);
      const bool url = value != nullptr && value->is_scalar() && value->text.find("://") != std::string::npos;
      if (!url) {
        s.choice(key);
        continue;
      }
      // Only the scheme: the rest may hold a password.
      s.reporter().error(*value,
                         not_available(std::string(key) + ": " + value->text.substr(0, value->text.find(':')) + "://"));
    }
  });
}

void load_tenants(Section& root, Policy& policy) {
  const Yaml* node = root.get("tenants");
  if (node == nullptr) return;
  Reporter& reporter = root.reporter();
  if (!node->is_map()) return reporter.error(*node, "`tenants` must be a map from tenant to { zone: … }");
  if (node->keys.size() > kMaxTenants) return reporter.error(*node, "at most 10000 tenants");
  for (std::size_t i = 0; i < node->keys.size(); ++i) {
    if (!is_value(node->keys[i].text))
      reporter.error(node->keys[i], "a tenant is 1 to 256 bytes without control characters");
    Section s(reporter, node->items[i], "tenant");
    std::string zone;
    read_zone(s, zone);
    s.finish();
    if (!zone.empty()) policy.tenant_zones[node->keys[i].text] = zone;
  }
}

void load_workers(Section& root, Policy& policy) {
  const Yaml* value = root.scalar("workers");
  if (value == nullptr || value->text == "auto") return;
  const auto number = parse_decimal(value->text);
  if (!number || *number < 1 || *number > kMaxWorkers) {
    root.reporter().error(*value, "`workers` must be auto or a whole number from 1 to 256");
  } else {
    policy.workers = static_cast<int>(*number);
  }
}

void load_reservation(Section& root, Reservation& out) {
  root.section("reservation", "reservation", [&](Section& s) {
    out.reserve_whole_cap = s.choice("mode") == "reserve";
    s.integer("default_output", out.default_output, 1, kMaxTokens);
    s.integer("trust_cap", out.trust_cap, 1, kMaxTokens);
    s.fraction("quantile", out.quantile, 0.5, 1);
    s.integer("warmup", out.warmup, 1, 1'000'000);
    s.integer("top_up", out.top_up, 1, 1'000'000);
  });
}

void load_timeouts(Section& root, ClientTimeouts& out) {
  root.section("timeouts", "timeouts", [&](Section& s) {
    s.duration("header", out.header, 10 * kMillisecond, kHour);
    s.duration("body", out.body, 10 * kMillisecond, kHour);
    s.duration("idle", out.idle, 10 * kMillisecond, kDay);
  });
}

void load_bounds(Section& root, Bounds& out) {
  root.section("bounds", "bounds", [&](Section& s) {
    s.bytes("header", out.header, 1024, 1 << 20);
    s.bytes("body", out.body, 1024, std::int64_t{1} << 30);
    const auto count = [&s](std::string_view key, std::size_t& value, std::int64_t most) {
      auto number = static_cast<std::int64_t>(value);
      s.integer(key, number, 1, most);
      value = static_cast<std::size_t>(number);
    };
    count("depth", out.json.depth, 1000);
    count("messages", out.json.messages, 1'000'000);
    count("tools", out.json.tools, 100'000);
  });
}

void read_when(Section& s, RetryRule& out) {
  const Yaml* node = s.get("when");
  if (node == nullptr) return;
  const std::array<std::pair<std::string_view, bool*>, 5> flags = {{{"connect", &out.connect},
                                                                    {"429", &out.status_429},
                                                                    {"502", &out.status_502},
                                                                    {"503", &out.status_503},
                                                                    {"504", &out.status_504}}};
  if (!node->is_list() || node->items.empty()) {
    return s.reporter().error(*node,
                              "`when` must be a list of connect, 429, 502, 503, 504; `attempts: 1` never tries again");
  }
  std::vector<std::string_view> words;
  for (const auto& [word, flag] : flags) {
    *flag = false;
    words.push_back(word);
  }
  for (const Yaml& item : node->items) {
    const auto found = std::find_if(flags.begin(), flags.end(), [&](const auto& f) { return f.first == item.text; });
    if (found != flags.end()) {
      *found->second = true;
      continue;
    }
    std::string hint = did_you_mean(item.text, words);
    if (hint.empty()) hint = "; it can be connect, 429, 502, 503 and 504";
    s.reporter().error(item, "nothing is tried again after `" + item.text + "`" + hint);
  }
}

void load_retry(Section& root, RetryRule& out) {
  root.section("retry", "retry", [&](Section& s) {
    std::int64_t attempts = out.attempts;
    s.integer("attempts", attempts, 1, kMaxAttempts);
    out.attempts = static_cast<int>(attempts);
    s.duration("within", out.within, kMillisecond, kHour);
    read_when(s, out);
  });
}

void load_auth_failures(Section& root, AuthFailures& out) {
  root.section("auth_failures", "auth_failures", [&](Section& s) {
    s.choice("per");
    if (const Yaml* value = s.scalar("allow")) {
      const auto window = parse_window(value->text, AmountUnit::kCount);
      if (!window) {
        s.reporter().error(*value, window.error().message);
      } else if (window->kind != WindowKind::kSliding || !window->amount_metadata.empty()) {
        s.reporter().error(*value, "`auth_failures` needs a sliding window such as `30/1m`");
      } else {
        out = {window->amount, window->length};
      }
    }
  });
}

void load_trusted_proxies(Section& root, Policy& policy) {
  const Yaml* node = root.list("trusted_proxies", 0, Section::kAnyNumber, "a list, as in [10.0.0.0/8]");
  if (node == nullptr) return;
  for (const Yaml& item : node->items) {
    const auto cidr = parse_cidr(item.text);
    if (cidr) {
      policy.trusted_proxies.push_back(*cidr);
    } else {
      root.reporter().error(item, cidr.error().message);
    }
  }
}

void read_tool_lists(Section& parent, ToolLists& out) {
  const Yaml* node = parent.get("tools");
  if (node == nullptr) return;
  Section s(parent.reporter(), *node, "tool lists");
  read_tools(s, "allow", out.allow);
  read_tools(s, "deny", out.deny);
  s.finish();
  const Yaml* allow = s.get("allow");
  if (allow != nullptr && allow->is_list() && allow->items.empty()) {
    s.reporter().error(*allow, "`allow` needs at least one tool; to deny all of them write `deny: [\"*\"]`");
  }
}

}  // namespace

bool is_name(std::string_view text) {
  return is_lower_word(text);
}

bool is_value(std::string_view text) {
  return !text.empty() && is_clean(text, 256);
}

bool is_known_zone(const std::string& zone) {
  try {
    return date::locate_zone(zone) != nullptr;
  } catch (const std::exception&) {
    return false;
  }
}

void load_tiers(Section& root, Policy& policy) {
  policy.tiers = {{"free", 1}, {"pro", 4}, {"enterprise", 16}};
  Reporter& reporter = root.reporter();
  if (const Yaml* node = root.get("tiers")) {
    policy.tiers.clear();
    if (!node->is_map() || node->keys.empty())
      reporter.error(*node, "`tiers` must be a map from tier to { weight: … }");
    if (node->keys.size() > kMaxTiers) reporter.error(*node, "at most 100 tiers");
    for (std::size_t i = 0; i < node->keys.size(); ++i) {
      Tier tier{node->keys[i].text, 1};
      if (!is_name(tier.name)) reporter.error(node->keys[i], "a tier's name has 1 to 64 of a-z 0-9 . _ -");
      if (tier.name == "default")
        reporter.error(node->keys[i], "`default` is not a tier's name: maps by tier use it for all others");
      Section s(reporter, node->items[i], "tier");
      s.integer("weight", tier.weight, 1, 1'000'000);
      read_tool_lists(s, tier.tools);
      s.finish();
      policy.tiers.push_back(std::move(tier));
    }
  }
  const Yaml* fallback = root.scalar("default_tier");
  if (fallback != nullptr) policy.default_tier = fallback->text;
  std::vector<std::string_view> names;
  for (const Tier& tier : policy.tiers) names.push_back(tier.name);
  if (names.empty() || std::find(names.begin(), names.end(), policy.default_tier) != names.end()) return;
  if (fallback != nullptr) {
    reporter.error(*fallback, "unknown tier `" + policy.default_tier + "`" + did_you_mean(policy.default_tier, names));
  } else {
    reporter.error(*root.node().find("tiers"), "none of the tiers is the default `free`; name one in `default_tier`");
  }
}

void load_server(Section& root, Policy& policy) {
  read_endpoint(root, policy.listen);
  read_tls(root, policy.tls);
  load_admin(root, policy);
  if (!policy.admin_tls.on() && !is_loopback(policy.admin.host)) policy.admin_tls = policy.tls;
  if (policy.listen.port != 0 && policy.listen.port == policy.admin.port && policy.listen.host == policy.admin.host) {
    root.reporter().error(root.node(), "`listen` and `admin.listen` are the same address; give them different ports");
  }
  if (const Yaml* data = root.scalar("data")) {
    if (data->text.empty() || data->text.size() > 4096) root.reporter().error(*data, "`data` must name a folder");
    policy.data = data->text;
  }
  load_store(root);
  load_workers(root, policy);
  read_zone(root, policy.zone);
  load_tenants(root, policy);
  load_reservation(root, policy.reservation);
  load_timeouts(root, policy.timeouts);
  load_bounds(root, policy.bounds);
  load_retry(root, policy.retry);
  load_auth_failures(root, policy.auth_failures);
  policy.strict_durability = root.choice("durability") == "strict";
  policy.anonymous_allowed = root.choice("anonymous") == "allow";
  load_trusted_proxies(root, policy);
  if (const Yaml* node = root.get("retention")) {
    Section s(root.reporter(), *node, "retention");
    s.duration("ledger", policy.retain_ledger, kDay, 3'660 * kDay);
    s.duration("audit", policy.retain_audit, kDay, 3'660 * kDay);
    s.finish();
  }
  root.duration("drain", policy.drain, 0, kHour);
}

}  // namespace weir
