// idle_connections PORT COUNT: opens COUNT keep-alive connections, makes one request on each (GET /healthz), prints
// "ready COUNT" and holds them until its standard input ends.
#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

int open_connection(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return -1;
  constexpr std::string_view kRequest = "GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n";
  if (::write(fd, kRequest.data(), kRequest.size()) < 0) return -1;
  std::array<char, 4096> answer;
  return ::read(fd, answer.data(), answer.size()) > 12 ? fd : -1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: idle_connections PORT COUNT\n");
    return 2;
  }
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const auto port = static_cast<std::uint16_t>(std::strtoul(argv[1], nullptr, 10));
  const std::size_t count = std::strtoul(argv[2], nullptr, 10);
  std::vector<int> connections;
  for (std::size_t i = 0; i < count; ++i) {
    const int fd = open_connection(port);
    if (fd < 0) {
      std::perror("idle_connections");
      break;
    }
    connections.push_back(fd);
  }
  std::printf("ready %zu\n", connections.size());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return connections.size() == count ? 0 : 1;
}
