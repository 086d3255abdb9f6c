#include "app/trace_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace weir {

Result<std::string> read_trace(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return fail(path + ":1: is a folder, not a trace");
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(path + ":1: cannot be read; check the path");
  std::string text;
  const auto size = std::filesystem::file_size(path, error);
  if (!error && size < kMaxTraceBytes) text.reserve(size + 1);
  std::size_t got = 0;
  do {
    if (got >= kMaxTraceBytes) return fail(path + ":1: is larger than 1 GiB; cut it in parts and name them in order");
    text.resize(std::max<std::size_t>(text.capacity(), got + (64 << 10)));
    file.read(text.data() + got, static_cast<std::streamsize>(text.size() - got));
    got += static_cast<std::size_t>(file.gcount());
  } while (file);
  if (file.bad()) return fail(path + ":1: cannot be read to its end");
  text.resize(got);
  return text;
}

double lines_of(std::string_view text) {
  return 1 + static_cast<double>(std::count(text.begin(), text.end(), '\n'));
}

RecordedKeys keys_of(const StoreChoice& choice, const CommandContext& context) {
  const auto dir = data_directory(choice, context);
  if (!dir) return RecordedKeys(std::unexpected(dir.error()));
  auto store = Store::open(*dir, {.read_only = true});
  return RecordedKeys(store ? store->load_directory() : std::unexpected(store.error()));
}

}  // namespace weir
