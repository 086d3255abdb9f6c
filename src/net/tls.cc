#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>

namespace weir {

void SslContextDeleter::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}
void SslDeleter::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}

Result<ssl_ctx_st*> TlsClients::context(const std::string& ca_file) {
  if (const auto found = contexts_.find(ca_file); found != contexts_.end()) return found->second.get();
  SslContext made(SSL_CTX_new(TLS_client_method()));
  if (!made) return fail("TLS cannot be initialised: " + tls_error(nullptr));
  SSL_CTX_set_min_proto_version(made.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(made.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  const int loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(made.get())
                                     : SSL_CTX_load_verify_locations(made.get(), ca_file.c_str(), nullptr);
  if (loaded != 1) return fail("CA file " + ca_file + " cannot be read: " + tls_error(nullptr));
  return contexts_.emplace(ca_file, std::move(made)).first->second.get();
}

Result<Ssl> TlsClients::session(const std::string& ca_file, const std::string& host, int fd) {
  const Result<ssl_ctx_st*> found = context(ca_file);
  if (!found) return std::unexpected(found.error());
  Ssl ssl(SSL_new(*found));
  if (!ssl) return fail("TLS session cannot be made: " + tls_error(nullptr));
  std::array<unsigned char, 16> address{};
  const bool is_address =
      inet_pton(AF_INET, host.c_str(), address.data()) == 1 || inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
  if (is_address) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host.c_str());
  } else {
    SSL_set1_host(ssl.get(), host.c_str());
    SSL_set_tlsext_host_name(ssl.get(), host.c_str());
  }
  if (SSL_set_fd(ssl.get(), fd) != 1) return fail("TLS session cannot be made: " + tls_error(nullptr));
  SSL_set_connect_state(ssl.get());
  return ssl;
}

std::string tls_error(const ssl_st* ssl) {
  if (ssl != nullptr) {
    if (const long verify = SSL_get_verify_result(ssl); verify != X509_V_OK) {
      ERR_clear_error();
      return std::string("certificate: ") + X509_verify_cert_error_string(verify);
    }
  }
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "the connection broke off";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown TLS error";
}

}  // namespace weir
