#include "behavior/destinations.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/strings.h"
#include "behavior/prompt_text.h"

namespace weir {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// What a key says of its value.
enum class Role : std::uint8_t {
  kOther,   // a destination only if it looks like one
  kParty,   // somebody or somewhere: a destination
  kObject,  // what is acted on: a destination if the call names no party
  kText,    // for reading: never
};

constexpr int kMaxDepth = 64;

// The words that a key ends with decide: "recipient_email", "toAddresses", "email_body".
constexpr auto kPartyWords = std::to_array<std::string_view>(
    {"account",  "accounts", "address",  "addresses", "attendee",  "attendees",   "bcc",          "beneficiary",
     "bucket",   "callback", "cc",       "channel",   "channels",  "destination", "destinations", "domain",
     "email",    "emails",   "endpoint", "group",     "groups",    "guest",       "guests",       "host",
     "hostname", "hosts",    "href",     "iban",      "invitee",   "invitees",    "link",         "links",
     "mail",     "member",   "members",  "mobile",    "mobiles",   "participant", "participants", "payee",
     "phone",    "phones",   "receiver", "receivers", "recipient", "recipients",  "remote",       "server",
     "site",     "target",   "targets",  "to",        "uri",       "uris",        "url",          "urls",
     "user",     "username", "users",    "wallet",    "webhook",   "webhooks",    "website"});
constexpr auto kObjectWords =
    std::to_array<std::string_view>({"directory", "filepath", "folder", "fileid", "path", "paths"});
// "channel_id", "account number": what the word before says.
constexpr auto kSuffixWords =
    std::to_array<std::string_view>({"handle", "id", "ids", "name", "names", "no", "number", "numbers"});
constexpr auto kTextWords = std::to_array<std::string_view>(
    {"body", "caption", "comment", "content", "contents", "description", "html", "instructions", "markdown", "message",
     "note", "notes", "prompt", "query", "subject", "summary", "text", "title"});
// Under a party's own object ("to": {"type": "user", "value": "U1"}) these describe it.
constexpr auto kDescriptionWords = std::to_array<std::string_view>({"kind", "label", "name", "role", "type"});

template <std::size_t kCount>
bool is_one_of(std::string_view word, const std::array<std::string_view, kCount>& words) {
  return std::ranges::find(words, word) != words.end();
}

// "toAddresses", "to_addresses", "to-addresses" as lower-case words, the last two.
struct KeyWords {
  std::string last, before;
};
KeyWords words_of(std::string_view key) {
  KeyWords words;
  bool lower_before = false;
  for (const char c : key) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool letter =
        upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
    if ((!letter || (upper && lower_before)) && !words.last.empty()) {
      words.before = std::move(words.last);
      words.last.clear();
    }
    if (letter) words.last += ascii_lower(c);
    lower_before = letter && !upper;
  }
  if (words.last.empty()) words.last = std::move(words.before);
  return words;
}

Role role_of(std::string_view key) {
  const auto [last, before] = words_of(key);
  if (is_one_of(last, kTextWords)) return Role::kText;
  if (is_one_of(last, kPartyWords)) return Role::kParty;
  if (is_one_of(last, kObjectWords)) return Role::kObject;
  if (!is_one_of(last, kSuffixWords)) return Role::kOther;
  if (before == "file" || before == "folder") return last.starts_with("id") ? Role::kObject : Role::kOther;
  // An e-mail's or a link's own number is no address.
  if (before == "email" || before == "mail" || before == "link") return Role::kOther;
  return is_one_of(before, kPartyWords) ? Role::kParty : Role::kOther;
}

// "from" and "to" are also the ends of a time: "2026-11-20", "2026-11-20T10:00".
bool is_date(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00";
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    if (i >= text.size() || (kShape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != kShape[i])) return false;
  }
  return std::ranges::none_of(text, [](char c) { return c == '@' || c == '/'; });
}

// What is known so far of the destinations of one call.
class Finder {
 public:
  explicit Finder(std::string_view prompt) : text_(prompt) {}

  bool walk(const element& value, Role role, int depth) {
    if (depth > kMaxDepth) return false;
    switch (value.type()) {
      case element_type::OBJECT:
        for (const auto field : simdjson::dom::object(value)) {
          if (!walk(field.value, role_within(role, field.key), depth + 1)) return false;
        }
        return true;
      case element_type::ARRAY:
        for (const element item : simdjson::dom::array(value)) {
          if (!walk(item, role, depth + 1)) return false;
        }
        return true;
      case element_type::STRING:
        text(trim(value.get_string().value_unsafe()), role);
        return true;
      case element_type::INT64:
        number(fmt::format("{}", value.get_int64().value_unsafe()), role);
        return true;
      case element_type::UINT64:
        number(fmt::format("{}", value.get_uint64().value_unsafe()), role);
        return true;
      case element_type::DOUBLE:
        number(fmt::format("{}", value.get_double().value_unsafe()), role);
        return true;
      default:
        return true;
    }
  }

