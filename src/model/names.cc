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

Usage& Usage::operator+=(const Usage& other) {
  input_uncached += other.input_uncached;
  cache_read += other.cache_read;
  cache_write += other.cache_write;
  cache_write_1h += other.cache_write_1h;
  output_visible += other.output_visible;
  reasoning += other.reasoning;
  audio_in += other.audio_in;
  audio_out += other.audio_out;
  tool_units += other.tool_units;
  return *this;
}

const char* to_string(ServiceTier tier) {
  switch (tier) {
    case ServiceTier::kStandard:
      return "standard";
    case ServiceTier::kFlex:
      return "flex";
    case ServiceTier::kPriority:
      return "priority";
    case ServiceTier::kBatch:
      return "batch";
  }
  return "";  // every name is above
}

ServiceTier service_tier_from(std::string_view word) {
  for (const ServiceTier tier : {ServiceTier::kFlex, ServiceTier::kPriority, ServiceTier::kBatch}) {
    if (word == to_string(tier)) return tier;
  }
  return ServiceTier::kStandard;
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
