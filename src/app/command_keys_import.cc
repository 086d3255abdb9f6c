#include "app/command_keys_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "admin/body.h"
#include "app/trace_file.h"
#include "base/strings.h"

namespace weir {
namespace {

constexpr std::size_t kMaxLine = std::size_t{64} << 10;

struct Import {
  std::vector<NewConsumer> consumers;
  std::vector<std::string> keys;  // of each; empty until it is made
  std::size_t revoked = 0;
};

// The members that `keys create` takes as options.
Result<KeysCreateOptions> options_of(const AdminBody& line) {
  KeysCreateOptions out;
  const std::pair<const char*, std::string*> texts[] = {
      {"name", &out.name}, {"tenant", &out.tenant}, {"user", &out.user}, {"tier", &out.tier}, {"kind", &out.kind}};
  for (const auto& [name, member] : texts) {
    auto text = line.text(name);
    if (!text) return std::unexpected(text.error());
    if (*text) *member = std::move(**text);
  }
  if (auto metadata = line.json("metadata"); metadata && *metadata != "null") out.metadata = std::move(*metadata);
  return out;
}

Result<void> take(std::string_view text, Import& import, TimeNs now) {
  const auto line =
      AdminBody::read(text, {"key", "name", "tenant", "user", "tier", "kind", "status", "metadata", "created_at"});
  if (!line) return std::unexpected(line.error());
  const auto status = line->text("status");
  if (!status) return std::unexpected(status.error());
  if (*status == "revoked") {
    ++import.revoked;
    return {};
  }
  if (*status && **status != "active") return fail("`status` is active or revoked");
  const auto options = options_of(*line);
  if (!options) return std::unexpected(options.error());
  auto consumer = consumer_from(*options, now);
  if (!consumer) return std::unexpected(consumer.error());
  auto key = line->text("key");
  if (!key) return std::unexpected(key.error());
  if (*key && !is_well_formed_key(**key)) return fail("`key` is no key of Weir; leave it out and a new one is made");
  import.consumers.push_back({.consumer = std::move(*consumer), .hash = {}});
  import.keys.push_back(key->value_or(""));
  return {};
}

// An error is "FILE:LINE: what is wrong".
Result<Import> read_import(const KeysImportOptions& options, const std::string& data, std::string_view text,
                           Store& store, TimeNs now) {
  const std::string& file = options.file;
  std::unordered_map<std::string, std::size_t> names;  // and the line; 0: of the store
  const auto known = store.list_consumers();
  if (!known) return std::unexpected(known.error());
  for (const Consumer& consumer : *known) names.emplace(consumer.name, 0);
  const auto policy = known_policy(options.store, data);
  if (!policy) return std::unexpected(policy.error());
  Import import;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = trim(text.substr(at, end - at));
    at = end + 1;
    ++number;
    if (line.empty()) continue;
    const auto fault = [&](const std::string& what) { return fail(fmt::format("{}:{}: {}", file, number, what)); };
    if (line.size() > kMaxLine) return fault("is longer than 64 KiB");
    const std::size_t before = import.consumers.size();
    if (const auto taken = take(line, import, now); !taken) return fault(taken.error().message);
    if (import.consumers.size() == before) continue;
    if (import.consumers.size() > kMaxImport) return fault(fmt::format("more than {} consumers at once", kMaxImport));
    const Consumer& consumer = import.consumers.back().consumer;
    const std::string& name = consumer.name;
    if (const auto fits = check_fits(policy->get(), consumer); !fits) return fault(fits.error().message);
    if (const auto [other, added] = names.emplace(name, number); !added) {
      return other->second == 0 ? fault("the name " + name + " is taken; take the line out, or `weir keys update` it")
                                : fault(fmt::format("the name {} is in line {} too", name, other->second));
    }
  }
  if (import.consumers.empty())
    return fail(file + ":1: has no consumers; a line is {\"name\":\"ann\",\"tier\":\"pro\"}");
  return import;
}

void print_import(const Import& import, const KeysImportOptions& options, const CommandContext& context) {
  std::ostream& out = output(context);
  if (options.json) {
    for (std::size_t i = 0; i < import.keys.size(); ++i) {
      out << consumer_json(import.consumers[i].consumer, import.keys[i]) << '\n';
    }
    return;
  }
  TextTable table({{"NAME"}, {"KEY"}});
  for (std::size_t i = 0; i < import.keys.size(); ++i) table.add({import.consumers[i].consumer.name, import.keys[i]});
  table.print(out);
  out << "\nImported " << import.keys.size() << ". Keep the keys: they are shown only this once.\n";
}

}  // namespace

int run_keys_import(const KeysImportOptions& options, const CommandContext& context) {
  std::ostream& err = errors(context);
  const auto text = read_trace(options.file);
  if (!text) return could_not(context, text.error());
  const auto dir = data_directory(options.store, context);
  if (!dir) return could_not(context, dir.error());
  auto store = Store::open(*dir, {.create = true});
  if (!store) return could_not(context, store.error());
  const auto secrets = load_or_create_secrets(*dir, context.entropy);
  if (!secrets) return could_not(context, secrets.error());
  auto import = read_import(options, *dir, *text, *store, context.now());
  if (!import) return report(err, kExitNo, import.error().message + "; nothing was imported");
  const KeyHasher hasher(secrets->key_hash);
  for (std::size_t i = 0; i < import->keys.size(); ++i) {
    std::string& key = import->keys[i];
    if (key.empty()) {
      std::array<unsigned char, 24> random{};
      if (!context.entropy(random)) return report(err, kExitCouldNotRun, "the system gives no random bytes; try again");
      key = make_key(random);
    }
    import->consumers[i].hash = hasher.hash(key);
  }
  if (const auto stored = store->create_consumers(import->consumers, {.at = context.now(), .by = "cli"}); !stored) {
    return report(err, kExitCouldNotRun, stored.error().message + "; nothing was imported");
  }
  if (import->revoked > 0) err << "weir: left out " << import->revoked << " that are revoked\n";
  print_import(*import, options, context);
  return kExitDone;
}

}  // namespace weir
