#include "net/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace weir {
namespace {

bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

struct Reading {
  HttpResponse answer;
  std::size_t head = 0, max_body = 0;
};

std::size_t take_header(char* data, std::size_t, std::size_t count, void* user) {
  auto& reading = *static_cast<Reading*>(user);
  std::string_view line(data, count);
  reading.head += count;
  if (reading.head > kMaxAnswerHead) return 0;
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) reading.answer.headers.clear();  // an interim answer came before
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return count;
  reading.answer.headers.emplace_back(to_lower(line.substr(0, colon)), std::string(trim(line.substr(colon + 1))));
  return count;
}

std::size_t take_body(char* data, std::size_t, std::size_t count, void* user) {
  auto& reading = *static_cast<Reading*>(user);
  const std::size_t room = reading.max_body - reading.answer.body.size();
  reading.answer.body.append(data, std::min(room, count));
  if (count <= room) return count;
  reading.answer.cut = true;
  return 0;
}

}  // namespace

struct HttpClient::Impl {
  std::string ca_file;
  CURL* curl = curl_easy_init();
};

std::string_view HttpResponse::header(std::string_view lower_name) const {
  const auto found =
      std::find_if(headers.begin(), headers.end(), [&](const auto& field) { return field.first == lower_name; });
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

HttpClient::HttpClient(std::string ca_file) : impl_(std::make_unique<Impl>()) {
  impl_->ca_file = std::move(ca_file);
}

HttpClient::~HttpClient() {
  if (impl_->curl != nullptr) curl_easy_cleanup(impl_->curl);
}

Result<HttpResponse> HttpClient::send(const HttpRequest& request) {
  CURL* const curl = impl_->curl;
  if (curl == nullptr) return fail("the HTTP library cannot be used");
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> fields(nullptr, curl_slist_free_all);
  const auto add = [&](const std::string& line) {
    if (curl_slist* longer = curl_slist_append(fields.get(), line.c_str())) {
      fields.release();  // NOLINT(bugprone-unused-return-value): it is the beginning of `longer`
      fields.reset(longer);
    }
  };
  add("Expect:");  // no pause for "100 Continue"
  for (const auto& [name, value] : request.headers) {
    if (has_line_break(name) || has_line_break(value)) return fail("the header `" + name + "` has a line break");
    add(std::string(name).append(": ").append(value));
  }
  if (has_line_break(request.method) || has_line_break(request.url)) return fail("the address has a line break");
  Reading reading;
  reading.max_body = std::min(request.max_body, kMaxAnswerBody);
  curl_easy_reset(curl);  // keeps connections
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max(1, request.deadline_ms)));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::max(1, request.deadline_ms)));
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields.get());
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
  }
  if (request.method == "HEAD") curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (!impl_->ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, impl_->ca_file.c_str());
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &reading);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reading);
  const CURLcode code = curl_easy_perform(curl);
  if (code == CURLE_OPERATION_TIMEDOUT) return fail(fmt::format("no answer within {} ms", request.deadline_ms));
  if (reading.head > kMaxAnswerHead) return fail("the answer's head is too large");
  if (code != CURLE_OK && !reading.answer.cut) return fail(curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  reading.answer.status = static_cast<int>(status);
  return std::move(reading.answer);
}

}  // namespace weir