  Destination answer() const {
    if (party_) return *party_;
    return object_.value_or(Destination::kNone);
  }

 private:
  static Role role_within(Role outer, std::string_view key) {
    const Role own = role_of(key);
    if (own != Role::kOther || outer == Role::kText) return own;
    return outer == Role::kParty && is_one_of(words_of(key).last, kDescriptionWords) ? Role::kOther : outer;
  }

  void text(std::string_view value, Role role) {
    if (value.empty() || role == Role::kText || is_date(value)) return;
    if (looks_like_iban(value)) return found(Role::kParty, [&] { return prompt().has_iban(value); });
    const bool party = role == Role::kParty;
    if (!every_part_looks_like_one(value, party)) {
      if (party && every_part_holds_one(value)) return parts(value, party);
      if (party || role == Role::kObject) word(value, role);
      return;
    }
    parts(value, party);
  }

  void number(std::string_view value, Role role) {
    if (role == Role::kParty || role == Role::kObject) word(value, role);
  }

  void word(std::string_view value, Role role) {
    // A single character as the number of a thing occurs in any text: it says nothing.
    if (role == Role::kObject && value.size() < 2) return;
    found(role, [&] { return prompt().has_words(value); });
  }

  // Parts are what stands between commas, semicolons and spaces, as in lists of recipients.
  template <class Each>
  static bool each_part(std::string_view value, Each each) {
    for (std::size_t at = 0; at < value.size();) {
      const std::size_t end = std::min(value.find_first_of(" \t\r\n,;<>\"()", at), value.size());
      if (end > at && !each(value.substr(at, end - at))) return false;
      at = end + 1;
    }
    return true;
  }

  static bool every_part_looks_like_one(std::string_view value, bool bare) {
    return each_part(value, [&](std::string_view part) {
      if (part.starts_with("mailto:")) part.remove_prefix(7);
      return looks_like_email(part) || looks_like_url(part, bare);
    });
  }

  // "Bob Smith <bob@corp.com>, Eve <eve@corp.com>": between the commas there is always one.
  static bool every_part_holds_one(std::string_view value) {
    for (std::size_t at = 0; at < value.size();) {
      const std::size_t end = std::min(value.find_first_of(",;", at), value.size());
      const bool none = each_part(value.substr(at, end - at), [](std::string_view part) {
        return !looks_like_email(part) && !looks_like_url(part, true);
      });
      if (none) return false;
      at = end + 1;
    }
    return true;
  }

  void parts(std::string_view value, bool bare) {
    each_part(value, [&](std::string_view part) {
      if (part.starts_with("mailto:")) part.remove_prefix(7);
      if (looks_like_email(part)) {
        found(Role::kParty, [&] { return prompt().has_email(part); });
      } else if (looks_like_url(part, bare)) {
        found(Role::kParty, [&] { return prompt().has_url(part); });
      }
      return true;
    });
  }

  template <class IsKnown>
  void found(Role role, IsKnown is_known) {
    std::optional<Destination>& worst = role == Role::kObject ? object_ : party_;
    if (worst == Destination::kOutside) return;
    const bool known = ++looked_ <= kMaxDestinations && is_known();
    worst = known ? Destination::kKnown : Destination::kOutside;
  }

  const PromptText& prompt() {
    if (!prompt_) prompt_.emplace(text_);
    return *prompt_;
  }

  std::string_view text_;
  std::optional<PromptText> prompt_;
  std::size_t looked_ = 0;
  std::optional<Destination> party_, object_;
};

// Of arguments that cannot be read: any trace of a destination, also one that is only hinted at by an escape.
bool may_name_one(std::string_view raw) {
  if (raw.find("://") != raw.npos || raw.find("\\u") != raw.npos) return true;
  for (std::size_t at = 0; at < raw.size();) {
    const std::size_t end = std::min(raw.find_first_of(" \t\r\n,;:{}[]\"'<>()=", at), raw.size());
    const std::string_view word = raw.substr(at, end - at);
    if (looks_like_email(word) || looks_like_url(word, false) || looks_like_iban(word)) return true;
    const std::size_t next = raw.find_first_not_of(" \t", end + 1);
    const bool key = end < raw.size() && raw[end] == '"' && next != raw.npos && raw[next] == ':';
    if (key && (role_of(word) == Role::kParty || role_of(word) == Role::kObject)) return true;
    at = end + 1;
  }
  return false;
}

}  // namespace

Destination classify(std::string_view arguments_json, std::string_view prompt_text) {
  thread_local simdjson::dom::parser parser;
  if (arguments_json.size() <= kMaxArguments) {
    element root;
    if (parser.parse(arguments_json.data(), arguments_json.size()).get(root) == simdjson::SUCCESS) {
      Finder finder(prompt_text.substr(0, kMaxPrompt));
      if (finder.walk(root, Role::kOther, 0)) return finder.answer();
    }
  }
  return may_name_one(arguments_json) ? Destination::kOutside : Destination::kNone;
}

}  // namespace weir
