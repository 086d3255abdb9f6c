#include "admin/event_json.h"

#include <fmt/format.h>

#include "admin/sentence.h"
#include "base/json_writer.h"

namespace weir {
namespace {

using What = DecisionEvent::What;

std::string who(const DecisionEvent& event) {
  return event.key.empty() ? std::string("A caller without a key") : "`" + event.key + "`";
}

const std::string& limit_name(const DecisionEvent& event, std::size_t pressure) {
  return event.rules->policy().limits[event.pressures[pressure].limit].name;
}

std::string sentence_of_admitted(const DecisionEvent& event) {
  std::string out = who(event) + " was admitted";
  if (!event.model.empty()) out += " to `" + event.model + "`";
  std::size_t fullest = 0;
  for (std::size_t i = 1; i < event.pressure_count; ++i) {
    if (event.pressures[i].permille > event.pressures[fullest].permille) fullest = i;
  }
  if (event.pressure_count > 0) {
    out += fmt::format("; nearest to its amount is `{}` at {:.0f} %", limit_name(event, fullest),
                       event.pressures[fullest].permille / 10.0);
  }
  for (std::size_t i = 0; i < event.pressure_count; ++i) {
    if ((event.shadow_limits >> i & 1) != 0) out += fmt::format("; `{}` would have refused", limit_name(event, i));
  }
  return out + ".";
}

void text(JsonWriter& json, const char* name, const std::string& value) {
  json.key(name);
  value.empty() ? json.null() : json.string(value);
}

void counts(JsonWriter& json, const LiveCounts& of) {
  json.key("requests").number(of.requests).key("refused").number(of.refused);
  json.key("tokens").number(of.tokens).key("usd_micros").number(of.usd_micros);
}

void groups(JsonWriter& json, const char* name, const std::vector<NamedCounts>& of, bool only_refused = false) {
  json.key(name).begin_object();
  for (const auto& [group, sum] : of) {
    json.key(group);
    if (only_refused) {
      json.number(sum.refused);
    } else {
      json.begin_object();
      counts(json, sum);
      json.end_object();
    }
  }
  json.end_object();
}

void column(JsonWriter& json, const char* name, const LiveWindow::Column& of, std::int64_t LiveCounts::* member) {
  json.key(name).begin_array();
  for (const LiveCounts& each : of) json.number(each.*member);
  json.end_array();
}

void columns(JsonWriter& json, const LiveWindow::Column& of) {
  column(json, "requests", of, &LiveCounts::requests);
  column(json, "refused", of, &LiveCounts::refused);
  column(json, "tokens", of, &LiveCounts::tokens);
  column(json, "usd_micros", of, &LiveCounts::usd_micros);
}

}  // namespace

void append_event(std::string& out, std::string_view event, std::string_view json) {
  out.append("event: ").append(event).append("\ndata: ").append(json).append("\n\n");
}

std::string sentence_of(const DecisionEvent& event) {
  if (event.audited) return sentence_of(*event.audited, event.rules ? &event.rules->policy() : nullptr);
  switch (event.what) {
    case What::kAdmitted:
      return sentence_of_admitted(event);
    case What::kSettled:
      return fmt::format("{} used {} tokens for ${:.6f}.", who(event), event.input_tokens + event.output_tokens,
                         static_cast<double>(event.usd_micros) / 1e6);
    default:
      return event.evidence.empty() ? who(event) + " was turned away." : event.evidence;
  }
}

std::string event_json(const DecisionEvent& event) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("time").string(format_rfc3339(event.time, 3)).key("what").string(to_string(event.what));
  text(json, "request_id", event.request_id);
  text(json, "key", event.key);
  text(json, "tenant", event.tenant);
  text(json, "user", event.user);
  text(json, "tier", event.tier);
  text(json, "kind", event.kind);
  text(json, "model", event.model);
  text(json, "provider", event.provider);
  text(json, "route", event.route);
  text(json, "agent", event.agent);
  text(json, "run", event.run);
  text(json, "layer", event.layer);
  text(json, "limit", event.limit);
  const bool admitted = event.what == What::kAdmitted;
  json.key("tokens").number(admitted ? event.reserved_tokens : event.input_tokens + event.output_tokens);
  json.key("usd_micros").number(event.usd_micros);
  json.key("retry_after");
  event.retry_after_s < 0 ? json.null() : json.real(event.retry_after_s);
  json.key("status");
  event.status == 0 ? json.null() : json.number(event.status);
  json.key("shadow_limits").begin_array();
  for (std::size_t i = 0; i < event.pressure_count; ++i) {
    if ((event.shadow_limits >> i & 1) != 0) json.string(limit_name(event, i));
  }
  json.end_array().key("sentence").string(sentence_of(event)).end_object();
  return out;
}

std::string tick_json(const Second& second) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("time").string(format_rfc3339(second.second * kSecond));
  counts(json, second.total);
  json.key("in_flight").number(second.in_flight);
  groups(json, "by_tier", second.by_tier);
  groups(json, "by_model", second.by_model);
  groups(json, "by_layer", second.by_layer, true);
  json.end_object();
  return out;
}

std::string sampled_json(std::int64_t shown, std::int64_t of) {
  return fmt::format(R"({{"shown":{},"of":{}}})", shown, of);
}

std::string live_json(const LiveWindow& window, const std::vector<NamedCounts>& top_keys, std::int64_t in_flight,
                      TimeNs now) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("now").string(format_rfc3339(now, 3)).key("step_s").number(1).key("times").begin_array();
  for (std::size_t i = 0; i < window.total.size(); ++i) {
    json.string(format_rfc3339((window.first_second + static_cast<std::int64_t>(i)) * kSecond));
  }
  json.end_array();
  columns(json, window.total);
  for (const auto& [name, kind] :
       {std::pair("by_tier", LiveSeries::kTier), std::pair("by_model", LiveSeries::kModel)}) {
    json.key(name).begin_object();
    for (const auto& [group, of] : window.by[kind]) {
      json.key(group).begin_object();
      columns(json, of);
      json.end_object();
    }
    json.end_object();
  }
  json.key("by_layer").begin_object();
  for (const auto& [group, of] : window.by[LiveSeries::kLayer]) {
    column(json, group.c_str(), of, &LiveCounts::refused);
  }
  json.end_object().key("in_flight").number(in_flight).key("top_keys").begin_array();
  for (const auto& [key, sum] : top_keys) {
    json.begin_object().key("key").string(key);
    counts(json, sum);
    json.end_object();
  }
  json.end_array().end_object();
  return out;
}

}  // namespace weir
