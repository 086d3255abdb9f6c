#include <algorithm>
#include <array>

#include "base/strings.h"
#include "policy/address.h"
#include "policy/amounts.h"
#include "policy/loader.h"

namespace weir {
namespace {

constexpr std::size_t kMaxProviders = 100;
constexpr std::size_t kMaxModels = 1'000;
constexpr std::size_t kMaxFallbacks = 8;  // of one rule
constexpr std::int64_t kMaxTokens = std::int64_t{1} << 40;
constexpr std::int64_t kMaxPrice = 1'000'000'000'000;  // $1M per 1M tokens

void read_url(Section& s, Url& out, bool required) {
  const Yaml* value = required ? s.required("url") : s.get("url");
  if (value == nullptr) return;
  const auto url = value->is_scalar() ? parse_url(value->text) : fail("`url` must be a single value");
  if (url) {
    out = *url;
  } else {
    s.reporter().error(*value, url.error().message);
  }
}

void read_timeouts(Section& parent, ProviderTimeouts& out) {
  parent.section("timeouts", "provider timeouts", [&](Section& s) {
    s.duration("connect", out.connect, kMillisecond, kHour);
    s.duration("first_byte", out.first_byte, kMillisecond, kDay);
    s.duration("idle", out.idle, kMillisecond, kDay);
    s.duration("total", out.total, kMillisecond, 7 * kDay);
  });
}

bool is_header_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7F; });
}

// `model`: prices that are not given come from the book's row of that model, else follow from those that are.
std::optional<Price> read_price(Section& parent, std::string_view model) {
  const Yaml* node = parent.get("price");
  if (node == nullptr) return std::nullopt;
  Reporter& reporter = parent.reporter();
  if (node->is_scalar()) {
    const auto all = parse_usd(node->text);
    if (all && *all <= kMaxPrice) return Price{*all, *all, *all, *all, *all, *all, *all, *all};
    reporter.error(*node, "`price` must be USD per 1M tokens: a number, or { input: 2.50, output: 10.00 }");
    return std::nullopt;
  }
  Section s(reporter, *node, "price");
  const auto read = [&](std::string_view key) -> std::optional<std::int64_t> {
    const Yaml* value = s.scalar(key);
    if (value == nullptr) return std::nullopt;
    const auto price = parse_usd(value->text);
    if (price && *price <= kMaxPrice) return *price;
    reporter.error(*value, price ? "a price is at most 1000000 USD per 1M tokens" : price.error().message);
    return std::nullopt;
  };
  const PriceRow* row = model.empty() ? nullptr : PriceBook::built_in().find(model);
  const Price& book = row != nullptr ? row->price : PriceBook::built_in().dearest();
  Price price = row != nullptr ? row->price : Price{};
  price.input = read("input").value_or(book.input);
  price.output = read("output").value_or(book.output);
  price.cached_input = read("cached_input").value_or(row != nullptr ? book.cached_input : price.input);
  price.cache_write = read("cache_write").value_or(row != nullptr ? book.cache_write : price.input);
  price.audio_in = read("audio_in").value_or(row != nullptr ? book.audio_in : price.input);
  price.audio_out = read("audio_out").value_or(row != nullptr ? book.audio_out : price.output);
  price.cache_write_1h = read("cache_write_1h").value_or(price.cache_write_1h);
  price.reasoning = read("reasoning").value_or(price.reasoning);
  if (const auto per_thousand = read("tool_unit")) price.tool_unit = *per_thousand * kPicoPerUnit;
  s.finish();
  return price;
}

void read_fallback(Section& s, ModelRule& rule) {
  const Yaml* node = s.list("fallback", 1, kMaxFallbacks, "a list of 1 to 8 models, as in [gpt-4o-mini]");
  if (node == nullptr) return;
  Reporter& reporter = s.reporter();
  for (const Yaml& item : node->items) {
    const bool twice = std::find(rule.fallback.begin(), rule.fallback.end(), item.text) != rule.fallback.end();
    if (!item.is_scalar() || !is_value(item.text) || item.text.find('*') != std::string::npos) {
      reporter.error(item, "write the full name of a model here, as in [gpt-4o-mini]");
    } else if (item.text == rule.pattern) {
      reporter.error(item, "`" + item.text + "` would fall back to itself; name another model");
    } else if (twice) {
      reporter.error(item, "`" + item.text + "` appears twice");
    } else {
      rule.fallback.push_back(item.text);
    }
  }
}

void read_output_range(Section& s, SimulatorOptions& out) {
  const Yaml* value = s.scalar("output_tokens");
  if (value == nullptr) return;
  const std::string_view text = value->text;
  const std::size_t dots = text.find("..");
  const auto least = parse_decimal(text.substr(0, dots));
  const auto most = dots == std::string_view::npos ? least : parse_decimal(text.substr(dots + 2));
  if (!least || !most || *least > *most || *most > 10'000'000) {
    s.reporter().error(*value, "`output_tokens` must be a number or a range such as 20..200, at most 10000000");
    return;
  }
  out.output_tokens_min = *least;
  out.output_tokens_max = *most;
}

