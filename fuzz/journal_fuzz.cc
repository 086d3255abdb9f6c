// Recovery of a journal from a disk that did anything. A history of requests is written by the real writer, with
// snapshots and restarts; then files are cut, flipped, spliced, renamed or filled with records from the input. Checks:
//   1. An undamaged journal gives exactly the books of the process before; every request that vanished is charged.
//   2. A damaged one gives what its intact records say, read here by a plain reader, and never less; or an error.
//   3. Recovering twice gives the same, looking (inspect) changes nothing, and the ledger gets exactly the rows of the
//      intact settlements, those of recovery included.
//
// Input: byte 0 = bit 1: hostile records, bits 2 to 4 all unset: the ledger is compared too; the rest = steps of the
// history, then of the damage.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fuzz.h"
#include "journal/recovery.h"
#include "journal/snapshot.h"
#include "journal/test_support.h"
#include "journal/writer.h"
#include "records/drain.h"
#include "records/store.h"

namespace {

using namespace weir;
using namespace weir::fuzz;

constexpr TimeNs kStart = 1'700'000'000 * kSecond;
constexpr TimeNs kForever = kStart + 300 * kDay;
constexpr std::uint32_t kCallers = 4;
constexpr LimiterOptions kSmall{
    .max_bytes = 1 << 20, .max_reservations = 4096, .max_closed = 4096, .remember_closed = kHour, .stripes = 16};
const Quota kPlenty{.amount = std::int64_t{1} << 50, .rate = {}, .period_start = kStart, .period_end = kForever};

Subject subject_of(std::uint64_t caller) {
  Subject subject;
  subject.key = {.high = 99, .low = caller + 1};
  return subject;
}

CounterId define(Limiter& limiter) {
  limiter.define({.identity = "window", .kind = WindowKind::kSliding, .window = kMinute});
  limiter.define({.identity = "bucket", .kind = WindowKind::kBucket});
  return limiter.define({.identity = "tokens", .kind = WindowKind::kCalendar});
}

using Books = std::map<std::uint32_t, std::int64_t>;  // tokens charged, by caller

Books books_of(Limiter& limiter) {
  const CounterId tokens = define(limiter);
  Books books;
  for (std::uint32_t caller = 0; caller < kCallers; ++caller) {
    const Subject subject = subject_of(caller);
    const Demand demand{.counter = tokens, .quota = kPlenty};
    Decision decision;
    limiter.peek({.subjects = {&subject, 1}, .demands = {&demand, 1}, .now = kStart + kDay}, decision);
    books[caller] = decision.verdicts[0].used + decision.verdicts[0].reserved;
  }
  return books;
}

// A process in small; its death is its destructor.
class Process {
 public:
  Process(const std::string& dir, Disk& disk) {
    const auto recovered = recover(dir, limiter_, disk);
    require(recovered.has_value());
    tokens_ = define(limiter_);
    sequence_ = std::make_unique<SegmentSequence>(recovered->next_sequence);
    writer_ =
        std::make_unique<JournalWriter>(JournalWriterOptions{.dir = dir, .segment_bytes = 1500}, *sequence_, disk);
    snapshots_ = std::make_unique<Snapshotter>(limiter_, std::vector{writer_.get()}, *sequence_, disk,
                                               SnapshotOptions{.dir = dir});
  }

  void admit(std::uint64_t n, std::uint32_t caller, std::int64_t cost, TimeNs now) {
    const Subject subject = subject_of(caller);
    const Demand demand{.counter = tokens_, .hold = true, .cost = cost, .quota = kPlenty};
    effects_.clear();
    Decision decision;
    limiter_.admit({.subjects = {&subject, 1},
                    .demands = {&demand, 1},
                    .now = now,
                    .id = test_id(n),
                    .deadline = now + kHour,
                    .effects = &effects_},
                   decision);
    require(decision.admitted);
    writer_->open(test_id(n), row(n, cost, now), effects_);
  }
  void top_up(std::uint64_t n, std::int64_t extra, TimeNs now) {
    effects_.clear();
    Decision decision;
    limiter_.top_up(test_id(n), {&extra, 1}, now, decision, &effects_);
    require(decision.admitted);
    writer_->top_up_held(test_id(n), extra, 0, effects_);
  }
  void settle(std::uint64_t n, std::int64_t used, TimeNs now) {
    effects_.clear();
    require(limiter_.settle(test_id(n), {&used, 1}, now, &effects_).outcome == Outcome::kDone);
    writer_->settle(test_id(n), row(n, used, now), effects_);
  }
  void flush() { writer_->flush(); }
  void snapshot(TimeNs now) {
    snapshots_->request();
    while (!snapshots_->step(now)) writer_->flush();
    require(snapshots_->error().empty());
  }
  Books books() { return books_of(limiter_); }

