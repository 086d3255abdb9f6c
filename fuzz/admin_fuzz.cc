// The admin API, asked whatever the input makes of paths, queries, bodies and drafts of all its routes. A real store,
// policy and limiter behind the real router; the server, its disk and its random bytes are played. Checks: an answer
// has a status that its call may give, is JSON (or YAML), is bounded, comes in time and tells no secret of the file; a
// call that is refused, reads or comes from a viewer changes nothing; what was put is what is read, under the ETag that
// was told, and a stale If-Match is 412; what holds can always be loaded, and shown as a draft that means the same.
//
// Input: steps: a call written by a small grammar, with bytes changed or raw, by one of four callers.
#include <fmt/format.h>
#include <simdjson.h>
#include <time.h>

#include <filesystem>
#include <optional>

#include "admin/alerts.h"
#include "admin/breakers.h"
#include "admin/openapi.h"
#include "admin/routes.h"
#include "admin/session.h"
#include "admin/test_host.h"
#include "admin_grammar.h"
#include "base/json_writer.h"
#include "fuzz.h"
#include "journal/test_support.h"
#include "policy/yaml.h"

namespace {

using namespace weir;
using namespace weir::fuzz;
using stage::kNoon;

constexpr std::string_view kPolicy = R"(admin: { token: zq-secret-0 }
providers:
  openai: { dialect: openai, simulate: { output_tokens: 5 } }
  other: { dialect: openai, url: "http://openai.test/v1", key: zq-secret-1 }
  claude: { dialect: anthropic, url: "http://claude.test", key: "${CLAUDE}" }
models:
  gpt-5: { provider: other, price: { input: 2, output: 9 } }
  gpt-4o: { provider: openai, price: { input: 2.50, cached_input: 1.25, output: 10.00 } }
  "claude-*": { provider: claude, price: { input: 3, output: 15 } }
tiers: { free: {}, pro: { weight: 4, tools: { deny: [delete_*] } } }
default_tier: free
tenants: { acme: { zone: Europe/Berlin } }
limits:
  - { name: requests, per: caller, meter: requests, allow: { default: 100/1m, pro: [200/1m, 9k/day] } }
  - { name: tokens, per: caller, meter: tokens, allow: 50k/1m, contextual: true }
  - { name: spend, per: tenant, meter: usd, allow: 10/day }
  - { name: in-flight, per: caller, meter: concurrency, allow: 4 }
  - { name: trial, per: [key, model], meter: requests, allow: 3/1h, mode: shadow, match: { tier: free } }
alerts:
  targets:
    ops: { url: "https://hooks.example.com/zq-secret-2", secret: zq-secret-3-is-long-enough }
    chat: { url: "${SLACK}", kind: slack }
  rules: [{ name: budget-80, when: usage, limit: spend, above: 80%, to: [ops] }]
)";
constexpr std::string_view kSecret = "zq-secret-";
constexpr std::size_t kMostBytes = 1 << 20;  // of an answer to an input of at most kMostInput
constexpr std::size_t kMostInput = 4096;
constexpr double kMostSeconds = 3;  // of CPU, under the sanitizers

