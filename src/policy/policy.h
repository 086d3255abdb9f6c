// weir.yaml as data: everything the file says, checked, with defaults filled in. Immutable once loaded.
//
//   LoadedPolicy loaded = load_policy(text, "weir.yaml", environment);
//   for (const Diagnostic& d : loaded.diagnostics) print(d);
//   if (loaded.policy) run(*loaded.policy);
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "model/alert_rules.h"
#include "model/attributes.h"
#include "model/behavior_rules.h"
#include "pricing/price_book.h"
#include "providers/dialect.h"
#include "providers/simulator.h"
#include "weir/limiter.h"

namespace weir {

struct Endpoint {          // a listen address
  std::string host;        // "127.0.0.1", "::", …
  std::uint16_t port = 0;  // 0: any free port
};

// What a listener needs to speak TLS: PEM files, read by the server itself when it starts and at every reload.
struct TlsFiles {
  std::string cert, key;
  int line = 0, column = 0;  // in the file, for what is wrong with the files
  bool on() const { return !cert.empty(); }
};

struct Url {  // of a provider or upstream
  bool tls = false;
  std::string host;
  std::uint16_t port = 0;
  std::string path;  // prefix without trailing slash; a trailing "/v1" replaces the dialect's
};

struct ProviderTimeouts {
  DurationNs connect = 2 * kSecond;
  DurationNs first_byte = 60 * kSecond;  // streams
  DurationNs idle = 120 * kSecond;       // streams
  DurationNs total = 15 * kMinute;
};

struct Provider {
  std::string name;
  Dialect dialect = Dialect::kOpenAi;
  Url url;
  std::string key;                           // credential; never shown
  std::string ca;                            // PEM file that signs the provider's certificate; empty: the system's
  std::optional<SimulatorOptions> simulate;  // speaks every dialect
  std::optional<Price> price;                // for models that nothing else prices
  ProviderTimeouts timeouts;
};

struct ModelRule {
  std::string pattern;  // literal or glob; first match wins
  std::string provider;
  std::optional<Price> price;
  std::vector<std::string> fallback;  // models to call instead when this one cannot answer, in order
};

// What is tried again before a first byte went to the client.
struct RetryRule {
  int attempts = 3;  // in all, 1 to 10
  DurationNs within = 10 * kSecond;
  bool connect = true, status_429 = true, status_502 = true, status_503 = true, status_504 = true;
};

// A custom meter of an HTTP upstream.
struct MeterSource {
  std::string name;
  std::string response_header;  // one of these two is set
  std::string response_json;    // dotted path
  std::int64_t estimate = 0;    // held before the answer is known
};

enum class UpstreamKind : std::uint8_t { kHttp, kMcp };

struct Upstream {
  std::string path;  // "/api/**": everything below; else exact
  UpstreamKind kind = UpstreamKind::kHttp;
  Url url;
  std::string tool;        // kHttp: name template; empty if none
  std::string server;      // kMcp: its name, as attribute `server`; the last segment of the path if the file gives none
  bool hide_tools = true;  // kMcp: tools/list leaves out what the caller may not use or has used up
  std::string ca;
  bool pass_authorization = false;
  std::vector<MeterSource> meters;
  ProviderTimeouts timeouts;
};

enum class MeterKind : std::uint8_t {
  kRequests,
  kTokens,
  kInputTokens,
  kOutputTokens,
  kCachedTokens,
  kUsd,
  kConcurrency,
  kBytesIn,
  kBytesOut,
  kRuns,
  kToolCalls,
  kCustom,
};

struct MeterTerm {  // meter: {input_tokens: 1, output_tokens: 4}
  MeterKind kind = MeterKind::kRequests;
  std::string custom;  // name when kCustom
  std::int64_t weight = 1;
};

enum class Layer : std::uint8_t { kRate, kBudget, kTool, kPlan };
std::string_view to_string(Layer layer);

// One window with its amount: "20/1m", "10/day", "10/s burst 50". usd amounts are micro-dollars.
struct WindowRule {
  WindowKind kind = WindowKind::kSliding;
  DurationNs length = 0;        // sliding; bucket: the unit
  std::string calendar;         // "hour" "day" "week" "month"
  std::string anchor;           // "metadata.subscribed_at", calendar months only; empty if none
  RefillRate rate;              // bucket
  std::int64_t amount = 0;      // limit, burst, or most in flight
  std::string amount_metadata;  // "{metadata.requestsPerMinute}/1m": path; empty if literal
  std::string label;            // window as shown: "1m", "day", "10/s"; empty for concurrency
  std::string item;             // name in RateLimit headers: limit, or limit-label when there are several
};

struct TierAllowance {
  std::string tier;  // empty: for every tier, or `default` of a map
  std::vector<WindowRule> windows;
};

struct MatchTerm {        // attribute -> any of these values (literal or glob); negated by {not: …}
  std::string attribute;  // "model", "metadata.plan", "header.x-team"
  std::vector<std::string> patterns;
  bool negated = false;
};

// One step of a limit's `degrade` ladder: what changes from this share of the amount on.
struct Rung {
  int percent = 0;                                        // of (used + reserved + this request) / allowed
  std::map<std::string, std::string, std::less<>> model;  // literal name -> name to call instead
  std::optional<std::int64_t> max_tokens;
  std::optional<std::size_t> keep_messages;
};

enum class OnExceed : std::uint8_t { kRefuse, kDegrade, kStripTool, kQueue };

enum class FailMode : std::uint8_t { kLocal, kOpen, kClosed };
enum class MissingMode : std::uint8_t { kShared, kSkip, kRefuse };

struct LimitRule {
  std::string name;
  std::vector<MatchTerm> match;
  std::vector<std::string> per;  // attribute names; empty = global
  std::vector<MeterTerm> meter;  // one term with weight 1 for a plain meter
  std::string meter_name;        // as shown in refusals
  std::vector<TierAllowance> allow;
  Layer layer = Layer::kRate;
  bool shadow = false;
  FailMode fail = FailMode::kLocal;
  MissingMode missing = MissingMode::kShared;
  std::vector<Rung> degrade;  // by percent, ascending
  OnExceed on_exceed = OnExceed::kRefuse;
  DurationNs queue = 0;     // kQueue: the longest wait for room
  bool contextual = false;  // its amounts are scaled by the caller's trust
  int hard_percent = 100;   // kDegrade: refused beyond this share of the amount
  std::uint16_t precision = 60;
  int line = 0;  // in the file; 0 for the built-in policy
};

struct Reservation {
  bool reserve_whole_cap = false;  // mode: reserve
  std::int64_t default_output = 1024, trust_cap = 4096, warmup = 20, top_up = 64;
  double quantile = 0.97;
};

struct ClientTimeouts {
  DurationNs header = 10 * kSecond, body = 20 * kSecond, idle = 75 * kSecond;
};
struct Bounds {
  std::size_t header = 32 << 10, body = 32 << 20;
  BodyBounds json;
};
struct AuthFailures {
  std::int64_t amount = 30;
  DurationNs window = kMinute;
};
// Which tools may be used: names or globs. What `deny` matches is denied; a list in `allow` denies everything else.
struct ToolLists {
  std::vector<std::string> allow, deny;
};

struct Tier {
  std::string name;
  std::int64_t weight = 1;
  ToolLists tools;
};
struct Cidr {
  std::array<unsigned char, 16> address{};
  int bits = 128;
};  // IPv4 as ::ffff:a.b.c.d

struct Policy {
  Endpoint listen{"127.0.0.1", 8080}, admin{"127.0.0.1", 8081};
  TlsFiles tls;        // of the data listener
  TlsFiles admin_tls;  // of the admin listener: its own, else the data listener's unless only this machine reaches it
  std::vector<std::string> admin_names;  // host names under which the admin listener is asked for, in lower case
  Secret admin_token;                    // empty: generated
  bool metrics_public = false;
  std::string data = "./weir-data";
  int workers = 0;  // 0: auto, one per core
  std::string zone = "UTC";
  std::map<std::string, std::string> tenant_zones;
  std::vector<Provider> providers;
  std::vector<ModelRule> models;
  std::vector<Upstream> upstreams;
  std::string default_tier = "free";
  std::vector<Tier> tiers;
  std::vector<LimitRule> limits;
  Reservation reservation;
  RetryRule retry;
  ClientTimeouts timeouts;
  Bounds bounds;
  AuthFailures auth_failures;
  BehaviorRules behavior;
  AlertSettings alerts;
  bool strict_durability = false;
  bool anonymous_allowed = false;
  std::vector<Cidr> trusted_proxies;
  DurationNs retain_ledger = 400 * kDay, retain_audit = 400 * kDay;
  DurationNs drain = 25 * kSecond;
  std::string version;  // short hash of the text and the environment it read: "config_version"

