// The store's secrets: `<data>/secret`, 0600, made once and never changed.
//
//   Result<Secrets> secrets = load_or_create_secrets("weir-data", entropy);
//   KeyHasher hasher(secrets->key_hash);
//
// Thread-safe, also between processes: whoever comes second reads what the first one made.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "base/result.h"
#include "weir/subject.h"

namespace weir {

// Fills the span with random bytes from the system; false if it cannot.
using Entropy = std::function<bool(std::span<unsigned char>)>;

struct Secrets {
  SubjectSecret subjects{};
  std::string key_hash;  // 32 bytes
};

// Creates the directory (0700) and the file if they are missing.
Result<Secrets> load_or_create_secrets(const std::string& dir, const Entropy& entropy);
// An error if there is none.
Result<Secrets> load_secrets(const std::string& dir);
// Says where it looked, in full, and what to do.
std::unexpected<Error> no_store(const std::string& dir);

}  // namespace weir
