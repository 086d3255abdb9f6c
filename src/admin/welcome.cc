// /admin/v1/welcome and /admin/v1/try: the first run, from a key and a call to a limit that bites.
#include <fmt/format.h>
#include <simdjson.h>

#include "admin/body.h"
#include "admin/first_run.h"
#include "admin/routes.h"
#include "admin/sentence.h"
#include "base/json_writer.h"
#include "base/strings.h"

namespace weir {
namespace {

constexpr std::int64_t kMaxTries = 50;

Reply welcome(AdminContext& call) {
  const auto rules = call.host.rules();
  const Policy& policy = rules->policy();
  const std::string demo = call.host.demo_key();
  const ServerAddresses addresses = call.host.addresses();
  const Provider* provider = provider_of_try(policy);
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("first_run").boolean(!demo.empty()).key("demo_key");
  demo.empty() ? json.null() : json.string(demo);
  json.key("listen").string(addresses.listen).key("curl").string(curl_for(addresses.listen, demo));
  json.key("model").string(kTryModel).key("simulated").boolean(provider != nullptr && provider->simulate.has_value());
  json.key("limit");
  if (const auto bite = first_bite(policy)) {
    json.begin_object().key("name").string(bite->limit).key("allowed").number(bite->allowed);
    json.key("window").string(bite->window).end_object();
  } else {
    json.null();
  }
  json.end_object();
  return admin_json(std::move(out));
}

// "0.004130" dollars as 4130.
std::optional<std::int64_t> micros_of(std::string_view usd) {
  const std::size_t dot = usd.find('.');
  if (dot == std::string_view::npos || usd.size() - dot - 1 != 6) return std::nullopt;
  const auto whole = parse_decimal(usd.substr(0, dot));
  const auto part = parse_decimal(usd.substr(dot + 1));
  if (!whole || !part || *whole > 1'000'000) return std::nullopt;
  return *whole * 1'000'000 + *part;
}

// As the refusals screen will say it; empty if the machine part tells no amounts (a breaker's does not).
std::string sentence_of(simdjson::dom::object machine, const Policy& policy) {
  AuditRow row{.event = AuditEvent::kRefused};
  const auto text = [&](const char* name, std::string& to) {
    simdjson::dom::element value;
    std::string_view words;
    if (machine[name].get(value) != simdjson::SUCCESS || value.is_null()) return false;
    to = value.get(words) == simdjson::SUCCESS ? std::string(words) : simdjson::minify(value);
    return true;
  };
  if (!text("limit", row.limit) || !text("allowed", row.allowed)) return {};
  text("layer", row.layer);
  text("per", row.per_json);
  text("used", row.used);
  text("reserved", row.reserved);
  text("requested", row.requested);
  if (machine["retry_after"].get(row.retry_after_s) != simdjson::SUCCESS) row.retry_after_s = -1;
  return weir::sentence_of(row, &policy);
}

// The machine part and the sentence of a refusal in the dialect's shape: {"error": {"message", "weir"}}.
void write_refusal(JsonWriter& json, const TriedCall& tried, const Policy& policy) {
  simdjson::dom::parser parser;
  simdjson::dom::element error;
  const bool refused = tried.status >= 400 && parser.parse(tried.body)["error"].get(error) == simdjson::SUCCESS;
  simdjson::dom::object machine;
  json.key("refusal");
  const bool explained = refused && error["weir"].get(machine) == simdjson::SUCCESS;
  explained ? json.raw(simdjson::minify(machine)) : json.null();
  const std::string plain = explained ? sentence_of(machine, policy) : std::string();
  std::string_view sentence = plain;
  json.key("sentence");
  const bool told = !plain.empty() || (refused && error["message"].get(sentence) == simdjson::SUCCESS);
  told ? json.string(sentence) : json.null();
}

void write(JsonWriter& json, const TriedCall& tried, const Policy& policy) {
  json.begin_object().key("status").number(tried.status).key("ms").real(tried.ms).key("tokens");
  const auto tokens = parse_decimal(tried.tokens);
  tokens ? json.number(*tokens) : json.null();
  json.key("usd_micros");
  const auto micros = micros_of(tried.usd);
  micros ? json.number(*micros) : json.null();
  json.key("retry_after");
  const auto wait = parse_decimal(tried.retry_after_ms);
  wait ? json.real(static_cast<double>(*wait) / 1000) : json.null();
  write_refusal(json, tried, policy);
  json.end_object();
}

// No two are alike, or breakers would see one prompt that fails again and again, and the limit would not be seen.
std::string chat(TimeNs now, std::int64_t number) {
  std::string request;
  JsonWriter(request)
      .begin_object()
      .key("model")
      .string(kTryModel)
      .key("max_tokens")
      .number(5)  // a short answer: the point is the limit
      .key("messages")
      .begin_array()
      .begin_object()
      .key("role")
      .string("user")
      .key("content")
      .string(fmt::format("Hello {} of {}", number, format_rfc3339(now, 3)))
      .end_object()
      .end_array()
      .end_object();
  return request;
}

Reply try_so_many(AdminHost& host, std::int64_t count, TimeNs now) {
  const auto rules = host.rules();
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("answers").begin_array();
  for (std::int64_t i = 0; i < count; ++i) {
    if (host.stopping()) return admin_problem(503, "The server is ending.");
    const auto tried = host.try_chat(chat(now, i + 1));
    if (!tried) return admin_problem(502, "The data listener did not answer: " + tried.error().message + ".");
    write(json, *tried, rules->policy());
  }
  json.end_array().end_object();
  return admin_json(std::move(out));
}

std::optional<Reply> try_it(AdminContext& call) {
  const auto body = AdminBody::read(call.request.body, {"count"});
  if (!body) return admin_problem(400, body.error().message);
  const auto count = body->number("count", 1, kMaxTries);
  if (!count) return admin_problem(400, count.error().message);
  if (call.host.demo_key().empty()) {
    return admin_problem(409,
                         "This process made no demo key: `weir serve` without a file makes one in a new data folder.");
  }
  const auto rules = call.host.rules();
  const Provider* provider = provider_of_try(rules->policy());
  if (provider == nullptr || !provider->simulate) {
    return admin_problem(409, "Nothing is tried for real money: no simulated provider answers gpt-4o here.");
  }
  return call.later(
      [&host = call.host, count = count->value_or(3)](Store&, TimeNs now) { return try_so_many(host, count, now); });
}

}  // namespace

void add_welcome_routes(AdminRouter& router) {
  router.add({"GET", "/admin/v1/welcome", AdminRole::kAdmin, {}, welcome});
  router.add({"POST", "/admin/v1/try", AdminRole::kAdmin, {}, try_it});
}

}  // namespace weir
