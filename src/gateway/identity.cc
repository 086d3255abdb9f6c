#include "gateway/identity.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/characters.h"
#include "base/strings.h"
#include "model/key_attributes.h"

namespace weir {
namespace {

constexpr std::size_t kMaxValue = 256;  // bytes of a tenant, user or tag

using Address = std::array<unsigned char, 16>;

std::optional<Address> parse_address(std::string_view text) {
  if (text.starts_with('[')) text = text.substr(1, text.find(']') - 1);
  const std::string copy(text);
  Address out{};
  if (inet_pton(AF_INET6, copy.c_str(), out.data()) == 1) return out;
  std::array<unsigned char, 4> v4{};
  if (inet_pton(AF_INET, copy.c_str(), v4.data()) != 1) return std::nullopt;
  out[10] = out[11] = 0xff;
  std::copy(v4.begin(), v4.end(), out.begin() + 12);
  return out;
}

bool is_v4(const Address& a) {
  static constexpr unsigned char kPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::memcmp(a.data(), kPrefix, sizeof kPrefix) == 0;
}

bool contains(const Cidr& net, const Address& a) {
  for (int bit = 0; bit < net.bits; bit += 8) {
    const auto i = static_cast<std::size_t>(bit / 8);
    const int left = std::min(8, net.bits - bit);
    const auto mask = static_cast<unsigned char>(0xff << (8 - left));
    if ((net.address[i] & mask) != (a[i] & mask)) return false;
  }
  return true;
}

// One spelling per address; IPv6 users own a /64, so that is the unit.
std::string canonical(const Address& a) {
  char text[INET6_ADDRSTRLEN] = {};
  if (is_v4(a)) {
    inet_ntop(AF_INET, a.data() + 12, text, sizeof text);
    return text;
  }
  Address net{};
  std::copy_n(a.begin(), 8, net.begin());
  inet_ntop(AF_INET6, net.data(), text, sizeof text);
  return std::string(text) + "/64";
}

bool usable(std::string_view value) {
  return !value.empty() && is_clean(value, kMaxValue);
}

bool read_assertion(const Headers& headers, std::string_view name, std::string& out, Identity& identity) {
  const std::string_view value = headers.get(name);
  if (value.data() == nullptr) return false;
  if (!usable(value)) {
    identity.status = IdentityStatus::kBadAssertion;
    identity.problem = std::string(name) + " must be 1 to 256 bytes of UTF-8 without control characters";
    return false;
  }
  out = value;
  return true;
}

void read_assertions(const Policy& policy, const Headers& headers, Identity& identity) {
  const bool service = identity.consumer && identity.consumer->kind == ConsumerKind::kService;
  if (identity.consumer) {
    if (read_assertion(headers, "x-weir-user", identity.user, identity)) identity.user_asserted = true;
    read_assertion(headers, "x-weir-conversation", identity.conversation, identity);
    read_assertion(headers, "x-weir-agent", identity.agent, identity);
    read_assertion(headers, "x-weir-run", identity.run, identity);
    read_assertion(headers, "x-weir-task", identity.task, identity);
  }
  if (service) {
    read_assertion(headers, "x-weir-tenant", identity.tenant, identity);
    if (read_assertion(headers, "x-weir-tier", identity.tier, identity) &&
        std::none_of(policy.tiers.begin(), policy.tiers.end(),
                     [&](const Tier& t) { return t.name == identity.tier; })) {
      identity.status = IdentityStatus::kBadAssertion;
      identity.problem = "X-Weir-Tier names a tier that the policy does not have: " + identity.tier;
    }
  }
  set_caller(identity);
}

void count_failure(Services& services, Identity& identity) {
  if (const auto wait = count_auth_failure(services, identity.ip)) {
    identity.status = IdentityStatus::kBlocked;
    identity.problem = "too many requests with a wrong API key from this address; wait, then use a valid key";
    identity.retry_after = *wait;
  }
}

void authenticate(Services& services, std::string_view key, Identity& identity) {
  std::shared_ptr<const Consumer> consumer;
  if (is_well_formed_key(key)) consumer = services.consumers->find(services.key_hasher->hash(key));
  if (!consumer) {
    identity.status = IdentityStatus::kWrong;
    identity.problem = "this API key is not known here; check it, or create one with `weir keys create`";
    count_failure(services, identity);
  } else if (consumer->status == ConsumerStatus::kRevoked) {
    identity.status = IdentityStatus::kRevoked;
    identity.problem = "this API key was revoked; ask for a new one";
    count_failure(services, identity);
  } else {
    identity.consumer = std::move(consumer);
  }
}

void take_facts(const Policy& policy, Identity& identity) {
  const Consumer& consumer = *identity.consumer;
  identity.tenant = consumer.tenant;
  identity.user = consumer.user;
  identity.tier = consumer.tier.empty() ? policy.default_tier : consumer.tier;
  identity.kind = to_string(consumer.kind);
}

}  // namespace

std::optional<DurationNs> count_auth_failure(Services& services, std::string_view ip) {
  services.metrics->auth_failures.add(1);
  const AuthFailures& limit = services.rules->policy().auth_failures;
  SubjectHasher hasher(*services.secret);
  const Subject subject{.key = hasher.begin("auth_failures").add(ip).finish(), .owner = {}, .overflow = {}};
  const Demand demand{.counter = services.auth_failure_counter, .cost = 1, .quota = {.amount = limit.amount}};
  Decision decision;
  services.auth_failures->admit({.subjects = {&subject, 1}, .demands = {&demand, 1}, .now = services.now}, decision);
  if (decision.admitted || decision.table_full) return std::nullopt;
  return decision.retry_after;
}

std::string client_ip(std::string_view peer, const Headers& headers, const std::vector<Cidr>& trusted) {
  // What the system wrote of an IPv4 address has one spelling already.
  const bool is_v4_text = peer.find(':') == std::string_view::npos && !peer.starts_with('[');
  if (trusted.empty() && is_v4_text) return std::string(peer);
  std::optional<Address> address = parse_address(peer);
  if (!address) return std::string(peer);
  const auto is_trusted = [&](const Address& a) {
    return std::any_of(trusted.begin(), trusted.end(), [&](const Cidr& net) { return contains(net, a); });
  };
  // Walk the proxies from the nearest; the first address that is not a trusted proxy is the client.
  for (auto field = headers.fields.rbegin(); field != headers.fields.rend() && is_trusted(*address); ++field) {
    if (!equal_ignoring_case(field->name, "x-forwarded-for")) continue;
    std::string_view list = field->value;
    while (!list.empty() && is_trusted(*address)) {
      const std::size_t comma = list.rfind(',');
      const std::optional<Address> hop =
          parse_address(trim(list.substr(comma == std::string_view::npos ? 0 : comma + 1)));
      if (!hop) return canonical(*address);
      address = hop;
      list = comma == std::string_view::npos ? std::string_view{} : list.substr(0, comma);
    }
  }
  return canonical(*address);
}

std::string_view presented_key(const Headers& headers) {
  const std::string_view authorization = headers.get("authorization");
  if (authorization.size() > 7 && equal_ignoring_case(authorization.substr(0, 7), "bearer ")) {
    return trim(authorization.substr(7));
  }
  for (const std::string_view name : {"x-api-key", "api-key", "x-goog-api-key"}) {
    if (const std::string_view value = headers.get(name); value.data() != nullptr) return trim(value);
  }
  return authorization;
}

bool is_credential_header(std::string_view lower_name) {
  return lower_name == "authorization" || lower_name == "x-api-key" || lower_name == "api-key" ||
         lower_name == "x-goog-api-key";
}

std::string history_owner(const Identity& identity) {
  return !identity.tenant.empty() ? "tenant " + identity.tenant : "caller " + identity.caller;
}

Hash128 owner_of(const Identity& identity, const SubjectSecret& secret) {
  SubjectHasher hasher(secret);
  hasher.begin("owner");
  if (identity.consumer) return hasher.add("key").add(std::to_string(identity.consumer->id)).finish();
  return hasher.add("ip").add(identity.ip).finish();
}

Hash128 caller_of(const Identity& identity, const SubjectSecret& secret) {
  SubjectHasher hasher(secret);
  return hasher.begin("who is counted").add(identity.consumer ? identity.tenant : "ip").add(identity.caller).finish();
}

void set_caller(Identity& identity) {
  const bool service = identity.consumer && identity.consumer->kind == ConsumerKind::kService;
  if (!identity.user.empty() && (!identity.user_asserted || service)) {
    identity.caller = identity.user;
  } else if (identity.consumer) {
    identity.caller = identity.consumer->user.empty() ? identity.consumer->name : identity.consumer->user;
  } else {
    identity.caller = identity.ip;
  }
}

void act_for(const Policy& policy, std::shared_ptr<const Consumer> consumer, Identity& identity) {
  identity.consumer = std::move(consumer);
  take_facts(policy, identity);
  identity.user_asserted = false;
  set_caller(identity);
}

Identity identify(Services& services, const Headers& headers, std::string_view peer) {
  const Policy& policy = services.rules->policy();
  Identity identity;
  identity.ip = client_ip(peer, headers, policy.trusted_proxies);
  const std::string_view key = presented_key(headers);
  if (key.empty()) {
    if (!policy.anonymous_allowed) {
      identity.status = IdentityStatus::kMissing;
      identity.problem = "no API key; send one as `Authorization: Bearer weir_…`, `x-api-key` or `x-goog-api-key`";
      return identity;
    }
    identity.tier = identity.kind = "anonymous";
    set_caller(identity);
    return identity;
  }
  authenticate(services, key, identity);
  if (identity.status != IdentityStatus::kOk) return identity;
  take_facts(policy, identity);
  read_assertions(policy, headers, identity);
  return identity;
}

void adopt_dialect_user(Identity& identity, const std::string& user) {
  if (user.empty() || identity.user_asserted || !identity.consumer) return;
  identity.user = user;
  identity.user_asserted = true;
  set_caller(identity);
}

void fill_attributes(const Identity& identity, const Headers& headers, Attributes& out) {
  const auto set_if = [&](Attribute attribute, std::string_view value) {
    if (!value.empty()) out.set(attribute, value);
  };
  // A plain key that has a user of its own is counted as that user: what it asserts is a label, and inventing users
  // opens no fresh budget, not even under limits per user.
  const bool label = identity.user_asserted && identity.consumer && identity.consumer->kind != ConsumerKind::kService &&
                     !identity.consumer->user.empty();
  out.user_asserted = identity.user_asserted && !label;
  set_if(Attribute::kTenant, identity.tenant);
  set_if(Attribute::kUser, label ? identity.consumer->user : identity.user);
  set_if(Attribute::kCaller, identity.caller);
  set_if(Attribute::kTier, identity.tier);
  set_if(Attribute::kKind, identity.kind);
  set_if(Attribute::kIp, identity.ip);
  set_if(Attribute::kConversation, identity.conversation);
  set_if(Attribute::kAgent, identity.agent);
  if (identity.consumer) set_key(*identity.consumer, out);
  out.header = [&headers](std::string_view name) { return headers.get(name); };
}

}  // namespace weir
