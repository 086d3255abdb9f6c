#include "net/resolver.h"

#include <netdb.h>

#include <cstring>

#include "net/thread_name.h"

namespace weir {
namespace {

Resolver::Answer look_up(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error != 0) return fail(gai_strerror(error));
  std::vector<SocketAddress> out;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    SocketAddress address;
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    address.size = at->ai_addrlen;
    out.push_back(address);
  }
  freeaddrinfo(list);
  return out;
}

}  // namespace

Resolver::Resolver() : thread_([this] { run(); }) {}

Resolver::~Resolver() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::unique_ptr<Resolver::Answer> Resolver::resolve(const std::string& host, std::uint16_t port, Loop& loop,
                                                    Callback callback) {
  if (Answer literal = look_up(host, port, AI_NUMERICHOST)) return std::make_unique<Answer>(std::move(literal));
  const MutexLock lock(mutex_);
  if (const auto found = cache_.find({host, port}); found != cache_.end() && found->second.first > loop.now()) {
    return std::make_unique<Answer>(found->second.second);
  }
  jobs_.push_back({host, port, &loop, std::move(callback)});
  wake_.notify_one();
  return nullptr;
}

std::optional<Resolver::Job> Resolver::next() {
  const MutexLock lock(mutex_);
  while (!stopping_ && jobs_.empty()) wake_.wait(mutex_);
  if (stopping_) return std::nullopt;
  Job job = std::move(jobs_.front());
  jobs_.pop_front();
  return job;
}

void Resolver::run() {
  name_thread("weir-resolver");
  while (const std::optional<Job> job = next()) {
    Answer answer = look_up(job->host, job->port, AI_ADDRCONFIG);
    job->loop->post([this, job = *job, answer = std::move(answer)] {
      if (answer) {
        const MutexLock guard(mutex_);
        if (cache_.size() >= kMaxCached) cache_.clear();
        cache_[{job.host, job.port}] = {job.loop->now() + kCacheFor, *answer};
      }
      job.callback(answer);
    });
  }
}

}  // namespace weir
