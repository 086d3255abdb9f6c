#include "alerts/messages.h"

#include <fmt/format.h>

#include "base/hmac.h"
#include "base/json_writer.h"

namespace weir {
namespace {

constexpr std::string_view kTestSentence =
    "This is a test: alerts of Weir arrive here. Nothing is wrong, and nothing needs to be done.";

// Slack reads <, > and & as markup: names may not become links or mentions.
std::string slack_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string slack_body(std::string_view title, std::string_view sentence) {
  const std::string line = fmt::format("*{}*\n{}", slack_text(title), slack_text(sentence));
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("text").string(fmt::format("{}: {}", slack_text(title), slack_text(sentence)));
  json.key("blocks").begin_array().begin_object().key("type").string("section").key("text").begin_object();
  json.key("type").string("mrkdwn").key("text").string(line).end_object().end_object().end_array().end_object();
  return out;
}

}  // namespace

std::string alert_json(const Alert& alert) {
  return "{" + alert_members(alert) + "}";
}

std::string alert_members(const Alert& alert) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("id").string(hex_id(alert.id)).key("rule").string(alert.rule);
  json.key("subject").string(alert.subject).key("state").string(alert.firing() ? "firing" : "resolved");
  json.key("since").string(format_rfc3339(alert.since, 3)).key("until");
  alert.firing() ? json.null() : json.string(format_rfc3339(alert.until, 3));
  json.key("value").real(alert.value).key("threshold").real(alert.threshold).key("cause");
  alert.cause.empty() ? json.null() : json.string(alert.cause);
  json.key("sentence").string(alert.sentence).end_object();
  return out.substr(1, out.size() - 2);
}

std::string message_id(const AlertChange& change) {
  const bool first = change.what == AlertChange::What::kBegan;
  return hex_id(change.alert.id) + "-" +
         (first ? to_string(change.what)
                : fmt::format("{}-{}", to_string(change.what), change.alert.told_at / kSecond));
}

std::string message_body(AlertTarget::Kind kind, const AlertChange& change) {
  const Alert& alert = change.alert;
  if (kind == AlertTarget::Kind::kSlack) {
    const std::string title = fmt::format("{}: {}", alert.firing() ? "Alert" : "Resolved", alert.rule);
    return slack_body(title, alert.sentence);
  }
  return fmt::format(R"({{"type":"alert","event":"{}",)", to_string(change.what)) + alert_members(alert) + "}";
}

std::string test_body(AlertTarget::Kind kind, std::string_view target, TimeNs now) {
  if (kind == AlertTarget::Kind::kSlack) return slack_body("Weir: a test", kTestSentence);
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("test").key("target").string(target);
  json.key("at").string(format_rfc3339(now, 3)).key("sentence").string(kTestSentence).end_object();
  return out;
}

std::string signature(std::string_view secret, std::string_view id, TimeNs now, std::string_view body) {
  const std::string time = std::to_string(now / kSecond);
  const HmacSha256::Sum sum = HmacSha256(secret).of({id, ".", time, ".", body});
  std::string out = "t=" + time + ",v1=";
  for (const unsigned char byte : sum) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace weir
