#include "net/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace weir {
namespace {

constexpr int kBacklog = 4096;

int bind_socket(const addrinfo& address, bool reuse_port) {
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (reuse_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(fd, address.ai_addr, address.ai_addrlen) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  return ntohs(bound.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(bound).sin_port
                                          : reinterpret_cast<sockaddr_in6&>(bound).sin6_port);
}

}  // namespace

Result<int> open_listener(const Endpoint& at, std::uint16_t& bound_port, bool first) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* raw = nullptr;
  const std::string where = at.host + ":" + std::to_string(at.port);
  if (const int error = getaddrinfo(at.host.c_str(), std::to_string(at.port).c_str(), &hints, &raw); error != 0) {
    return fail("cannot listen on " + where + ": " + gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(raw, freeaddrinfo);
  const auto failed = [&] {
    return fail("cannot listen on " + where + ": " + std::strerror(errno) +
                (errno == EADDRINUSE ? "; stop what listens there or choose another address with `listen:`" : ""));
  };
  if (first && at.port != 0) {  // SO_REUSEPORT would let two servers share a port without noticing
    const int probe = bind_socket(*list, false);
    if (probe < 0) return failed();
    ::close(probe);
  }
  const int fd = bind_socket(*list, true);
  if (fd < 0) return failed();
  if (::listen(fd, kBacklog) != 0) {
    const int error = errno;
    ::close(fd);
    errno = error;
    return failed();
  }
  bound_port = port_of(fd);
  return fd;
}

}  // namespace weir