std::optional<SimulatorOptions> read_simulate(Section& provider) {
  const Yaml* node = provider.get("simulate");
  if (node == nullptr) return std::nullopt;
  Section s(provider.reporter(), *node, "simulate");
  SimulatorOptions out;
  read_output_range(s, out);
  s.duration("first_byte", out.first_byte, 0, kHour);
  s.integer("tokens_per_second", out.tokens_per_second, 0, 10'000'000);
  std::int64_t seed = 0;
  s.integer("seed", seed, 0, kMaxAmount);
  out.seed = static_cast<std::uint64_t>(seed);
  s.finish();
  return out;
}

Provider read_provider(Section& s, const Yaml& name) {
  Provider provider;
  provider.name = name.text;
  if (!is_name(provider.name)) s.reporter().error(name, "a provider's name has 1 to 64 of a-z 0-9 . _ -");
  provider.simulate = read_simulate(s);
  const bool simulated = provider.simulate.has_value();
  if (!simulated && s.node().is_map() && s.node().find("dialect") == nullptr) {
    s.reporter().error(s.node(), "this provider needs `dialect`: openai, anthropic, gemini or ollama");
  }
  const std::string_view spoken = s.choice("dialect");
  for (const Dialect dialect : {Dialect::kAnthropic, Dialect::kGemini, Dialect::kOllama}) {
    if (spoken == to_string(dialect)) provider.dialect = dialect;
  }
  if (simulated && s.get("url") != nullptr) s.reporter().error(*s.get("url"), "a simulated provider has no `url`");
  if (!simulated) read_url(s, provider.url, true);
  s.text("key", provider.key);
  if (!is_header_value(provider.key)) {
    s.reporter().error(*s.get("key"), "`key` holds characters that cannot be sent in a header");
  }
  s.text("ca", provider.ca);
  if (!provider.ca.empty() && !provider.url.tls && !simulated)
    s.reporter().error(*s.get("ca"), "`ca` needs an https:// url");
  provider.price = read_price(s, "");
  read_timeouts(s, provider.timeouts);
  s.finish();
  return provider;
}

void read_meter_source(Section& s, const Yaml& name, Upstream& upstream) {
  constexpr std::array<std::string_view, 11> kTaken = {"requests",      "runs",          "tokens",   "input_tokens",
                                                       "output_tokens", "cached_tokens", "usd",      "tool_calls",
                                                       "concurrency",   "bytes_in",      "bytes_out"};
  MeterSource meter;
  meter.name = name.text;
  if (!is_name(meter.name)) s.reporter().error(name, "a meter's name has 1 to 64 of a-z 0-9 . _ -");
  if (std::find(kTaken.begin(), kTaken.end(), meter.name) != kTaken.end()) {
    s.reporter().error(name, "`" + meter.name + "` is a built-in meter; choose another name");
  }
  s.text("response_header", meter.response_header);
  s.text("response_json", meter.response_json);
  s.integer("estimate", meter.estimate, 0, kMaxTokens);
  if (meter.response_header.empty() == meter.response_json.empty()) {
    s.reporter().error(name, "meter `" + meter.name + "` needs either `response_header` or `response_json`");
  }
  s.finish();
  upstream.meters.push_back(std::move(meter));
}

void read_path(Section& s, Upstream& out) {
  const Yaml* value = s.required("path");
  if (value == nullptr) return;
  Reporter& reporter = s.reporter();
  std::string_view path = value->text;
  out.path = value->text;
  if (path.ends_with("/**")) path.remove_suffix(3);
  const bool clean =
      std::all_of(path.begin(), path.end(), [](char c) { return c > ' ' && c < 0x7F && c != '?' && c != '#'; });
  if (!value->is_scalar() || !out.path.starts_with('/') || !clean) {
    return reporter.error(*value, "`path` must begin with / and hold no spaces, ? or #");
  }
  if (path.find('*') != std::string_view::npos) {
    return reporter.error(*value, "`path` is exact or ends in /**, as in /api/**");
  }
  if (operation_at(path))
    return reporter.error(*value, "`" + std::string(path) + "` is an LLM route; configure it under `providers`");
  for (const std::string_view own : {"/weir", "/healthz", "/readyz", "/v1/models"}) {
    if (path == own || (path.starts_with(own) && path.substr(own.size()).starts_with('/'))) {
      return reporter.error(*value, "`" + std::string(own) + "` is answered by Weir itself");
    }
  }
}

// The last segment of the path: "/mcp/crm" is the server crm.
std::string server_of(std::string_view path) {
  if (path.ends_with("/**")) path.remove_suffix(3);
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path.substr(path.rfind('/') + 1));
}

