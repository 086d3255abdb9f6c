#include "records/schema.h"

#include <fmt/format.h>

#include <iterator>
#include <string>

#include "records/hour_sums.h"
#include "records/store_impl.h"

namespace weir {
namespace {

// Times are nanoseconds since 1970 (UTC), money is micro-dollars, enums are their numbers in model/.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE settings (
  name TEXT PRIMARY KEY, value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE consumers (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, key_hash BLOB NOT NULL UNIQUE,
  tenant TEXT NOT NULL, user TEXT NOT NULL, tier TEXT NOT NULL, kind INTEGER NOT NULL, status INTEGER NOT NULL,
  metadata TEXT NOT NULL, created_at INTEGER NOT NULL
);
CREATE TABLE usage (
  id INTEGER PRIMARY KEY, time INTEGER NOT NULL, request_id TEXT NOT NULL, key TEXT NOT NULL, tenant TEXT NOT NULL,
  user TEXT NOT NULL, tier TEXT NOT NULL, kind TEXT NOT NULL, conversation TEXT NOT NULL, run TEXT NOT NULL,
  agent TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL, route TEXT NOT NULL, status INTEGER NOT NULL,
  input_uncached INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL,
  output_visible INTEGER NOT NULL, reasoning INTEGER NOT NULL, audio_in INTEGER NOT NULL, audio_out INTEGER NOT NULL,
  usd_micros INTEGER NOT NULL, reserved_tokens INTEGER NOT NULL, tool_calls INTEGER NOT NULL, degraded TEXT NOT NULL,
  attempts INTEGER NOT NULL, settled INTEGER NOT NULL
);
CREATE INDEX usage_time ON usage (time);
CREATE TABLE audit (
  id INTEGER PRIMARY KEY, time INTEGER NOT NULL, request_id TEXT NOT NULL, key TEXT NOT NULL, event INTEGER NOT NULL,
  layer TEXT NOT NULL, limit_name TEXT NOT NULL, per TEXT NOT NULL, used TEXT NOT NULL, reserved TEXT NOT NULL,
  requested TEXT NOT NULL, allowed TEXT NOT NULL, retry_after REAL, count INTEGER NOT NULL, evidence TEXT NOT NULL,
  config_version TEXT NOT NULL
);
CREATE INDEX audit_time ON audit (time);
CREATE TABLE drained (
  sequence INTEGER PRIMARY KEY, position INTEGER NOT NULL
);
CREATE TABLE changes (
  id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL
);
INSERT INTO changes VALUES (1, 1);
CREATE TRIGGER consumers_inserted AFTER INSERT ON consumers BEGIN UPDATE changes SET version = version + 1; END;
CREATE TRIGGER consumers_updated AFTER UPDATE ON consumers BEGIN UPDATE changes SET version = version + 1; END;
CREATE TRIGGER consumers_deleted AFTER DELETE ON consumers BEGIN UPDATE changes SET version = version + 1; END;
CREATE TRIGGER settings_inserted AFTER INSERT ON settings BEGIN UPDATE changes SET version = version + 1; END;
CREATE TRIGGER settings_updated AFTER UPDATE ON settings BEGIN UPDATE changes SET version = version + 1; END;
PRAGMA user_version = 1;
)sql";

constexpr const char* kVersion2 = R"sql(
ALTER TABLE usage ADD COLUMN cache_write_1h INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN tool_units INTEGER NOT NULL DEFAULT 0;
-- Answers of closed holds of the decision API, kept for their hour.
CREATE TABLE closed_decisions (
  id BLOB PRIMARY KEY, closed_at INTEGER NOT NULL, how INTEGER NOT NULL, admitted TEXT NOT NULL, answer TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX closed_decisions_time ON closed_decisions (closed_at);
PRAGMA user_version = 2;
)sql";

constexpr const char* kVersion3 = R"sql(
ALTER TABLE usage ADD COLUMN tools TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN user TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN tool TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN run TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN hash BLOB NOT NULL DEFAULT x'';
-- Where the audit's chain begins and ends: retention moves the base on, every new row the head.
CREATE TABLE audit_chain (
  id INTEGER PRIMARY KEY CHECK (id = 1), base BLOB NOT NULL, purged INTEGER NOT NULL, head BLOB NOT NULL,
  kept INTEGER NOT NULL
);
INSERT INTO audit_chain VALUES (1, zeroblob(32), 0, zeroblob(32), 0);
CREATE TABLE kill_switches (
  kind INTEGER NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL, by TEXT NOT NULL, since INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TRIGGER kills_inserted AFTER INSERT ON kill_switches BEGIN UPDATE changes SET version = version + 1; END;
CREATE TRIGGER kills_updated AFTER UPDATE ON kill_switches BEGIN UPDATE changes SET version = version + 1; END;
CREATE TRIGGER kills_deleted AFTER DELETE ON kill_switches BEGIN UPDATE changes SET version = version + 1; END;
)sql";

// A process of an older version would append rows that the chain does not hold. It cannot: its rows wait in its journal
// until it is started anew, and are booked then.
constexpr const char* kVersion3Chained = R"sql(
CREATE TRIGGER audit_chained BEFORE INSERT ON audit WHEN length(NEW.hash) <> 32
BEGIN SELECT RAISE(ABORT, 'audit rows are chained since an upgrade of weir; restart the older server'); END;
)sql";

