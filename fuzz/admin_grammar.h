// For the target that asks the admin API: paths, queries, bodies and drafts, written from the input out of words that
// mean something to their routes, so that most calls come past the first check.
//
//   AdminGrammar grammar(input);
//   call.path = grammar.path(route.path);                     // "/admin/v1/limits/to%6Bens"
//   call.query = grammar.query(route.query, cursor);
//   call.body = grammar.body(route.path, [&] { return yaml_in_force; });
//
// Values, one thread.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "json_grammar.h"

namespace weir::fuzz {

template <std::size_t n>
std::string_view pick(Input& input, const std::array<std::string_view, n>& words) {
  return words[input.below(n)];
}

inline constexpr std::array<std::string_view, 20> kAdminNames{
    "agent-1", "human-1", "tokens", "requests",   "spend", "pro", "free", "default", "acme",   "beta-co",
    "fresh",   "key",     "tool",   "send_email", "run",   "r1",  "ops",  "team a",  "gpt-4o", "Gr\u00fc\u00dfe"};
inline constexpr std::array<std::string_view, 14> kAmounts{
    "9k/1m", "1M/day",           "0/1h", "5/1m", "50k/1m",      "7/month", "3/week Europe/Berlin", "12/day", "1/1s",
    "9",     "100000000000/day", "many", "",     "1/1m burst 5"};
inline constexpr std::array<std::string_view, 22> kQueryValues{"24h",
                                                               "7d",
                                                               "400d",
                                                               "5000d",
                                                               "2026-11-20T00:00:00Z",
                                                               "9999-12-31T23:59:59Z",
                                                               "1970-01-01T00:00:00Z",
                                                               "2262-04-11T23:47:16Z",
                                                               "0s",
                                                               "1",
                                                               "1000",
                                                               "0",
                                                               "-1",
                                                               "hour",
                                                               "day",
                                                               "key",
                                                               "all",
                                                               "true",
                                                               "live",
                                                               "overrides",
                                                               "month",
                                                               "refused"};
inline constexpr std::array<std::string_view, 13> kDraftLines{
    "limits:\n",
    "  - { name: told, per: \"${CLAUDE}\", meter: requests, allow: 5/1m }\n",
    "tiers: { free: {}, pro: { weight: 2 } }\n",
    "default_tier: free\n",
    "  - { name: fresh, per: tenant, meter: requests, allow: 5/1m, mode: shadow }\n",
    "  - { name: tokens, per: caller, meter: tokens, allow: { default: 1k/1m, pro: [9k/1m, 1M/day] } }\n",
    "    allow: 12/day\n",
    "    mode: shadow\n",
    "tenants: { acme: { zone: Europe/Berlin } }\n",
    "admin: { token: \"${OTHER}\" }\n",
    "a: &a [*a]\n",
    "log_level: debug\n",
    "\n"};

// What a member of a body usually holds.
enum class AdminValue : std::uint8_t { kWord, kAmounts, kNumber, kObject, kDraft };
struct AdminMember {
  std::string_view name;
  AdminValue value;
  std::array<std::string_view, 6> words = {};  // empty: kAdminNames
};
struct AdminForm {
  std::string_view route;
  std::vector<AdminMember> members;
};

inline const std::vector<AdminForm>& admin_forms() {
  using enum AdminValue;
  static const std::vector<AdminMember> kDraftAndHours = {{"yaml", kDraft}, {"hours", kNumber}};
  static const std::vector<AdminForm> kForms = {
      {"/keys",
       {{"name", kWord},
        {"tenant", kWord},
        {"user", kWord},
        {"tier", kWord, {"free", "pro", "fre", "", "free", "pro"}},
        {"kind", kWord, {"agent", "human", "service", "Agent", "", "human"}},
        {"metadata", kObject}}},
      {"/limits/",
       {{"allow", kAmounts},
        {"mode", kWord, {"shadow", "enforce", "shadow", "off", "enforce", ""}},
        {"meter", kWord, {"requests", "tokens", "usd", "concurrency", "tool_calls", "units"}},
        {"per", kWord, {"caller", "key", "tenant", "user", "ip", "model"}},
        {"match", kObject},
        {"on_exceed", kWord, {"refuse", "degrade", "strip_tool", "refuse", "", "cut"}},
        {"degrade", kObject},
        {"hard", kWord, {"true", "false", "yes", "", "50%", "1"}},
        {"fail", kWord, {"open", "closed", "local", "open", "", "x"}},
        {"missing", kWord, {"skip", "refuse", "shared", "skip", "", "x"}},
        {"precision", kNumber},
        {"contextual", kWord, {"true", "false", "yes", "", "x", "1"}}}},
      {"/tiers/", {{"weight", kNumber}, {"tools", kObject}, {"amounts", kObject}}},
      {"/tenants/", {{"zone", kWord, {"UTC", "Europe/Berlin", "America/New_York", "Moon/Base", "", "Asia/Kolkata"}}}},
      {"/policy/", kDraftAndHours},
      {"/breakers/", {{"reason", kWord}}},
      {"/session", {{"code", kWord, {"one-time-code", "late", "", "one-time-code", "x", "one-time-code"}}}},
      {"/try", {{"count", kNumber}}},
      {"/alerts/test", {{"target", kWord, {"ops", "chat", "op", "", "ops", "ops"}}}},
      {"", {{"yaml", kDraft}}},
  };
  return kForms;
}

class AdminGrammar {
 public:
  explicit AdminGrammar(Input& input) : input_(input), json_(input) {}

