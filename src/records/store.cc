#include "records/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "journal/disk.h"
#include "records/hour_sums.h"
#include "records/metadata.h"
#include "records/schema.h"
#include "records/store_impl.h"

namespace weir {
namespace {

// In what an update writes, and its status.
bool same(const Consumer& a, const Consumer& b) {
  return a.tenant == b.tenant && a.user == b.user && a.tier == b.tier && a.kind == b.kind && a.status == b.status &&
         a.metadata_json == b.metadata_json;
}

// What the audit tells of a consumer, and of its metadata what changed.
std::string described(const Consumer& c, const Consumer& before = {}) {
  std::string out = "kind=";
  out += to_string(c.kind);
  for (const auto& [name, value] :
       {std::pair("tenant", &c.tenant), std::pair("user", &c.user), std::pair("tier", &c.tier)}) {
    if (!value->empty()) out += fmt::format(" {}={}", name, *value);
  }
  const std::string changes = metadata_changes(before, c);
  return changes.empty() ? out : out + "; metadata: " + changes;
}

// Held while a process opens the store: only one at a time may create or migrate it.
class OpeningLock {
 public:
  explicit OpeningLock(const std::string& dir) : fd_(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (fd_ >= 0) ::flock(fd_, LOCK_EX);
  }
  ~OpeningLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpeningLock(const OpeningLock&) = delete;
  OpeningLock& operator=(const OpeningLock&) = delete;

