#include "net/http_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace weir {
namespace {

// Reads one request per connection and answers with the next of `answers`, then ends the connection; an empty answer:
// says nothing until the client leaves.
class OneShotServer {
 public:
  explicit OneShotServer(std::vector<std::string> answers) : answers_(std::move(answers)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::listen(fd_, 8), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~OneShotServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::string url(std::string_view path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port) + std::string(path);
  }

  int port = 0;
  std::string seen;  // of the last request; read it after its answer came

 private:
  void run() {
    for (const std::string& answer : answers_) {
      const int client = ::accept(fd_, nullptr, nullptr);
      if (client < 0) return;
      std::string request;
      char buffer[4096];
      while (!whole(request)) {
        const ssize_t got = ::recv(client, buffer, sizeof buffer, 0);
        if (got <= 0) break;
        request.append(buffer, static_cast<std::size_t>(got));
      }
      seen = request;
      if (answer.empty()) {
        while (::recv(client, buffer, sizeof buffer, 0) > 0) continue;
      } else {
        ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
      }
      ::close(client);
    }
  }
  static bool whole(const std::string& request) {
    const std::size_t head = request.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    const std::size_t length = request.find("Content-Length: ");
    return length == std::string::npos || request.size() >= head + 4 + std::stoul(request.substr(length + 16));
  }

  std::vector<std::string> answers_;
  int fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
  std::thread thread_;
};

TEST(HttpClient, SendsWhatItIsToldAndReadsTheAnswer) {
  OneShotServer server(
      {"HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n"
       "HTTP/1.1 429 Too Many\r\nRetry-After:  7 \r\nContent-Length: 4\r\n\r\nslow"});
  HttpClient client;
  const auto answer = client.send(
      {.method = "POST", .url = server.url("/hook?a=1"), .headers = {{"X-Sign", "abc"}}, .body = R"({"a":1})"});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 429);
  EXPECT_EQ(answer->header("retry-after"), "7");
  EXPECT_EQ(answer->header("x-interim"), "") << "an interim answer's fields are not the answer's";
  EXPECT_EQ(answer->body, "slow");
  EXPECT_FALSE(answer->cut);
  EXPECT_TRUE(server.seen.starts_with("POST /hook?a=1 HTTP/1.1\r\n")) << server.seen;
  EXPECT_NE(server.seen.find("X-Sign: abc\r\n"), std::string::npos);
  EXPECT_TRUE(server.seen.ends_with("\r\n\r\n{\"a\":1}"));
}

TEST(HttpClient, FollowsNoRedirect) {
  OneShotServer server({"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"});
  EXPECT_EQ(HttpClient().send({.url = server.url()})->status, 302);
}

TEST(HttpClient, WaitsNoLongerThanItsDeadline) {
  OneShotServer server({""});
  const auto answer = HttpClient().send({.url = server.url(), .deadline_ms = 50});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "no answer within 50 ms");
}

TEST(HttpClient, ReadsNoMoreThanItsBounds) {
  const std::string most(kMaxAnswerBody, 'x');
  OneShotServer server({"HTTP/1.1 200 OK\r\n\r\n0123456789", "HTTP/1.1 200 OK\r\n\r\n" + most,
                        "HTTP/1.1 200 OK\r\n\r\n" + most + "y",
                        "HTTP/1.1 200 OK\r\nX: " + std::string(kMaxAnswerHead, 'x') + "\r\n\r\n"});
  HttpClient client;
  const auto cut = client.send({.url = server.url(), .max_body = 4});
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->body, "0123");
  EXPECT_TRUE(cut->cut);
  EXPECT_EQ(cut->status, 200);
  EXPECT_FALSE(client.send({.url = server.url()})->cut);
  const auto beyond = client.send({.url = server.url(), .max_body = 2 * kMaxAnswerBody});
  EXPECT_TRUE(beyond->cut);
  EXPECT_EQ(beyond->body.size(), kMaxAnswerBody);
  EXPECT_FALSE(client.send({.url = server.url()})) << "a head beyond its bound";
}

TEST(HttpClient, RefusesWhatIsNoPlainHttpRequest) {
  HttpClient client;
  for (const std::string url :
       {"file:///etc/passwd", "gopher://127.0.0.1/", "not a url", "http://127.0.0.1:1/\r\nX: y"}) {
    EXPECT_FALSE(client.send({.url = url, .deadline_ms = 500})) << url;
  }
  EXPECT_FALSE(client.send({.url = "http://127.0.0.1:1/", .headers = {{"A", "b\r\nC: d"}}, .deadline_ms = 500}));
  const auto refused = client.send({.url = "http://127.0.0.1:1/", .deadline_ms = 500});
  ASSERT_FALSE(refused);
  EXPECT_FALSE(refused.error().message.empty());
}

}  // namespace
}  // namespace weir