  std::string path(std::string_view pattern) {
    std::string out;
    while (!pattern.empty()) {
      const std::size_t open = std::min(pattern.find('{'), pattern.size());
      out += pattern.substr(0, open);
      pattern.remove_prefix(std::min(pattern.size(), pattern.find('}', open)));
      if (pattern.empty()) break;
      pattern.remove_prefix(1);
      out += encoded(name());
    }
    if (input_.below(24) == 23) change_bytes(input_, out);
    return out;
  }

  std::string query(const std::vector<std::string>& known, std::string_view cursor) {
    std::string out;
    for (const std::string& each : known) {
      if (input_.below(4) != 3) continue;
      out += (out.empty() ? "" : "&") + each + "=";
      if (each == "cursor" && input_.below(4) != 3) {
        out += encoded(cursor);
      } else if (each == "page_size" || each == "top" || each == "seconds") {
        out += std::to_string(input_.below(5));
      } else {
        out += encoded(input_.flag() ? pick(input_, kQueryValues) : name());
      }
    }
    if (input_.below(24) == 23) change_bytes(input_, out);
    return out;
  }

  // `draft`: the policy in force as a reader sees it.
  std::string body(std::string_view route, const std::function<std::string()>& draft) {
    if (input_.below(32) == 31) return std::string(input_.text(64));
    JsonMembers members;
    for (const AdminMember& member : form_of(route).members) {
      const bool main = member.value == AdminValue::kDraft || member.value == AdminValue::kAmounts;
      if (input_.below(4) >= (main ? 3u : 2u)) continue;
      members.emplace_back(member.name, input_.below(12) == 11 ? any(2) : value(member, draft));
    }
    std::string out = members.empty() && input_.flag() ? std::string() : json_.object(members);
    if (input_.below(16) == 15) change_bytes(input_, out);
    return out;
  }

 private:
  static const AdminForm& form_of(std::string_view route) {
    for (const AdminForm& form : admin_forms()) {
      if (route.find(form.route) != std::string_view::npos) return form;
    }
    return admin_forms().back();
  }

  std::string_view name() {
    const std::uint32_t which = input_.below(kAdminNames.size() + 4);
    if (which < kAdminNames.size()) return kAdminNames[which];
    return which == kAdminNames.size() ? input_.text(8) : pick_word(input_);
  }

  std::string encoded(std::string_view text) {
    const bool all = input_.below(8) == 7;
    std::string out;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
      char hex[4];
      std::snprintf(hex, sizeof hex, "%%%02x", byte);
      plain&& !all ? out += c : out += hex;
    }
    return out;
  }

  std::string value(const AdminMember& member, const std::function<std::string()>& draft) {
    switch (member.value) {
      case AdminValue::kWord: {
        const bool named = member.words[0].empty();
        const std::string_view word = named ? name() : pick(input_, member.words);
        return word == "true" || word == "false" ? std::string(word) : json_.text(word);
      }
      case AdminValue::kAmounts:
        return amounts();
      case AdminValue::kNumber:
        return std::to_string(static_cast<int>(input_.below(60)) - 2);
      case AdminValue::kObject:
        return object(member.name);
      case AdminValue::kDraft:
        break;
    }
    return json_.text(edited(draft()));
  }

  std::string amounts() {
    const auto one = [&] { return json_.text(pick(input_, kAmounts)); };
    switch (input_.below(4)) {
      case 0:
        return json_.list({one(), one()});
      case 1:
        return json_.object({{"default", one()}, {"pro", one()}});
      default:
        return one();
    }
  }

  std::string object(std::string_view member) {
    JsonMembers members;
    for (std::uint32_t left = input_.below(4); left > 0; --left) {
      if (member == "tools") {
        members.emplace_back(input_.flag() ? "allow" : "deny", json_.list({json_.text(name()), json_.text("*")}));
      } else if (member == "amounts") {
        members.emplace_back(name(), amounts());
      } else {
        members.emplace_back(name(), input_.flag() ? json_.text(name()) : any(1));
      }
    }
    return json_.object(members);
  }

  std::string any(int depth) {
    switch (input_.below(depth > 0 ? 8 : 5)) {
      case 0:
        return "null";
      case 1:
        return input_.flag() ? "true" : "-1";
      case 2:
        return std::to_string(input_.below(65'536)) + "00000000000000";
      case 3:
        return "1.5e300";
      case 4:
        return json_.text(pick_word(input_));
      case 5:
        return json_.list({any(depth - 1), any(depth - 1)});
      case 6:
        return json_.object({{std::string(name()), any(depth - 1)}});
      default:
        return std::string(64, '[') + std::string(64, ']');
    }
  }

  // Lines of the draft replaced, put in or taken out; bytes changed; or another text.
  std::string edited(std::string draft) {
    if (input_.below(16) == 15) return std::string(input_.text(200));
    for (std::uint32_t left = input_.below(4); left > 0; --left) {
      const std::size_t at = draft.empty() ? 0 : input_.below(65'536) % draft.size();
      const std::size_t begin = draft.rfind('\n', at) == std::string::npos ? 0 : draft.rfind('\n', at) + 1;
      const std::size_t end = std::min(draft.find('\n', begin), draft.size());
      switch (input_.below(4)) {
        case 0:
          draft.insert(begin, pick(input_, kDraftLines));
          break;
        case 1:
          draft.replace(begin, std::min(end + 1, draft.size()) - begin, pick(input_, kDraftLines));
          break;
        case 2: {
          const std::size_t allow = draft.find("allow: ", begin);
          if (allow == std::string::npos) break;
          const std::size_t stop = std::min(draft.find_first_of(",}\n", allow), draft.size());
          draft.replace(allow, stop - allow, std::string("allow: ").append(pick(input_, kAmounts)));
          break;
        }
        default:
          change_bytes(input_, draft);
      }
    }
    return draft;
  }

  Input& input_;
  JsonWriterOfFuzz json_;
};

}  // namespace weir::fuzz
