// TLS towards providers and upstreams: certificates and host names are always verified.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace weir {

struct SslContextDeleter {
  void operator()(ssl_ctx_st* context) const;
};
struct SslDeleter {
  void operator()(ssl_st* ssl) const;
};
using SslContext = std::unique_ptr<ssl_ctx_st, SslContextDeleter>;
using Ssl = std::unique_ptr<ssl_st, SslDeleter>;

// Client contexts by CA file; one per worker.
class TlsClients {
 public:
  // A TLS session for a connected socket, ready for its handshake. An unreadable CA file is an error.
  Result<Ssl> session(const std::string& ca_file, const std::string& host, int fd);

 private:
  Result<ssl_ctx_st*> context(const std::string& ca_file);
  std::map<std::string, SslContext> contexts_;
};

// The reason of the last OpenSSL error of this thread, in words; clears the queue.
std::string tls_error(const ssl_st* ssl);

}  // namespace weir
