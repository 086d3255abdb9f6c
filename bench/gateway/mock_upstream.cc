// mock_upstream PORT: the fastest upstream the gateway benchmark can have. One thread, epoll, HTTP/1.1 keep-alive;
// every request (Content-Length or none) is answered with the same OpenAI chat completion with usage: as a stream where
// the body says `"stream":true`, with a tool call where it declares `"tools"`. For loopback only: it trusts its caller
// and reads no more of HTTP than it needs.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

constexpr std::string_view kBody =
    R"({"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench-small","choices":[{"index":0,)"
    R"("message":{"role":"assistant","content":"A weir is a low wall across a river that measures the flow and limits )"
    R"(it. It raises the water a little, and what passes over its crest can be measured from the height alone.",)"
    R"("refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":230,"completion_tokens":41,)"
    R"("total_tokens":271,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}})";

constexpr std::string_view kCallBody =
    R"({"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench-small","choices":[{"index":0,)"
    R"("message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_bench","type":"function","function":)"
    R"({"name":"tool_3","arguments":"{\"query\":\"height of the crest\",\"limit\":5}"}}],"refusal":null},"logprobs":null,)"
    R"("finish_reason":"tool_calls"}],"usage":{"prompt_tokens":4230,"completion_tokens":41,"total_tokens":4271,)"
    R"("prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}})";

std::string event(std::string_view delta, std::string_view finish) {
  std::string out =
      R"(data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench-small",)"
      R"("choices":[{"index":0,"delta":{)";
  out.append(delta).append(R"(},"logprobs":null,"finish_reason":)").append(finish).append("}],\"usage\":null}\n\n");
  return out;
}

std::string stream_end(std::string_view finish) {
  return event("", finish) +
         R"(data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench-small",)"
         R"("choices":[],"usage":{"prompt_tokens":230,"completion_tokens":41,"total_tokens":271}})"
         "\n\ndata: [DONE]\n\n";
}

std::string text_stream() {
  constexpr int kEvents = 40;
  std::string out = event(R"("role":"assistant","content":"")", "null");
  for (int i = 0; i < kEvents; ++i) out += event(R"("content":" river")", "null");
  return out + stream_end(R"("stop")");
}

std::string call_stream() {
  constexpr int kPieces = 10;
  constexpr std::string_view kArguments = R"("tool_calls":[{"index":0,"function":{"arguments":")";
  std::string out = event(R"("role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_bench",)"
                          R"("type":"function","function":{"name":"tool_3","arguments":""}}])",
                          "null");
  out += event(std::string(kArguments) + R"({\"query\":\""}}])", "null");
  for (int i = 0; i < kPieces; ++i) out += event(std::string(kArguments) + R"( crest"}}])", "null");
  out += event(std::string(kArguments) + R"(\"}"}}])", "null");
  return out + stream_end(R"("tool_calls")");
}

std::string whole(std::string_view type, std::string_view body) {
  std::string out = "HTTP/1.1 200 OK\r\nContent-Type: ";
  out.append(type).append("\r\nContent-Length: ").append(std::to_string(body.size()));
  return out.append("\r\nx-request-id: req_bench\r\n\r\n").append(body);
}

struct Answers {
  const std::string json = whole("application/json", kBody);
  const std::string json_call = whole("application/json", kCallBody);
  const std::string stream = whole("text/event-stream", text_stream());
  const std::string stream_call = whole("text/event-stream", call_stream());

  const std::string& to(std::string_view request) const {
    const bool tools = request.find("\"tools\":") != std::string_view::npos;
    if (request.find("\"stream\":true") == std::string_view::npos) return tools ? json_call : json;
    return tools ? stream_call : stream;
  }
};

struct Connection {
  std::string in;
  std::string out;
};

// Length of the first whole request in `bytes`, or 0 while it is incomplete.
std::size_t request_length(std::string_view bytes) {
  const std::size_t head = bytes.find("\r\n\r\n");
  if (head == std::string_view::npos) return 0;
  std::size_t body = 0;
  for (const std::string_view name : {"\r\nContent-Length:", "\r\ncontent-length:"}) {
    const std::size_t at = bytes.substr(0, head + 2).find(name);
    if (at != std::string_view::npos) body = std::strtoul(bytes.data() + at + name.size(), nullptr, 10);
  }
  const std::size_t length = head + 4 + body;
  return bytes.size() >= length ? length : 0;
}

// False when the connection is over.
bool serve(int fd, Connection& connection, const Answers& answers) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got == 0 || (got < 0 && errno != EAGAIN)) return false;
  if (got < 0) return true;
  connection.in.append(buffer.data(), static_cast<std::size_t>(got));
  std::size_t used = 0;
  while (const std::size_t length = request_length(std::string_view(connection.in).substr(used))) {
    connection.out += answers.to(std::string_view(connection.in).substr(used, length));
    used += length;
  }
  connection.in.erase(0, used);
  while (!connection.out.empty()) {
    const ssize_t sent = ::write(fd, connection.out.data(), connection.out.size());
    if (sent < 0)
      return errno == EAGAIN;  // the next readable event sends the rest: answers are far below a socket buffer
    connection.out.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

int listen_on(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, 1024) != 0) {
    std::perror("mock_upstream");
    std::exit(2);
  }
  return fd;
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: mock_upstream PORT\n");
    return 2;
  }
  const Answers answers;
  const int listener = listen_on(static_cast<std::uint16_t>(std::strtoul(argv[1], nullptr, 10)));
  const int epoll = ::epoll_create1(0);
  watch(epoll, listener);
  std::unordered_map<int, Connection> connections;
  std::array<epoll_event, 256> events;
  for (;;) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        for (int made = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK); made >= 0;
             made = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) {
          const int on = 1;
          ::setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          watch(epoll, made);
          connections.emplace(made, Connection{});
        }
      } else if (!serve(fd, connections[fd], answers)) {
        ::close(fd);
        connections.erase(fd);
      }
    }
  }
}
