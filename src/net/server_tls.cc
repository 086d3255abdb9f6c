#include "net/server_tls.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <string_view>

namespace weir {
namespace {

constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";  // of TLS 1.2; all of 1.3 are as good
constexpr std::string_view kHttp11 = "\x08http/1.1";

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

// The text of a file, wiped when it goes.
struct Pem {
  std::string text;
  Pem() = default;
  Pem(Pem&& other) noexcept : text(std::move(other.text)) {}
  ~Pem() { OPENSSL_cleanse(text.data(), text.size()); }
  std::unique_ptr<BIO, Free> bio() const {
    return std::unique_ptr<BIO, Free>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  }
};

std::string shown(const char* what, const std::string& file) {
  return std::string(what) + " `" + file + "`";
}

// What is checked is what is read: the mode is that of the open file.
Result<Pem> read_pem(const char* what, const std::string& file, bool secret) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const bool denied = errno == EACCES;
    return fail(shown(what, file) + " cannot be read: " + std::strerror(errno) +
                (denied ? "; let the user that runs weir read it, by group and `chmod 640`" : "; check the path"));
  }
  const auto closed = [fd](std::string message) {
    ::close(fd);
    return fail(std::move(message));
  };
  struct stat info{};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return closed(shown(what, file) + " is not a file");
  if (secret && (info.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return closed(shown(what, file) + " can be read or written by every user of this machine; `chmod 600 " + file +
                  "` (or 640 with a group of its own)");
  }
  if (info.st_size > static_cast<off_t>(ServerTls::kMaxPemBytes)) return closed(shown(what, file) + " is above 1 MiB");
  Pem out;
  out.text.resize(static_cast<std::size_t>(info.st_size));
  std::size_t have = 0;
  while (have < out.text.size()) {
    const ssize_t n = ::read(fd, out.text.data() + have, out.text.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return closed(shown(what, file) + " cannot be read: " + std::strerror(errno));
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  ::close(fd);
  out.text.resize(have);
  return out;
}

// Nobody is there to type one.
int no_password(char*, int, int, void*) {
  return -1;
}

Result<void> use_certificates(ssl_ctx_st* context, const std::string& file, std::unique_ptr<X509, Free>& leaf) {
  const Result<Pem> pem = read_pem("certificate", file, false);
  if (!pem) return std::unexpected(pem.error());
  const auto bio = pem->bio();
  ERR_clear_error();
  leaf.reset(PEM_read_bio_X509_AUX(bio.get(), nullptr, no_password, nullptr));
  if (!leaf) {
    ERR_clear_error();
    return fail(shown("certificate", file) + " holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  }
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return fail(shown("certificate", file) + " cannot be used: " + tls_error(nullptr));
  }
  for (int i = 1;; ++i) {
    std::unique_ptr<X509, Free> next(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
    if (!next) break;
    if (i >= ServerTls::kMaxChain) return fail(shown("certificate", file) + " holds more than 20 certificates");
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) {
      return fail(shown("certificate", file) + " has a chain that cannot be used: " + tls_error(nullptr));
    }
  }
  const bool clean = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;  // the end of the file
  ERR_clear_error();
  if (!clean) return fail(shown("certificate", file) + " has a certificate in its chain that is damaged");
  return {};
}

Result<void> use_key(ssl_ctx_st* context, const std::string& file, const std::string& cert_file) {
  const Result<Pem> pem = read_pem("key", file, true);
  if (!pem) return std::unexpected(pem.error());
  const auto bio = pem->bio();
  ERR_clear_error();
  const std::unique_ptr<EVP_PKEY, Free> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) {
    ERR_clear_error();
    const bool locked = pem->text.find("ENCRYPTED") != std::string::npos;
    return fail(shown("key", file) + (locked ? " is locked with a password; give weir one without: `openssl pkey -in " +
                                                   file + " -out plain.key`"
                                             : " holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)"));
  }
  // Type and parameters may differ already here, so one message for all.
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return fail(shown("key", file) + " does not belong to the certificate in `" + cert_file +
                "`; name the pair that was issued together");
  }
  return {};
}

std::vector<std::string> judge_dates(const X509& leaf, const std::string& file, TimeNs now) {
  std::time_t seconds = now / kSecond;
  std::vector<std::string> out;
  if (X509_cmp_time(X509_get0_notAfter(&leaf), &seconds) < 0) {
    out.push_back(shown("certificate", file) + " has expired: clients will refuse it; renew it and reload");
  } else if (X509_cmp_time(X509_get0_notBefore(&leaf), &seconds) > 0) {
    out.push_back(shown("certificate", file) + " is not valid yet: clients will refuse it; check the clock");
  }
  return out;
}

// RFC 7301: a client that names protocols and not ours is told so instead of being answered in one it cannot read.
int choose_protocol(ssl_st*, const unsigned char** out, unsigned char* out_length, const unsigned char* offered,
                    unsigned offered_length, void*) {
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_length, reinterpret_cast<const unsigned char*>(kHttp11.data()),
                                          static_cast<unsigned>(kHttp11.size()), offered, offered_length);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<ServerTls::Loaded> ServerTls::load(const std::string& cert_file, const std::string& key_file, TimeNs now) {
  SslContext context(SSL_CTX_new(TLS_server_method()));
  if (!context) return fail("TLS cannot be initialised: " + tls_error(nullptr));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  if (SSL_CTX_set_cipher_list(context.get(), kCiphers) != 1) {
    return fail("TLS cannot be initialised: " + tls_error(nullptr));
  }
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                         SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // tickets resume sessions, memory does not
  SSL_CTX_set_num_tickets(context.get(), 1);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  std::unique_ptr<X509, Free> leaf;
  if (auto used = use_certificates(context.get(), cert_file, leaf); !used) return std::unexpected(used.error());
  if (auto used = use_key(context.get(), key_file, cert_file); !used) return std::unexpected(used.error());
  Loaded out;
  out.warnings = judge_dates(*leaf, cert_file, now);
  out.tls = std::shared_ptr<const ServerTls>(new ServerTls(std::move(context)));
  return out;
}

Ssl ServerTls::session(int fd) const {
  Ssl ssl(SSL_new(context_.get()));
  if (!ssl || SSL_set_fd(ssl.get(), fd) != 1) return nullptr;
  SSL_set_accept_state(ssl.get());
  return ssl;
}

}  // namespace weir