constexpr const char* kVersion4 = R"sql(
-- Sums by hour, so that questions about months need no rows. Kept by triggers, so that every way in or out of `usage`
-- counts, also an older process's; book() adds what it books in larger portions itself.
CREATE TABLE usage_hours (
  hour INTEGER NOT NULL, key TEXT NOT NULL, tenant TEXT NOT NULL, user TEXT NOT NULL, tier TEXT NOT NULL,
  kind TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL, requests INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL, usd_micros INTEGER NOT NULL,
  reserved_tokens INTEGER NOT NULL, tool_calls INTEGER NOT NULL,
  PRIMARY KEY (hour, key, tenant, user, tier, kind, model, provider)
) WITHOUT ROWID;
-- Wider instead of more: rows arrive in the order of time, so that these grow at their end only. An index by key or run
-- costs the drain four times what a row costs, because its new entries lie scattered.
DROP INDEX usage_time;
CREATE INDEX usage_time ON usage (time, key, run);
DROP INDEX audit_time;
CREATE INDEX audit_time ON audit (time, event, layer, limit_name, key, count);
CREATE INDEX audit_run ON audit (run, time) WHERE run <> '';
CREATE TRIGGER usage_added AFTER INSERT ON usage BEGIN
  DELETE FROM days_summed WHERE day = NEW.time / 86400000000000;
  INSERT INTO usage_hours VALUES (NEW.time / 3600000000000, NEW.key, NEW.tenant, NEW.user, NEW.tier, NEW.kind,
    NEW.model, NEW.provider, 1, NEW.input_uncached + NEW.cache_read + NEW.cache_write + NEW.cache_write_1h,
    NEW.output_visible + NEW.reasoning, NEW.cache_read, NEW.cache_write + NEW.cache_write_1h, NEW.reasoning,
    NEW.usd_micros, NEW.reserved_tokens, NEW.tool_calls)
  ON CONFLICT DO UPDATE SET requests = requests + 1, input_tokens = input_tokens + excluded.input_tokens,
    output_tokens = output_tokens + excluded.output_tokens, cached_tokens = cached_tokens + excluded.cached_tokens,
    cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
    reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens, usd_micros = usd_micros + excluded.usd_micros,
    reserved_tokens = reserved_tokens + excluded.reserved_tokens, tool_calls = tool_calls + excluded.tool_calls;
END;
CREATE TRIGGER usage_gone AFTER DELETE ON usage BEGIN
  DELETE FROM days_summed WHERE day = OLD.time / 86400000000000;
  UPDATE usage_hours SET requests = requests - 1,
    input_tokens = input_tokens - OLD.input_uncached - OLD.cache_read - OLD.cache_write - OLD.cache_write_1h,
    output_tokens = output_tokens - OLD.output_visible - OLD.reasoning, cached_tokens = cached_tokens - OLD.cache_read,
    cache_write_tokens = cache_write_tokens - OLD.cache_write - OLD.cache_write_1h,
    reasoning_tokens = reasoning_tokens - OLD.reasoning, usd_micros = usd_micros - OLD.usd_micros,
    reserved_tokens = reserved_tokens - OLD.reserved_tokens, tool_calls = tool_calls - OLD.tool_calls
  WHERE hour = OLD.time / 3600000000000 AND key = OLD.key AND tenant = OLD.tenant AND user = OLD.user AND
    tier = OLD.tier AND kind = OLD.kind AND model = OLD.model AND provider = OLD.provider;
  DELETE FROM usage_hours WHERE hour = OLD.time / 3600000000000 AND key = OLD.key AND tenant = OLD.tenant AND
    user = OLD.user AND tier = OLD.tier AND kind = OLD.kind AND model = OLD.model AND provider = OLD.provider AND
    requests = 0;