 private:
  static UsageRow row(std::uint64_t n, std::int64_t tokens, TimeNs now) {
    UsageRow row;
    row.time = now;
    row.request_id = "req_" + std::to_string(n);
    row.key = "ann";
    row.model = "gpt-4o";
    row.usage = {.input_uncached = tokens};
    row.reserved_tokens = tokens;
    return row;
  }

  Limiter limiter_{kSmall};
  CounterId tokens_ = 0;
  std::vector<Effect> effects_;
  std::unique_ptr<SegmentSequence> sequence_;
  std::unique_ptr<JournalWriter> writer_;
  std::unique_ptr<Snapshotter> snapshots_;
};

// What happened, remembered beside the journal.
class History {
 public:
  History(std::string dir, Disk& disk) : dir_(std::move(dir)), disk_(disk) { restart(); }

  // False: the history is over.
  bool step(Input& input) {
    now_ += kSecond;
    const std::uint32_t what = input.below(10), amount = 1 + input.byte();
    switch (what) {
      case 0:
      case 1:
      case 2:
        process_->admit(next_, amount % kCallers, amount, now_);
        open_[next_++] = {amount % kCallers, amount};
        return true;
      case 3:
      case 4:
        if (auto one = pick(amount); one != open_.end()) {
          process_->settle(one->first, input.byte(), now_);
          open_.erase(one);
        }
        return true;
      case 5:
        if (auto one = pick(amount); one != open_.end()) process_->top_up(one->first, amount, now_);
        return true;
      case 6:
        flush();
        return true;
      case 7:
        if (++snapshots_ <= kMost) process_->snapshot(now_);
        flush();
        return true;
      case 8:
        if (++restarts_ <= kMost) restart();
        return true;
      default:
        flush();
        process_.reset();
        return false;
    }
  }
  void end() {
    if (process_) flush();
    process_.reset();
  }
  const Books& written() const { return written_; }

 private:
  using Open = std::map<std::uint64_t, std::pair<std::uint32_t, std::int64_t>>;
  Open::iterator pick(std::uint32_t amount) {
    return open_.empty() ? open_.end() : std::next(open_.begin(), amount % static_cast<std::uint32_t>(open_.size()));
  }
  void flush() {
    process_->flush();
    written_ = process_->books();
  }
  // The process dies; what it had not written was never acted on.
  void restart() {
    process_.reset();
    process_ = std::make_unique<Process>(dir_, disk_);
    if (!written_.empty()) require(process_->books() == written_);
    written_ = process_->books();
    open_.clear();
  }

