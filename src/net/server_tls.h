// TLS of a listener: its certificate and key, read from files once and then immutable.
//
//   Result<ServerTls::Loaded> loaded = ServerTls::load("cert.pem", "key.pem", now);
//   for (const std::string& warning : loaded->warnings) …
//   Ssl ssl = loaded->tls->session(fd);              // for an accepted socket; its handshake is still to be done
//
// TLS 1.2 with forward secrecy and AEAD, and 1.3; http/1.1 only; no renegotiation, no compression, no early data, no
// client certificates. Sessions resume by ticket; the ticket keys live as long as this object. Shared by all workers,
// thread-safe. A file of more than kMaxPemBytes is refused.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/tls.h"

namespace weir {

class ServerTls {
 public:
  static constexpr std::size_t kMaxPemBytes = 1 << 20;
  static constexpr int kMaxChain = 20;  // certificates in the file

  struct Loaded {
    std::shared_ptr<const ServerTls> tls;
    std::vector<std::string> warnings;  // what works, but not for clients that check
  };
  // The error names the file and what to do.
  static Result<Loaded> load(const std::string& cert_file, const std::string& key_file, TimeNs now);

  // Null if there is no memory for it.
  Ssl session(int fd) const;

 private:
  explicit ServerTls(SslContext context) : context_(std::move(context)) {}
  SslContext context_;
};

}  // namespace weir