 private:
  int fd_;
};

std::unexpected<Error> no_store(const std::string& dir) {
  return fail("no store at " + dir +
              "; -c weir.yaml or --data DIR says where it is, `weir serve` or `weir keys create` makes one");
}

Result<void> open_for_writing(Database& db, const std::string& path, const StoreOptions& options) {
  if (auto opened = db.open(path, SQLITE_OPEN_READWRITE, options.busy_timeout_ms); !opened) return opened;
  // FULL: a journal segment may be deleted as soon as the ledger has its rows.
  if (auto set = db.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"); !set) return set;
  return prepare_schema(db, options.say);
}

Result<void> open_for_reading(Database& db, const std::string& dir, const std::string& path,
                              const StoreOptions& options) {
  // Reading a WAL file needs its shared-memory file, so the right to write is used if there is one.
  auto opened = db.open(path, SQLITE_OPEN_READWRITE, options.busy_timeout_ms);
  if (!opened) opened = db.open(path, SQLITE_OPEN_READONLY, options.busy_timeout_ms);
  if (!opened) return opened;
  const auto version = schema_version(db);
  if (!version) return std::unexpected(version.error());
  if (*version == 0) return no_store(dir);
  // An older file is taken on even for reading; a newer one is refused with words.
  if (*version != kSchemaVersion) {
    const auto prepared = prepare_schema(db, options.say);
    if (!prepared && *version > kSchemaVersion) return prepared;
    if (!prepared) {
      return fail("the record store in " + dir + " was made by an older weir and cannot be taken on now (" +
                  prepared.error().message + "); try again, or start `weir serve` once");
    }
  }
  return db.execute("PRAGMA query_only = 1");
}

// Made here and not by SQLite, so that nobody else can read it whatever the umask.
Result<void> make_private_file(const std::string& dir, const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) return {};
  if (fd < 0) return fail(fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  ::close(fd);
  if (const int result = PosixDisk().sync_directory(dir); result < 0) {
    return fail(fmt::format("cannot write {}: {}", dir, std::strerror(-result)));
  }
  return {};
}

}  // namespace

Consumer consumer_of(const Statement& s) {
  Consumer c;
  c.id = s.integer(0);
  c.name = s.text(1);
  c.tenant = s.text(2);
  c.user = s.text(3);
  c.tier = s.text(4);
  c.kind = static_cast<ConsumerKind>(s.integer(5));
  c.status = static_cast<ConsumerStatus>(s.integer(6));
  c.metadata_json = s.text(7);
  if (auto flat = flatten_metadata(c.metadata_json)) c.metadata = std::move(*flat);
  c.created_at = s.integer(8);
  return c;
}

Result<void> Store::Impl::prepare() {
  const std::string select = fmt::format("SELECT {} FROM consumers ", kConsumerColumns);
  const std::pair<Statement*, std::string> all[] = {
      {&insert_consumer,
       "INSERT INTO consumers (name, key_hash, tenant, user, tier, kind, status, metadata, created_at) "
       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"},
      {&find_consumer, select + "WHERE name = ?1"},
      {&list_consumers, select + "ORDER BY name"},
      {&update_consumer,
       "UPDATE consumers SET tenant = ?2, user = ?3, tier = ?4, kind = ?5, metadata = ?6 WHERE name = ?1"},
      {&revoke_consumer, "UPDATE consumers SET status = ?2 WHERE name = ?1"},
      {&version, "SELECT version FROM changes"},
      {&get_setting, "SELECT value FROM settings WHERE name = ?1"},
      {&put_setting, "INSERT INTO settings VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"},
      {&add_setting, "INSERT INTO settings VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING"},
      {&insert_usage, usage_insert_sql()},
      {&add_hours, hour_sums_sql()},
      {&reopen_day, day_reopen_sql()},
      {&add_run_hour, run_hour_sql()},
      {&insert_audit, audit_insert_sql()},
      {&get_chain, chain_select_sql()},
      {&put_chain, chain_update_sql()},
      {&replace_usage, usage_replace_sql()},
      {&put_closed, closed_insert_sql()},
      {&get_purges, "SELECT name, value FROM settings WHERE name >= ?1 AND name < ?2"},
      {&put_position, "INSERT INTO drained VALUES (?1, ?2) ON CONFLICT (sequence) DO UPDATE SET position = ?2"},
  };
  for (const auto& [statement, sql] : all) {
    *statement = db.prepare(sql);
    if (!*statement) return error("the record store has other tables than expected");
  }
  return {};
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;

Result<Store> Store::open(const std::string& dir, StoreOptions options) {
  const std::string path = dir + "/weir.db";
  if (options.create) {
    if (auto made = make_private_directory(dir); !made) return std::unexpected(made.error());
    if (auto made = make_private_file(dir, path); !made) return std::unexpected(made.error());
  } else if (::access(path.c_str(), F_OK) != 0) {
    return no_store(dir);
  }
  const OpeningLock lock(dir);
  auto impl = std::make_unique<Impl>();
  impl->dir = dir;
  const auto opened =
      options.read_only ? open_for_reading(impl->db, dir, path, options) : open_for_writing(impl->db, path, options);
  if (!opened) return std::unexpected(opened.error());
  if (auto prepared = impl->prepare(); !prepared) return std::unexpected(prepared.error());
  return Store(std::move(impl));
}

void Store::set_busy_timeout(int ms) {
  impl_->db.set_busy_timeout(ms);
}

Result<void> Store::create_consumer(Consumer& consumer, const KeyHash& hash, const Change& change) {
  NewConsumer one{.consumer = consumer, .hash = hash};
  auto created = create_consumers({&one, 1}, change);
  consumer.id = one.consumer.id;
  return created;
}

Result<void> Store::create_consumers(std::span<NewConsumer> all, const Change& change) {
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return begun;
  for (auto& [consumer, hash] : all) {
    if (auto added = impl_->add_consumer(consumer, hash, change); !added) return added;
  }
  return transaction.commit();
}

Result<void> Store::Impl::add_consumer(Consumer& consumer, const KeyHash& hash, const Change& change) {
  Statement& s = insert_consumer;
  s.bind(1, std::string_view(consumer.name));
  s.bind_blob(2, hash.data(), hash.size());
  s.bind(3, std::string_view(consumer.tenant));
  s.bind(4, std::string_view(consumer.user));
  s.bind(5, std::string_view(consumer.tier));
  s.bind(6, static_cast<std::int64_t>(consumer.kind));
  s.bind(7, static_cast<std::int64_t>(consumer.status));
  s.bind(8, std::string_view(consumer.metadata_json));
  s.bind(9, consumer.created_at);
  if (s.run()) {
    consumer.id = db.last_id();
    const Change made{.at = change.at != 0 ? change.at : consumer.created_at, .by = change.by};
    return append_change(made, "keys create", "key", consumer.name, described(consumer));
  }
  if (db.extended_code() != SQLITE_CONSTRAINT_UNIQUE) return error("cannot create the consumer");
  const bool of_key = db.message().find("key_hash") != std::string_view::npos;
  return of_key
             ? fail("the key given for " + consumer.name + " is another consumer's already")
             : fail("the name " + consumer.name + " is taken; choose another, names stay taken when a key is revoked");
}

Result<std::optional<Consumer>> Store::find_consumer(std::string_view name) {
  Statement& s = impl_->find_consumer;
  const ResetAfter reset(s);
  s.bind(1, name);
  switch (s.step()) {
    case Statement::kRow:
      return consumer_of(s);
    case Statement::kDone:
      return std::nullopt;
    default:
      return impl_->error("cannot read consumers");
  }
}

Result<std::vector<Consumer>> Store::list_consumers() {
  Statement& s = impl_->list_consumers;
  const ResetAfter reset(s);
  std::vector<Consumer> all;
  Statement::Outcome outcome = Statement::kDone;
  while ((outcome = s.step()) == Statement::kRow) all.push_back(consumer_of(s));
  if (outcome == Statement::kFailed) return impl_->error("cannot read consumers");
  return all;
}

Result<bool> Store::update_consumer(const Consumer& consumer, const Change& change, const Consumer* known) {
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return std::unexpected(begun.error());
  const auto before = find_consumer(consumer.name);
  if (!before) return std::unexpected(before.error());
  if (!*before || (known != nullptr && !same(**before, *known))) return false;
  Statement& s = impl_->update_consumer;
  s.bind(1, std::string_view(consumer.name));
  s.bind(2, std::string_view(consumer.tenant));
  s.bind(3, std::string_view(consumer.user));
  s.bind(4, std::string_view(consumer.tier));
  s.bind(5, static_cast<std::int64_t>(consumer.kind));
  s.bind(6, std::string_view(consumer.metadata_json));
  if (!s.run()) return impl_->error("cannot update the consumer");
  const auto noted = impl_->append_change(change, "keys update", "key", consumer.name, described(consumer, **before));
  if (!noted) return std::unexpected(noted.error());
  if (auto done = transaction.commit(); !done) return std::unexpected(done.error());
  return true;
}

Result<bool> Store::revoke_consumer(std::string_view name, const Change& change) {
  Transaction transaction(impl_->db);
  if (auto begun = transaction.begin(); !begun) return std::unexpected(begun.error());
  Statement& s = impl_->revoke_consumer;
  s.bind(1, name);
  s.bind(2, static_cast<std::int64_t>(ConsumerStatus::kRevoked));
  if (!s.run()) return impl_->error("cannot revoke the key");
  if (impl_->db.changes() == 0) return false;
  if (auto noted = impl_->append_change(change, "keys revoke", "key", name, {}); !noted) {
    return std::unexpected(noted.error());
  }
  if (auto done = transaction.commit(); !done) return std::unexpected(done.error());
  return true;
}

Result<std::shared_ptr<const ConsumerSnapshot>> Store::load_directory() {
  Statement& s = impl_->list_consumers;
  const ResetAfter reset(s);
  auto snapshot = std::make_shared<ConsumerSnapshot>();
  Statement::Outcome outcome = Statement::kDone;
  while ((outcome = s.step()) == Statement::kRow) {
    const std::string hash = s.text(9);
    ConsumerSnapshot::Entry entry{.hash = {}, .consumer = std::make_shared<const Consumer>(consumer_of(s))};
    if (hash.size() != entry.hash.size()) return fail("the key of consumer " + entry.consumer->name + " is damaged");
    std::memcpy(entry.hash.data(), hash.data(), hash.size());
    snapshot->add(std::move(entry));
  }
  if (outcome == Statement::kFailed) return impl_->error("cannot read consumers");
  return snapshot;
}

Result<std::uint64_t> Store::data_version() {
  Statement& s = impl_->version;
  const ResetAfter reset(s);
  if (s.step() != Statement::kRow) return impl_->error("cannot read the record store");
  return static_cast<std::uint64_t>(s.integer(0));
}

Result<std::optional<std::string>> Store::setting(std::string_view name) {
  Statement& s = impl_->get_setting;
  const ResetAfter reset(s);
  s.bind(1, name);
  switch (s.step()) {
    case Statement::kRow:
      return s.text(0);
    case Statement::kDone:
      return std::nullopt;
    default:
      return impl_->error("cannot read settings");
  }
}

Result<void> Store::set_setting(std::string_view name, std::string_view value) {
  impl_->put_setting.bind(1, name);
  impl_->put_setting.bind(2, value);
  if (!impl_->put_setting.run()) return impl_->error("cannot write settings");
  return {};
}

Result<void> Store::limit_pages_for_test(int pages) {
  return impl_->db.execute(fmt::format("PRAGMA max_page_count = {}", pages).c_str());
}

Result<std::string> Store::setting_or_set(std::string_view name, std::string_view value) {
  // Reading waits for nobody: a start needs no write lock once the setting is there.
  if (auto known = setting(name); known && *known) return std::move(**known);
  impl_->add_setting.bind(1, name);
  impl_->add_setting.bind(2, value);
  if (!impl_->add_setting.run()) return impl_->error("cannot write settings");
  auto now = setting(name);
  if (!now) return std::unexpected(now.error());
  return now->value_or(std::string(value));
}

}  // namespace weir