  const std::string dir_;
  Disk& disk_;
  std::unique_ptr<Process> process_;
  Open open_;
  Books written_;
  static constexpr int kMost = 3;  // the dear steps
  int restarts_ = 0, snapshots_ = 0;
  std::uint64_t next_ = 1;
  TimeNs now_ = kStart;
};

// --- damage
// -----------------------------------------------------------------------------------------------------------

void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// One whole record with a type and a payload from the input.
std::string hostile_record(Input& input) {
  std::string body(1, static_cast<char>(1 + input.below(9)));
  body += input.text(input.below(300));
  const auto length = static_cast<std::uint32_t>(body.size());
  const std::uint32_t checksum = record_checksum(body);
  std::string out(reinterpret_cast<const char*>(&length), sizeof length);
  out.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  return out + body;
}

// A snapshot with bytes changed and a checksum that fits again.
std::string resealed_snapshot(Input& input, std::string bytes) {
  constexpr std::size_t kHead = 40, kTail = 16;
  if (bytes.size() <= kHead + kTail) return bytes;
  const std::size_t body = bytes.size() - kHead - kTail;
  for (std::uint32_t times = 1 + input.below(4); times > 0; --times) {
    bytes[kHead + input.below(65'536) % body] = static_cast<char>(input.byte());
  }
  XXH3_state_t state{};
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, bytes.data() + kHead, body);
  XXH3_64bits_update(&state, bytes.data(), kHead);
  const std::uint64_t checksum = XXH3_64bits_digest(&state);
  std::memcpy(bytes.data() + bytes.size() - 8, &checksum, sizeof checksum);
  return bytes;
}

// A segment, of which one record has bytes changed and a checksum that fits again.
std::string resealed_record(Input& input, std::string bytes) {
  std::vector<std::size_t> begins;
  std::uint32_t length = 0;
  for (std::size_t at = kSegmentMagic.size(); at + kRecordHeader < bytes.size(); at += kRecordHeader + length) {
    std::memcpy(&length, bytes.data() + at, sizeof length);
    if (length == 0 || length > bytes.size() - at - kRecordHeader) break;
    begins.push_back(at);
  }
  if (begins.empty()) return bytes;
  const std::size_t at = begins[input.below(65'536) % begins.size()];
  std::memcpy(&length, bytes.data() + at, sizeof length);
  for (std::uint32_t times = 1 + input.below(3); times > 0; --times) {
    bytes[at + kRecordHeader + input.below(65'536) % length] = static_cast<char>(input.byte());
  }
  const std::uint32_t checksum = record_checksum({bytes.data() + at + kRecordHeader, length});
  std::memcpy(bytes.data() + at + 4, &checksum, sizeof checksum);
  return bytes;
}

std::string damaged_bytes(Input& input, bool hostile, std::string bytes) {
  const std::size_t at = bytes.empty() ? 0 : input.below(65'536) % bytes.size();
  switch (input.below(hostile ? 8 : 5)) {
    case 0:
      bytes.resize(at);
      return bytes;
    case 1:
      if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << input.below(8)));
      return bytes;
    case 2:
      return bytes.append(input.text(input.byte()));
    case 3:
      return bytes.insert(at, input.text(1 + input.below(16)));
    case 4:
      return bytes.erase(at, 1 + input.below(64));
    case 5:
      return bytes + hostile_record(input);
    default:
      return bytes.starts_with("WEIRSNP1") ? resealed_snapshot(input, bytes) : resealed_record(input, bytes);
  }
}

void damage(Input& input, const std::string& dir, bool hostile) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  if (files.empty()) return write_file(segment_path(dir, 0, 1 + input.below(4)), input.text(input.byte()));
  const std::string& file = files[input.below(static_cast<std::uint32_t>(files.size()))];
  const std::string& other = files[input.below(static_cast<std::uint32_t>(files.size()))];
  switch (input.below(8)) {
    case 0:
      std::filesystem::remove(file);
      break;
    case 1:
      write_file(file, file_bytes(other));
      break;
    case 2:
      write_file(segment_path(dir, input.below(3), 1 + input.below(300)), file_bytes(file));
      break;
    default:
      write_file(file, damaged_bytes(input, hostile, file_bytes(file)));
  }
}

// --- the plain reader
// -------------------------------------------------------------------------------------------------

struct Plain {
  bool refused = false;                  // a whole record that nobody can read
  bool absurd = false;                   // numbers of a row that no writer writes: sums of them overflow
  bool ordinary = true;                  // amounts as limits have them
  Books sums;                            // of the intact records that the snapshot does not have
  std::map<Hash128, std::int64_t> open;  // tokens that the request holds
  std::size_t rows = 0;                  // for the ledger
  std::size_t holds = 0;
};

// Whole records from the beginning of the file on; `torn`: something follows them.
std::vector<std::pair<std::uint8_t, std::string>> whole_records(const std::string& path, bool& torn) {
  std::vector<std::pair<std::uint8_t, std::string>> records;
  const std::string bytes = file_bytes(path);
  std::size_t at = kSegmentMagic.size();
  torn = !bytes.empty() && !bytes.starts_with(kSegmentMagic);
  if (bytes.empty() || torn) return records;
  while (at < bytes.size()) {
    std::uint32_t length = 0, checksum = 0;
    torn = true;
    if (bytes.size() - at < 8) break;
    std::memcpy(&length, bytes.data() + at, 4);
    std::memcpy(&checksum, bytes.data() + at + 4, 4);
    if (length == 0 || length > kMaxRecord || bytes.size() - at - 8 < length) break;
    const std::string body = bytes.substr(at + 8, length);
    if (record_checksum(body) != checksum) break;
    records.emplace_back(static_cast<std::uint8_t>(body[0]), body.substr(1));
    at += 8 + length;
    torn = false;
  }
  return records;
}

// Hostile records may say anything; what overflows is not compared.
std::int64_t sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

bool is_absurd(const Record& record) {
  constexpr std::int64_t kMost = std::int64_t{1} << 53;
  const Usage& usage = record.row.usage;
  for (const std::int64_t number : {usage.input_uncached, usage.cache_read, usage.cache_write, usage.cache_write_1h,
                                    usage.output_visible, usage.reasoning, record.row.usd_micros,
                                    record.row.reserved_tokens, record.extra_tokens, record.extra_usd_micros}) {
    if (number < -kMost || number > kMost) return true;
  }
  return false;
}

void add_effects(const Record& record, std::uint32_t epoch, Plain& plain) {
  constexpr std::int64_t kOrdinary = std::int64_t{1} << 40;
  for (const Effect& effect : record.effects) {
    if (effect.epoch < epoch) continue;
    const bool ours = effect.counter == counter_hash("tokens") && effect.subject.high == 99 &&
                      effect.subject.low >= 1 && effect.subject.low <= kCallers;
    plain.ordinary = plain.ordinary && effect.amount > -kOrdinary && effect.amount < kOrdinary &&
                     (!ours || (effect.period_start == kStart && effect.at >= kStart && effect.at < kForever));
    if (ours && plain.ordinary) plain.sums[static_cast<std::uint32_t>(effect.subject.low - 1)] += effect.amount;
  }
}

Plain read_plainly(const std::string& dir, const SnapshotFile& snapshot) {
  Plain plain;
  std::set<Hash128> early;
  for (const SegmentFile& file : list_segments(dir).value()) {
    bool torn = false;
    for (const auto& [type, payload] : whole_records(file.path, torn)) {
      Record record;
      const bool readable = decode_record(type, payload, record);
      const bool booked = readable && (record.type == RecordType::kSettle || record.type == RecordType::kAudit ||
                                       record.type == RecordType::kSettleHold);
      plain.rows += booked ? 1 : 0;
      if (file.sequence < snapshot.boundary) continue;
      if (!readable) {
        plain.refused = true;
        continue;
      }
      plain.absurd = plain.absurd || is_absurd(record);
      plain.holds += record.type == RecordType::kHold || record.type == RecordType::kCarryHold ||
                             record.type == RecordType::kSettleHold
                         ? 1
                         : 0;
      if (record.type == RecordType::kOpen || record.type == RecordType::kCarry) {
        if (!early.contains(record.id)) plain.open[record.id] = sum(record.row.reserved_tokens, record.extra_tokens);
      } else if (record.type == RecordType::kTopUp && plain.open.contains(record.id)) {
        plain.open[record.id] = sum(plain.open[record.id], record.extra_tokens);
      } else if (record.type == RecordType::kSettle && plain.open.erase(record.id) == 0) {
        early.insert(record.id);
      }
      add_effects(record, snapshot.epoch, plain);
    }
  }
  return plain;
}

std::map<std::string, std::string> contents(const std::string& dir) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) files[entry.path()] = file_bytes(entry.path());
  return files;
}

std::string counters_of(Limiter& limiter) {
  std::string bytes;
  limiter.snapshot([&](std::string_view chunk) { bytes += chunk; });
  return bytes;
}

// --- the checks
// -------------------------------------------------------------------------------------------------------

void check_ledger(const std::string& dir, Disk& disk, const Recovered& recovered, std::size_t rows) {
  TempDir records(memory_directory());
  Store store = Store::open(records.path(), {.create = true, .busy_timeout_ms = 20}).value();
  Drain drain(store, disk, {.journal_dir = dir, .closed_below = recovered.next_sequence, .batch = 7});
  std::size_t booked = 0;
  while (const std::size_t more = drain.step()) booked += more;
  if (!drain.healthy()) return;  // a settlement of another version: the drain waits for it
  require(booked == rows);
  const auto verdict = store.verify_audit();
  require(verdict.has_value() && verdict->intact);
  Drain again(store, disk, {.journal_dir = dir, .closed_below = recovered.next_sequence});
  require(again.step() == 0 && again.healthy());
}

// Every vanished request has one settlement in the segments that recovery wrote, and is charged with what it held.
void check_expired(const std::string& dir, std::uint64_t first, const Plain& plain) {
  std::map<Hash128, std::int64_t> charged;
  for (const SegmentFile& file : list_segments(dir).value()) {
    bool torn = false;
    if (file.sequence < first) continue;
    for (const auto& [type, payload] : whole_records(file.path, torn)) {
      Record record;
      require(decode_record(type, payload, record) && record.type == RecordType::kSettle);
      require(record.row.settled == Settled::kExpired && !charged.contains(record.id));
      charged[record.id] = record.row.usage.total();
    }
    require(!torn);
  }
  require(charged.size() == plain.open.size());
  for (const auto& [id, tokens] : plain.open) require(charged.contains(id) && charged.at(id) >= tokens);
}

void check_recovery(const std::string& dir, Disk& disk, bool ledger, bool hostile, bool damaged, const Books& written) {
  const auto before = contents(dir);
  SnapshotFile snapshot;
  Books base;
  Limiter counters(kSmall);
  const auto snapshots = list_snapshots(dir).value();
  bool usable = true;
  if (!snapshots.empty()) {
    auto read = read_snapshot(snapshots.front().second);
    usable = read && counters.restore(read->body, read->epoch);
    if (usable) snapshot = std::move(*read);
  }
  const bool resealed = hostile && !snapshots.empty();  // its counters may hold anything
  base = books_of(counters);
  const Plain plain = read_plainly(dir, snapshot);
  if (hostile && plain.absurd) return;  // takes a checksum made on purpose

  Limiter looked(kSmall), first(kSmall), second(kSmall);
  const auto seen = inspect(dir, looked);
  require(contents(dir) == before);
  const auto recovered = recover(dir, first, disk);
  require(recovered.has_value() == seen.has_value());
  require(recovered.has_value() == (usable && !plain.refused));
  if (!recovered) {
    require(!recovered.error().message.empty() && recovered.error().message == seen.error().message);
    require(contents(dir) == before);
    return;
  }
  require(seen->effects == recovered->effects && seen->in_flight == recovered->in_flight);
  if (plain.holds == 0) require(recovered->in_flight == plain.open.size());
  if (plain.holds == 0 && !hostile) check_expired(dir, seen->next_sequence, plain);
  const Books charged = books_of(first);
  require(charged == books_of(looked));
  for (std::uint32_t caller = 0; caller < kCallers && plain.ordinary && !resealed; ++caller) {
    const auto sum = plain.sums.find(caller);
    const std::int64_t said = base.at(caller) + (sum == plain.sums.end() ? 0 : sum->second);
    require(charged.at(caller) >= said);
    if (!damaged) require(charged.at(caller) == said && charged.at(caller) == written.at(caller));
  }
  const auto again = recover(dir, second, disk);
  require(again.has_value() && again->in_flight == 0 && again->next_sequence == recovered->next_sequence);
  require(again->holds.size() == recovered->holds.size() && again->closed.size() == recovered->closed.size());
  require(books_of(second) == charged && counters_of(second) == counters_of(looked));
  if (ledger) check_ledger(dir, disk, *again, plain.rows + recovered->in_flight);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 16 << 10) return 0;
  Input input(data, size);
  const std::uint8_t flags = input.byte();
  TempDir dir(memory_directory());
  const std::string journal = dir / "journal";
  FaultyDisk disk;
  History history(journal, disk);
  for (int steps = 0; steps < 50 && !input.empty() && history.step(input); ++steps) {
  }
  history.end();
  bool damaged = false;
  for (int steps = 0; steps < 8 && !input.empty(); ++steps, damaged = true) damage(input, journal, (flags & 2) != 0);
  check_recovery(journal, disk, (flags & 28) == 0, (flags & 2) != 0, damaged, history.written());
  return 0;
}