std::optional<std::string> variable(std::string_view name) {
  if (name == "CLAUDE") return "zq-secret-4";
  if (name == "SLACK") return "https://hooks.slack.com/zq-secret-5";
  return name == "OTHER" ? std::optional<std::string>("zq-secret-6") : std::nullopt;
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

bool valid_yaml(const std::string& text) {
  Reporter reporter("answer");
  return parse_yaml(text, reporter).has_value() && !reporter.failed();
}

// A ledger, an audit and alerts as a server leaves them, some of it in words of strangers.
void fill(Store& store) {
  for (const std::string name : {"agent-1", "human-1", "ops"}) {
    Consumer consumer{.name = name, .tenant = name == "ops" ? "beta-co" : "acme", .tier = name == "ops" ? "pro" : ""};
    consumer.created_at = kNoon - kDay;
    KeyHash hash{};
    hash[0] = static_cast<unsigned char>(name[0]);
    require(store.create_consumer(consumer, hash).has_value());
  }
  std::vector<UsageRow> rows;
  std::vector<AuditRow> audit;
  for (int i = 0; i < 24; ++i) {
    UsageRow row{.time = kNoon - i * 3 * kHour - kSecond, .request_id = "req_" + std::to_string(i)};
    row.key = i % 3 == 0 ? "ops" : "agent-1";
    row.tenant = i % 3 == 0 ? "beta-co" : "acme";
    row.user = i % 5 == 0 ? "\"}],\n\xc3\xbc" : "ann";
    row.tier = "free";
    row.model = "gpt-4o";
    row.run = "r" + std::to_string(i % 4);
    row.node = static_cast<std::uint32_t>(i);
    row.usage.input_uncached = 100 * i;
    row.usage.output_visible = 10;
    row.usd_micros = 1'000 * i;
    row.tool_calls = i % 2;
    row.tools = i % 2 == 0 ? "" : "send_email";
    rows.push_back(row);
    AuditRow event{.time = row.time + 1, .request_id = row.request_id, .key = row.key};
    event.event = static_cast<AuditEvent>(i % 6);
    event.layer = i % 4 == 0 ? "breaker" : "rate";
    event.limit = i % 4 == 0 ? "repeated_call" : i % 7 == 0 ? "gone" : "spend";
    event.per_json = R"({"tenant":"acme"})";
    event.used = "9.5";
    event.requested = "1";
    event.allowed = "10";
    event.retry_after_s = i;
    event.evidence = "send_email(\"\\u0000\")";
    event.run = row.run;
    event.user = row.user;
    audit.push_back(event);
  }
  std::reverse(rows.begin(), rows.end());
  std::reverse(audit.begin(), audit.end());
  require(store.book(rows, audit, {}).has_value());
  const std::vector<RefusalHour> refusals = {{kNoon / kHour - 1, "trial", "rate", "agent-1", true, 5}};
  require(store.add_refusal_hours(refusals).has_value() && store.sum_days(kNoon, 10).has_value());
  require(store.set_kill_switch({KillSwitch::Kind::kTool, "send_email", "why", "ops", kNoon - kHour}).has_value());
  Alert alert{.id = alert_id("budget-80", "acme", kNoon), .rule = "budget-80", .subject = "acme", .since = kNoon};
  const AlertMessage message{
      .id = "1-firing@ops", .alert = alert.id, .rule = alert.rule, .target = "ops", .body = "{}"};
  require(store.put_alert(alert, R"("rule":"budget-80")", {&message, 1}).has_value());
}

// Made once; each input works on a copy.
const std::string& template_folder() {
  static const TempDir folder(memory_directory());
  static const bool filled = [] {
    Store store = Store::open(folder.path(), {.create = true}).value();
    fill(store);
    return true;
  }();
  require(filled);
  return folder.path();
}

// What a call may change.
struct Kept {
  std::vector<Override> overrides;
  std::vector<std::string> others;  // keys and kill switches
  bool operator==(const Kept&) const = default;
};

class Office {
 public:
  Office() {
    host_.state->file = "weir.yaml";
    host_.state->file_text = kPolicy;
    host_.variables = variable;
    host_.on_reload = [this] { take_up(); };
    host_.demo = "weir_demo";
    take_up();
    add_routes();
    host_.own_access.add_code("one-time-code", kNoon);
    host_.own_access.add_code("late", kNoon - kDay);
    publish();
    kept_ = kept();
  }

  void step(Input& input) {
    now_ += kMillisecond;
    if (input.below(32) == 31) now_ += 10 * kMinute + kSecond;  // so long a what-if is kept
    AdminGrammar grammar(input);
    const AdminRoute& route = router_.routes()[input.below(static_cast<std::uint32_t>(router_.routes().size()))];
    AdminRequest call{.method = route.method, .path = path_for(grammar, input, route)};
    call.query = grammar.query(route.query, cursor_);
    if (call.method != "GET" && call.method != "DELETE") call.body = grammar.body(route.path, [&] { return yaml(); });
    if (input.below(24) == 23) call.method = input.flag() ? "HEAD" : "OPTIONS";
    if (input.below(8) == 7) call.if_match = input.flag() ? etag_ : "\"0123456789abcdef\"";
    call.caller = caller(input);
    play_faults(input, true);
    told_ = told_ || (call.path + call.query + call.body + call.if_match).find(kSecret) != std::string::npos;
    const Reply reply = ask(call);
    const bool faults = faults_;
    play_faults(input, false);
    check_changes(call, reply);
    if (!faults) check_again(call, reply);
    remember(reply);
  }

  // What holds is a policy, and its own words as a draft mean the same.
  void end() {
    const std::vector<std::string> words = texts_at(ask(admin_call("GET", "/admin/v1/policy")), "words");
    std::string body;
    JsonWriter(body).begin_object().key("yaml").string(yaml()).end_object();
    const Reply checked = ask(admin_call("POST", "/admin/v1/policy/check", body));
    require(checked.status == 200 && checked.body.starts_with("{\"valid\":true"));
    if (body.size() > kMaxAdminBody) return;
    require(ask(admin_call("PUT", "/admin/v1/policy/draft", body)).status == 200);
    require(texts_at(ask(admin_call("GET", "/admin/v1/policy")), "words") == words);
    require(host_.state->skipped.empty());
  }

 private:
  void add_routes() { add_all_routes(router_); }

  // As the server does.
  void take_up() {
    auto next = std::make_shared<PolicyState>(*host_.state);
    const auto rows = store_.overrides();
    if (!rows) return;
    next->overrides = *rows;
    const MergedPolicy merged = merge_overrides(next->file_text, next->file, host_.variables, next->overrides);
    require(merged.loaded.policy != nullptr);
    next->yaml = merged.yaml;
    next->skipped = merged.skipped;
    world_.services.rules = Ruleset::compile(
        merged.loaded.policy, [this](const CounterSpec& spec) { return world_.limiter.define(spec); }, {});
    host_.state = next;
  }

  void publish() {
    EventFeed& feed = host_.observed.open_feed();
    host_.observed.step(kNoon - 2 * kSecond);
    for (const auto what : {DecisionEvent::What::kAdmitted, DecisionEvent::What::kRefused}) {
      feed.publish([&](DecisionEvent& event) {
        event.time = kNoon - kSecond;
        event.what = what;
        event.rules = world_.services.rules;
        event.key = event.caller = "agent-1";
        event.tier = "free";
        event.model = "gpt-4o";
        event.limit = "requests";
        event.pressures[0] = {.limit = 0, .permille = 900, .allowed = 100};
        event.pressure_count = 1;
      });
    }
    host_.observed.step(kNoon - kSecond);
    host_.observed.step(kNoon);
  }

  static AdminRequest admin_call(std::string method, std::string path, std::string body = {}) {
    return {.method = std::move(method),
            .path = std::move(path),
            .body = std::move(body),
            .caller = {"admin", AdminRole::kAdmin}};
  }

  // Of four callers; those that may do it more often.
  AdminCaller caller(Input& input) const {
    switch (input.below(8)) {
      case 7:
        return {};
      case 6:
        return {.name = "ops", .role = AdminRole::kViewer};
      case 5:
        return session_;
      default:
        return {.name = "admin", .role = AdminRole::kAdmin};
    }
  }

  std::string path_for(AdminGrammar& grammar, Input& input, const AdminRoute& route) {
    if (route.path.ends_with("{id}") && input.below(4) != 3) {
      return route.path.substr(0, route.path.size() - 4) + what_if_;
    }
    return grammar.path(route.path);
  }

  // The disk is full, the system has no random bytes, the data listener does not answer, or the server ends.
  void play_faults(Input& input, bool begin) {
    const std::uint32_t which = begin ? input.below(48) : 0;
    faults_ = which > 43;
    require(store_.limit_pages_for_test(which == 44 ? 1 : 1'000'000).has_value());
    host_.entropy_fails = which == 45;
    host_.ends = which == 46;
    host_.answer_of_try = which == 47 ? Result<TriedCall>(fail("closed")) : answer_of_try();
  }

  static TriedCall answer_of_try() {
    return {.status = 429,
            .tokens = "7",
            .usd = "0.000001",
            .retry_after_ms = "20",
            .body = R"({"error":{"message":"no","weir":{"limit":"requests","allowed":3}}})"};
  }

  Reply ask(const AdminRequest& call) {
    const double begin = cpu_seconds();
    Reply reply = host_.ask(router_, store_, call, now_);
    for (const AdminWork::Piece& piece : std::exchange(host_.long_work, {})) piece(store_, now_);
    require(cpu_seconds() - begin < kMostSeconds);
    check(call, reply);
    return reply;
  }

  void check(const AdminRequest& call, const Reply& reply) const {
    require(reply.body.size() < kMostBytes + openapi_document().size());
    require(told_ || (reply.body + reply.headers).find(kSecret) == std::string::npos);
    if (reply.status == 204) return require(reply.body.empty() && call.method == "DELETE");
    if (reply.content_type == "application/yaml") return require(reply.status == 200 && valid_yaml(reply.body));
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    require(parser.parse(reply.body).get(root) == simdjson::SUCCESS && root.is_object());
    switch (reply.status) {
      case 200:
      case 201:
      case 202:
        return require(reply.content_type == "application/json");
      case 400:
      case 401:
      case 403:
      case 404:
      case 405:
      case 409:
      case 412:
      case 413:
      case 422:
      case 429:
        break;
      default:
        require((reply.status == 502 || reply.status == 503) && faults_);
    }
    std::string_view detail;
    require(reply.content_type == "application/problem+json");
    require(root["detail"].get_string().get(detail) == simdjson::SUCCESS && !detail.empty());
  }

  Kept kept() {
    Kept out{.overrides = store_.overrides().value(), .others = {}};
    for (const Consumer& each : store_.list_consumers().value()) {
      out.others.push_back(fmt::format("{} {} {} {} {} {} {}", each.name, each.tenant, each.user, each.tier,
                                       to_string(each.kind), to_string(each.status), each.metadata_json));
    }
    for (const KillSwitch& off : store_.kill_switches().value()) out.others.push_back(kill_switch_json(off));
    return out;
  }

  void check_changes(const AdminRequest& call, const Reply& reply) {
    Kept now = kept();
    const bool reads = call.method == "GET" || call.method == "HEAD";
    const bool may = call.caller.role == AdminRole::kAdmin && reply.status < 300 && !reads;
    require(may || now == kept_);
    kept_ = std::move(now);
    require(host_.state->overrides == kept_.overrides && host_.state->skipped.empty());
  }

  // Reading twice gives the same; what was put is read as it was answered.
  void check_again(const AdminRequest& call, const Reply& reply) {
    if (call.method == "GET") return require(ask(call).body == reply.body);
    if (reply.status != 200 || (call.method != "PUT" && call.method != "PATCH")) return;
    const std::string etag = header_of(reply, "etag");
    if (etag.empty()) return;
    AdminRequest read = admin_call("GET", call.path);
    const Reply answer = ask(read);
    require(answer.status == 200 && header_of(answer, "etag") == etag && answer.body == reply.body);
    AdminRequest again = call;
    again.if_match = "\"stale\"";
    require(ask(again).status == 412);
    again.if_match = etag;
    require(ask(again).status == 200);
    require(header_of(ask(read), "etag") == etag);
    kept_ = kept();  // who set it last, and when
  }

  void remember(const Reply& reply) {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    if (parser.parse(reply.body).get(root) != simdjson::SUCCESS) return;
    std::string_view text;
    if (root["next"].get_string().get(text) == simdjson::SUCCESS) cursor_ = text;
    if (reply.status == 202 && root["id"].get_string().get(text) == simdjson::SUCCESS) what_if_ = text;
    if (const std::string etag = header_of(reply, "etag"); !etag.empty()) etag_ = etag;
    if (root["token"].get_string().get(text) != simdjson::SUCCESS || reply.status != 200) return;
    session_ = host_.own_access.caller_of(text, now_);
    require(session_.role != AdminRole::kNone);
  }

  static std::string header_of(const Reply& reply, std::string_view name) {
    const std::string line = std::string(name) + ": ";
    const std::size_t at = reply.headers.find(line);
    if (at == std::string::npos) return {};
    return reply.headers.substr(at + line.size(), reply.headers.find('\r', at) - at - line.size());
  }

  static std::vector<std::string> texts_at(const Reply& reply, const char* member) {
    simdjson::dom::parser parser;
    return elements_of_list(parser.parse(reply.body)[member].value());
  }

  std::string yaml() {
    simdjson::dom::parser parser;
    const Reply reply = host_.ask(router_, store_, admin_call("GET", "/admin/v1/policy"), now_);
    return std::string(parser.parse(reply.body)["yaml"].get_string().value());
  }

  struct Copy {
    TempDir dir{memory_directory()};
    Copy() { std::filesystem::copy(template_folder(), dir.path(), std::filesystem::copy_options::recursive); }
  };

  TimeNs now_ = kNoon;
  stage::World world_{kPolicyOfWorld};
  FakeAdminHost host_{world_};
  Copy copy_;
  Store store_ = Store::open(copy_.dir.path(), {.busy_timeout_ms = 20}).value();
  AdminRouter router_{host_};
  AdminCaller session_;
  Kept kept_;
  std::string cursor_, what_if_, etag_;
  bool faults_ = false, told_ = false;

  static constexpr std::string_view kPolicyOfWorld = "limits: [{ name: a, per: caller, meter: requests, allow: 1/1m }]";
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  testing::GTEST_FLAG(break_on_failure) = true;  // what the fixture expects ends the target
  template_folder();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > kMostInput) return 0;
  Input input(data, size);
  Office office;
  for (int steps = 0; steps < 24 && !input.empty(); ++steps) office.step(input);
  office.end();
  return 0;
}