  const Provider* find_provider(std::string_view name) const;
  const ModelRule* find_model(std::string_view model) const;               // first match
  const Upstream* find_upstream(std::string_view path) const;              // longest matching path
  Price price_of(std::string_view model, const Provider& provider) const;  // rule, book, provider, dearest
  bool has_price(std::string_view model, const Provider& provider) const;  // false: it is the dearest of the book
  // Of an answer that names its model, which may be another than the one asked for (an alias's snapshot): the price
  // that the rule of the requested model sets, else the book's of the answered one, else as requested.
  Price price_of_answer(std::string_view requested, std::string_view answered, const Provider& provider) const;
};

struct Diagnostic {
  bool error = true;  // otherwise a warning
  std::string file;
  int line = 0, column = 0;  // from 1; 0 unknown
  std::string message;       // with a suggestion where there is one
};
std::string to_string(const Diagnostic& d);  // "weir.yaml:12:5: error: unknown key `pre`; did you mean `per`?"

using Environment = std::function<std::optional<std::string>(std::string_view name)>;

struct LoadedPolicy {
  std::shared_ptr<const Policy> policy;  // null when any diagnostic is an error
  std::vector<Diagnostic> diagnostics;
};

// An empty text is the built-in policy. What secrets_masked() took from `known`, another text, is put back.
LoadedPolicy load_policy(std::string_view text, const std::string& file, const Environment& environment,
                         std::string_view known = {});

// The JSON Schema of weir.yaml, draft 2020-12.
std::string policy_schema();

// Seconds-exact period of a calendar word that contains `now`, in an IANA zone: [start, end). Weeks start on Monday.
// For months with an anchor (an instant), periods start at the anchor's day of month and time of day, clamped to the
// month.
struct Period {
  TimeNs start = 0, end = 0;
};
Result<Period> calendar_period(std::string_view word, const std::string& zone, TimeNs now,
                               std::optional<TimeNs> anchor = std::nullopt);

}  // namespace weir
