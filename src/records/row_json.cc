#include "records/row_json.h"

#include <string>
#include <string_view>

#include "records/metadata.h"

namespace weir {
namespace {

// -?digits[.digits], which is also a JSON number; anything else becomes null.
bool is_decimal(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const auto all_digits = [](std::string_view part) {
    return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  if (!all_digits(whole) || (whole.size() > 1 && whole[0] == '0')) return false;
  return point == std::string_view::npos || all_digits(text.substr(point + 1));
}

void add_decimal(JsonWriter& w, const char* name, const std::string& text) {
  w.key(name);
  if (is_decimal(text)) {
    w.raw(text);
  } else {
    w.null();
  }
}

}  // namespace

void add_members(JsonWriter& w, const UsageRow& row) {
  w.key("time").string(format_rfc3339(row.time, 3)).key("request_id").string(row.request_id);
  w.key("key").string(row.key).key("tenant").string(row.tenant).key("user").string(row.user);
  w.key("tier").string(row.tier).key("kind").string(row.kind).key("conversation").string(row.conversation);
  w.key("run").string(row.run).key("agent").string(row.agent).key("model").string(row.model);
  w.key("provider").string(row.provider).key("route").string(row.route).key("status").number(row.status);
  w.key("input_tokens").number(row.usage.input()).key("output_tokens").number(row.usage.output());
  w.key("cached_tokens").number(row.usage.cache_read).key("cache_write_tokens");
  w.number(row.usage.cache_write + row.usage.cache_write_1h);
  w.key("reasoning_tokens").number(row.usage.reasoning).key("usd_micros").number(row.usd_micros);
  w.key("reserved_tokens").number(row.reserved_tokens).key("tool_calls").number(row.tool_calls);
  w.key("degraded").string(row.degraded).key("attempts").number(row.attempts);
  w.key("settled").string(to_string(row.settled)).key("tools").string(row.tools);
}

void add_members(JsonWriter& w, const AuditRow& row) {
  w.key("time").string(format_rfc3339(row.time, 3)).key("request_id").string(row.request_id);
  w.key("key").string(row.key).key("event").string(to_string(row.event)).key("layer").string(row.layer);
  w.key("limit").string(row.limit).key("per").raw(one_line_json(row.per_json));
  add_decimal(w, "used", row.used);
  add_decimal(w, "reserved", row.reserved);
  add_decimal(w, "requested", row.requested);
  add_decimal(w, "allowed", row.allowed);
  w.key("retry_after");
  if (row.retry_after_s < 0) {
    w.null();
  } else {
    w.real(row.retry_after_s);
  }
  w.key("count").number(row.count).key("evidence").string(row.evidence);
  w.key("config_version").string(row.config_version).key("user").string(row.user).key("tool").string(row.tool);
  w.key("run").string(row.run).key("agent").string(row.agent);
}

void add_members(JsonWriter& w, const UsageSum& sum) {
  w.key("requests").number(sum.requests);
  w.key("input_tokens").number(sum.input_tokens).key("output_tokens").number(sum.output_tokens);
  w.key("cached_tokens").number(sum.cached_tokens).key("cache_write_tokens").number(sum.cache_write_tokens);
  w.key("reasoning_tokens").number(sum.reasoning_tokens).key("usd_micros").number(sum.usd_micros);
  w.key("reserved_tokens").number(sum.reserved_tokens).key("tool_calls").number(sum.tool_calls);
}

}  // namespace weir
