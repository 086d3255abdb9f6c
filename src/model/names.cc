#include "model/consumer.h"
#include "model/usage.h"

namespace weir {

const char* to_string(ConsumerKind kind) {
  switch (kind) {
    case ConsumerKind::kAgent:
      return "agent";
    case ConsumerKind::kHuman:
      return "human";
    case ConsumerKind::kService:
      return "service";
  }
  return "";  // every name is above
}

const char* to_string(ConsumerStatus status) {
  switch (status) {
    case ConsumerStatus::kActive:
      return "active";
    case ConsumerStatus::kRevoked:
      return "revoked";
  }
  return "";  // every name is above
}

const char* to_string(Settled settled) {
  switch (settled) {
    case Settled::kUsage:
      return "usage";
    case Settled::kCounted:
      return "counted";
    case Settled::kNone:
      return "none";
    case Settled::kExpired:
      return "expired";
  }
  return "";  // every name is above
}

const char* to_string(AuditEvent event) {
  switch (event) {
    case AuditEvent::kRefused:
      return "refused";
    case AuditEvent::kWarned:
      return "warned";
    case AuditEvent::kBroken:
      return "broken";
    case AuditEvent::kStripped:
      return "stripped";
    case AuditEvent::kDegraded:
      return "degraded";
    case AuditEvent::kTrust:
      return "trust";
    case AuditEvent::kAdmin:
      return "admin";
  }
  return "";  // every name is above
}

}  // namespace weir