END;
-- The same by day, for whole days that are over: Store::sum_days() makes them, and `days_summed` says which hold. A row
-- that comes or goes takes its day out of it.
CREATE TABLE usage_days (
  day INTEGER NOT NULL, key TEXT NOT NULL, tenant TEXT NOT NULL, user TEXT NOT NULL, tier TEXT NOT NULL,
  kind TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL, requests INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL, usd_micros INTEGER NOT NULL,
  reserved_tokens INTEGER NOT NULL, tool_calls INTEGER NOT NULL,
  PRIMARY KEY (day, key, tenant, user, tier, kind, model, provider)
) WITHOUT ROWID;
-- What tenants spent in the hours of days that are summed: a forecast looks at four weeks of hours.
CREATE TABLE spend_hours (
  hour INTEGER NOT NULL, tenant TEXT NOT NULL, usd_micros INTEGER NOT NULL, PRIMARY KEY (hour, tenant)
) WITHOUT ROWID;
CREATE TABLE days_summed (day INTEGER PRIMARY KEY);
-- Refused, and in shadow mode would have been.
CREATE TABLE refusal_hours (
  hour INTEGER NOT NULL, limit_name TEXT NOT NULL, layer TEXT NOT NULL, key TEXT NOT NULL, shadow INTEGER NOT NULL,
  count INTEGER NOT NULL, PRIMARY KEY (hour, limit_name, layer, key, shadow)
) WITHOUT ROWID;
CREATE TABLE overrides (
  kind INTEGER NOT NULL, name TEXT NOT NULL, json TEXT NOT NULL, by TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TRIGGER overrides_inserted AFTER INSERT ON overrides BEGIN UPDATE changes SET version = version + 1; END;
CREATE TRIGGER overrides_updated AFTER UPDATE ON overrides BEGIN UPDATE changes SET version = version + 1; END;
CREATE TRIGGER overrides_deleted AFTER DELETE ON overrides BEGIN UPDATE changes SET version = version + 1; END;
CREATE TABLE admin_tokens (
  name TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, role INTEGER NOT NULL, created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER tokens_inserted AFTER INSERT ON admin_tokens BEGIN UPDATE changes SET version = version + 1; END;
CREATE TRIGGER tokens_updated AFTER UPDATE ON admin_tokens BEGIN UPDATE changes SET version = version + 1; END;
CREATE TRIGGER tokens_deleted AFTER DELETE ON admin_tokens BEGIN UPDATE changes SET version = version + 1; END;
CREATE TABLE alerts (
  id INTEGER PRIMARY KEY, rule TEXT NOT NULL, subject TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
  json TEXT NOT NULL
);
CREATE INDEX alerts_since ON alerts (since);
CREATE TABLE alert_messages (
  id TEXT PRIMARY KEY, alert INTEGER NOT NULL, target TEXT NOT NULL, body TEXT NOT NULL, created_at INTEGER NOT NULL,
  tries INTEGER NOT NULL, next_at INTEGER NOT NULL, done_at INTEGER NOT NULL, result TEXT NOT NULL
) WITHOUT ROWID;
PRAGMA user_version = 4;
)sql";

// A request's place in the tree of its run, and the hours in which a run may have rows, by a number that runs share
// (NotedRuns): names would be an index by run, since most requests are a run of their own, and cost the drain more than
// a row does. -1: there are rows that book() did not note.
constexpr const char* kVersion5 = R"sql(
ALTER TABLE usage ADD COLUMN node INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN parent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;
CREATE TABLE run_hours (hour INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (hour, number)) WITHOUT ROWID;
CREATE TRIGGER usage_of_run_added AFTER INSERT ON usage WHEN NEW.run <> '' BEGIN
  INSERT INTO run_hours VALUES (NEW.time / 3600000000000, -1) ON CONFLICT DO NOTHING;
END;
PRAGMA user_version = 5;
)sql";

// Each takes a file one version on. A process of an older version that is running meanwhile names the columns that
// it writes, and new ones have defaults: it goes on working, except for audit rows.
constexpr const char* kSteps[] = {kVersion1, kVersion2, kVersion3, kVersion4, kVersion5};
static_assert(std::size(kSteps) == kSchemaVersion);

}  // namespace

Result<int> schema_version(Database& db) {
  Statement s = db.prepare("PRAGMA user_version");
  if (!s || !s.next()) return db.error("cannot read the record store");
  return static_cast<int>(s.integer(0));
}

Result<void> prepare_schema(Database& db, const std::function<void(const std::string&)>& say) {
  // Most starts have nothing to do and must not wait for whoever is writing.
  if (const auto version = schema_version(db); version && *version == kSchemaVersion) return {};
  Transaction transaction(db);
  if (auto begun = transaction.begin(); !begun) return begun;
  const auto version = schema_version(db);
  if (!version) return std::unexpected(version.error());
  if (*version > kSchemaVersion) {
    return fail("the record store was made by a newer weir (its version " + std::to_string(*version) + ", known " +
                std::to_string(kSchemaVersion) + "); use that one");
  }
  if (*version == kSchemaVersion) return {};
  const bool old = *version > 0 && *version < 4 && say;
  if (old) {
    Statement rows = db.prepare("SELECT coalesce(max(id), 0) FROM usage");
    if (!rows || !rows.next()) return db.error("cannot read the record store");
    say(
        fmt::format("the record store is taken on from its version {}: up to {} rows of the ledger are summed by hour, "
                    "which may take minutes",
                    *version, rows.integer(0)));
  }
  for (auto step = static_cast<std::size_t>(*version); step < std::size(kSteps); ++step) {
    if (auto made = db.execute(kSteps[step]); !made) return made;
  }
  if (*version < 3) {
    if (auto made = chain_existing_audit(db); !made) return made;
    if (auto made = db.execute(kVersion3Chained); !made) return made;
  }
  if (*version < 4) {
    if (auto made = sum_existing_hours(db); !made) return made;
  }
  if (auto made = note_existing_runs(db); !made) return made;
  if (auto done = transaction.commit(); !done) return done;
  if (old) say(fmt::format("the record store has its version {} now", kSchemaVersion));
  return {};
}

}  // namespace weir
