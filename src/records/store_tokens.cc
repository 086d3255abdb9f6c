// The tokens of the admin API in Store.
#include <fmt/format.h>

#include <cstring>

#include "records/store_impl.h"

namespace weir {

Result<void> Store::create_admin_token(const AdminToken& token, const KeyHash& hash, const Change& change) {
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return begun;
  Statement count = impl_->db.prepare("SELECT count(*) FROM admin_tokens");
  Statement put = impl_->db.prepare(
      "INSERT INTO admin_tokens (name, hash, role, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)");
  if (!count || !put || !count.next()) return impl_->error("cannot read admin tokens");
  if (count.integer(0) >= static_cast<std::int64_t>(kMaxAdminTokens)) {
    return fail(fmt::format("there are {} tokens; revoke some with `weir tokens revoke` first", kMaxAdminTokens));
  }
  count.reset();
  put.bind_all(token.name, hash, token.role, token.created_at, token.expires_at);
  if (!put.run()) {
    if (impl_->db.extended_code() == SQLITE_CONSTRAINT_PRIMARYKEY) {
      return fail("the name " + token.name + " is taken; choose another, or revoke that token first");
    }
    return impl_->error("cannot write admin tokens");
  }
  std::string evidence = fmt::format("role={}", to_string(token.role));
  if (token.expires_at != 0) evidence += " expires=" + format_rfc3339(token.expires_at);
  if (auto noted = impl_->append_change(change, "tokens create", "token", token.name, std::move(evidence)); !noted) {
    return noted;
  }
  return transaction.commit();
}

Result<bool> Store::revoke_admin_token(std::string_view name, const Change& change) {
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return std::unexpected(begun.error());
  Statement s = impl_->db.prepare("DELETE FROM admin_tokens WHERE name = ?1");
  if (!s) return impl_->error("cannot write admin tokens");
  s.bind(1, name);
  if (!s.run()) return impl_->error("cannot write admin tokens");
  if (impl_->db.changes() == 0) return false;
  return impl_->commit_change(transaction, change, "tokens revoke", "token", name);
}

Result<std::vector<StoredAdminToken>> Store::admin_tokens() {
  Statement s = impl_->db.prepare("SELECT name, hash, role, created_at, expires_at FROM admin_tokens ORDER BY name");
  if (!s) return impl_->error("cannot read admin tokens");
  std::vector<StoredAdminToken> all;
  while (s.next()) {
    const std::string hash = s.text(1);
    const std::int64_t role = s.integer(2);
    StoredAdminToken stored{.token = {.name = s.text(0),
                                      .role = static_cast<AdminRole>(role),
                                      .created_at = s.integer(3),
                                      .expires_at = s.integer(4)},
                            .hash = {}};
    const bool known = role == static_cast<int>(AdminRole::kViewer) || role == static_cast<int>(AdminRole::kAdmin);
    if (hash.size() != stored.hash.size() || !known) return fail("the token " + stored.token.name + " is damaged");
    std::memcpy(stored.hash.data(), hash.data(), hash.size());
    all.push_back(std::move(stored));
  }
  if (s.failed()) return impl_->error("cannot read admin tokens");
  return all;
}

}  // namespace weir
