// Takes a file back to an older version of the schema, for tests of the way forward.
#pragma once

namespace weir {

inline constexpr const char* kDropVersion4And5 =
    "ALTER TABLE usage DROP COLUMN node; ALTER TABLE usage DROP COLUMN parent; ALTER TABLE usage DROP COLUMN depth; "
    "DROP TRIGGER usage_of_run_added; DROP TABLE run_hours; DROP INDEX usage_time; CREATE INDEX usage_time ON usage "
    "(time); DROP INDEX audit_time; "
    "CREATE INDEX audit_time ON audit (time); DROP INDEX audit_run; DROP TABLE usage_days; DROP TABLE spend_hours; "
    "DROP TABLE days_summed; DROP TRIGGER usage_added; "
    "DROP TRIGGER usage_gone; DROP TABLE "
    "usage_hours; DROP TABLE refusal_hours; DROP TABLE "
    "overrides; DROP TABLE admin_tokens; "
    "DROP TABLE alerts; DROP TABLE alert_messages";

}  // namespace weir
