#include "records/audit_chain.h"

#include <openssl/evp.h>

#include <bit>

#include "base/check.h"
#include "records/sqlite.h"

namespace weir {
namespace {

// One tag per value, and lengths before texts: no two rows have the same bytes.
class Encoder {
 public:
  explicit Encoder(const AuditHash& previous) : bytes_(previous.begin(), previous.end()) {}
  void integer(std::int64_t value) { tagged('i', static_cast<std::uint64_t>(value)); }
  void real(double value) { tagged('r', std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : value)); }
  void null() { bytes_ += 'n'; }
  void text(std::string_view value, char tag = 't') {
    tagged(tag, value.size());
    bytes_ += value;
  }
  AuditHash hash() const {
    AuditHash out{};
    unsigned size = 0;
    WEIR_CHECK(EVP_Digest(bytes_.data(), bytes_.size(), out.data(), &size, EVP_sha256(), nullptr) == 1 &&
               size == out.size());
    return out;
  }

 private:
  void tagged(char tag, std::uint64_t value) {
    bytes_ += tag;
    for (int i = 0; i < 8; ++i) bytes_ += static_cast<char>((value >> (8 * i)) & 0xFF);
  }
  std::string bytes_;
};

}  // namespace

AuditHash chained(const AuditHash& previous, const AuditRow& row) {
  Encoder e(previous);
  e.integer(row.time);
  e.text(row.request_id);
  e.text(row.key);
  e.integer(static_cast<std::int64_t>(row.event));
  for (const std::string* text :
       {&row.layer, &row.limit, &row.per_json, &row.used, &row.reserved, &row.requested, &row.allowed}) {
    e.text(*text);
  }
  // What is no wait is stored as null; not-a-number too.
  row.retry_after_s >= 0 ? e.real(row.retry_after_s) : e.null();
  e.integer(row.count);
  for (const std::string* text : {&row.evidence, &row.config_version, &row.user, &row.tool, &row.run, &row.agent}) {
    e.text(*text);
  }
  return e.hash();
}

AuditHash chained(const AuditHash& previous, const Statement& stored) {
  Encoder e(previous);
  for (int at = 0; at < kAuditColumnCount; ++at) {
    switch (stored.type(at)) {
      case SQLITE_INTEGER:
        e.integer(stored.integer(at));
        break;
      case SQLITE_FLOAT:
        e.real(stored.real(at));
        break;
      case SQLITE_TEXT:
        e.text(stored.text(at));
        break;
      case SQLITE_NULL:
        e.null();
        break;
      default:
        e.text(stored.text(at), 'b');
    }
  }
  return e.hash();
}

std::string to_hex(const AuditHash& hash) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : hash) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 0xF];
  }
  return out;
}

}  // namespace weir
