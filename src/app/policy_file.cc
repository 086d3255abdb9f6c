#include "app/policy_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "app/policy_source.h"

namespace weir {

Result<std::string> read_policy_text(const std::string& path) {
  std::string text;
  if (path.empty()) return text;
  if (std::error_code error; std::filesystem::is_directory(path, error)) return fail(path + " is a folder, not a file");
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail("cannot read " + path + "; check the path given with -c");
  text.assign(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) return fail("cannot read " + path);
  return text;
}

Result<LoadedPolicy> load_policy_file(const std::string& path) {
  const Result<std::string> text = read_policy_text(path);
  if (!text) return std::unexpected(text.error());
  return load_policy(*text, path.empty() ? "built-in policy" : path, process_environment());
}

Result<std::shared_ptr<const Policy>> load_usable_policy(const std::string& path) {
  const auto loaded = load_policy_file(path);
  if (!loaded) return std::unexpected(loaded.error());
  if (loaded->policy) return loaded->policy;
  const auto first = std::find_if(loaded->diagnostics.begin(), loaded->diagnostics.end(),
                                  [](const Diagnostic& diagnostic) { return diagnostic.error; });
  return fail(to_string(*first) + "; `weir check` lists everything");
}

void print_diagnostics(const LoadedPolicy& loaded) {
  for (const Diagnostic& diagnostic : loaded.diagnostics) std::cerr << to_string(diagnostic) << "\n";
}

std::optional<ListenerTls> load_listener_tls(const Policy& policy, const std::string& file, TimeNs now) {
  bool good = true;
  const auto load = [&](const TlsFiles& files) -> std::shared_ptr<const ServerTls> {
    if (!files.on()) return nullptr;
    const auto say = [&](bool error, const std::string& message) {
      std::cerr << to_string(Diagnostic{error, file, files.line, files.column, message}) << "\n";
    };
    const auto loaded = ServerTls::load(files.cert, files.key, now);
    if (!loaded) {
      say(true, loaded.error().message);
      good = false;
      return nullptr;
    }
    for (const std::string& warning : loaded->warnings) say(false, warning);
    return loaded->tls;
  };
  ListenerTls out{.data = load(policy.tls), .admin = nullptr};
  const bool shared = policy.admin_tls.cert == policy.tls.cert && policy.admin_tls.key == policy.tls.key;
  out.admin = shared ? out.data : load(policy.admin_tls);
  return good ? std::optional(out) : std::nullopt;
}

std::vector<std::string> keep_what_needs_a_restart(const Policy& old, Policy& fresh) {
  std::vector<std::string> names;
  const auto keep = [&](const char* name, const auto& before, auto& after, bool same) {
    if (!same) names.emplace_back(name);
    after = before;
  };
  const auto same = [](const Endpoint& a, const Endpoint& b) { return a.host == b.host && a.port == b.port; };
  keep("listen", old.listen, fresh.listen, same(old.listen, fresh.listen));
  keep("admin.listen", old.admin, fresh.admin, same(old.admin, fresh.admin));
  // A listener does not change its language under those who know its address; other files are taken at once.
  const auto keep_tls = [&](const char* name, const TlsFiles& before, TlsFiles& after) {
    if (before.on() != after.on()) keep(name, before, after, false);
  };
  keep_tls("tls", old.tls, fresh.tls);
  keep_tls("admin.tls", old.admin_tls, fresh.admin_tls);
  const bool same_token =
      old.admin_token.empty() ? fresh.admin_token.empty() : fresh.admin_token.matches(old.admin_token.reveal());
  keep("admin.token", old.admin_token, fresh.admin_token, same_token);
  keep("data", old.data, fresh.data, true);  // --data may have replaced it
  keep("workers", old.workers, fresh.workers, old.workers == fresh.workers);
  keep("durability", old.strict_durability, fresh.strict_durability, old.strict_durability == fresh.strict_durability);
  return names;
}

void log_event(LogLevel level, TimeNs at, std::string_view message, std::initializer_list<LogField> fields) {
  static const Log log(LogLevel::kInfo, log_format_of_stderr(), write_to_stderr);
  log.write(level, at, message, fields);
}

}  // namespace weir