// What only one kind of upstream has.
void read_kind(Section& s, Upstream& out) {
  s.required("kind");
  const std::string_view kind = s.choice("kind");
  if (kind == "mcp") out.kind = UpstreamKind::kMcp;
  s.text("tool", out.tool);
  if (!out.tool.empty() && !is_value(out.tool))
    s.reporter().error(*s.get("tool"), "`tool` is 1 to 256 bytes without control characters");
  s.text("server", out.server);
  s.boolean("hide_tools", out.hide_tools);
  const auto only = [&](std::string_view key, const std::string& why) {
    if (const Yaml* node = s.get(key)) s.reporter().error(*node, "`" + std::string(key) + "` " + why);
  };
  if (kind == "mcp") {
    only("tool", "is of `kind: http` only; an MCP server names its tools itself");
    only("meters", "are of `kind: http` only");
    if (s.get("server") == nullptr) out.server = server_of(out.path);
    if (is_value(out.server)) return;
    const Yaml* server = s.get("server");
    s.reporter().error(server != nullptr ? *server : s.node(),
                       "this MCP server needs a `server` name of 1 to 256 bytes without control characters");
  } else if (kind == "http") {
    only("server", "is of `kind: mcp` only");
    only("hide_tools", "is of `kind: mcp` only");
  }
}

Upstream read_upstream(Section& s) {
  Upstream out;
  read_path(s, out);
  read_kind(s, out);
  read_url(s, out.url, true);
  s.text("ca", out.ca);
  if (!out.ca.empty() && !out.url.tls) s.reporter().error(*s.get("ca"), "`ca` needs an https:// url");
  s.boolean("pass_authorization", out.pass_authorization);
  if (const Yaml* meters = s.get("meters")) {
    if (!meters->is_map() || meters->keys.size() > 32) {
      s.reporter().error(*meters,
                         "`meters` must be a map of at most 32 meters, as in rows: { response_json: meta.rows }");
    }
    for (std::size_t i = 0; i < meters->keys.size(); ++i) {
      Section meter(s.reporter(), meters->items[i], "custom meter");
      read_meter_source(meter, meters->keys[i], out);
    }
  }
  read_timeouts(s, out.timeouts);
  s.finish();
  return out;
}

}  // namespace

void load_providers(Section& root, Policy& policy, bool built_in) {
  const Yaml* node = root.map("providers", 0, kMaxProviders, "a map of at most 100 providers, by name");
  if (node == nullptr) return;
  Reporter& reporter = root.reporter();
  for (std::size_t i = 0; i < node->keys.size(); ++i) {
    Section s(reporter, node->items[i], "provider");
    Provider provider = read_provider(s, node->keys[i]);
    if (built_in && provider.key.empty() && !provider.simulate) continue;
    policy.providers.push_back(std::move(provider));
  }
}

void load_models(Section& root, Policy& policy, bool built_in) {
  const Yaml* node = root.map("models", 0, kMaxModels, "a map of at most 1000 rules, from model to { provider: … }");
  if (node == nullptr) return;
  Reporter& reporter = root.reporter();
  std::vector<std::string_view> names;
  for (const Provider& provider : policy.providers) names.push_back(provider.name);
  for (std::size_t i = 0; i < node->keys.size(); ++i) {
    const Yaml& pattern = node->keys[i];
    if (!is_value(pattern.text)) reporter.error(pattern, "a model is 1 to 256 bytes without control characters");
    Section s(reporter, node->items[i], "model");
    ModelRule rule;
    rule.pattern = pattern.text;
    s.required("provider");
    s.text("provider", rule.provider);
    const bool literal = rule.pattern.find('*') == std::string::npos;
    rule.price = read_price(s, literal ? rule.pattern : std::string_view());
    read_fallback(s, rule);
    s.finish();
    const bool known = std::find(names.begin(), names.end(), rule.provider) != names.end();
    if (!known && built_in) continue;
    if (!known && !rule.provider.empty()) {
      reporter.error(*s.get("provider"),
                     "unknown provider `" + rule.provider + "`" + did_you_mean(rule.provider, names));
    }
    policy.models.push_back(std::move(rule));
  }
}

void load_upstreams(Section& root, Policy& policy) {
  const Yaml* node = root.list("upstreams", 0, 1'000, "a list of at most 1000 entries, as in - { path: /api/**, … }");
  if (node == nullptr) return;
  for (const Yaml& item : node->items) {
    Section s(root.reporter(), item, "upstream");
    Upstream upstream = read_upstream(s);
    for (const Upstream& other : policy.upstreams) {
      if (other.path == upstream.path) root.reporter().error(item, "path `" + upstream.path + "` appears twice");
    }
    policy.upstreams.push_back(std::move(upstream));
  }
}

}  // namespace weir
