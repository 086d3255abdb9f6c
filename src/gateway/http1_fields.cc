#include <algorithm>
#include <charconv>
#include <iterator>

#include "base/strings.h"
#include "gateway/http1.h"
#include "gateway/http1_chars.h"

namespace weir {

std::string_view Headers::get(std::string_view lower_name) const {
  for (const Header& field : fields) {
    // An empty value still has non-null data: it points into the head.
    if (is_name(field.name, lower_name)) return field.value;
  }
  return {};
}

bool Headers::has_token(std::string_view lower_name, std::string_view token) const {
  for (const Header& field : fields) {
    if (!is_name(field.name, lower_name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      if (equal_ignoring_case(trim(rest.substr(0, comma)), token)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

bool is_hop_by_hop(const Headers& headers, std::string_view lower_name) {
  switch (lower_name.size()) {
    case 2:
      if (lower_name == "te") return true;
      break;
    case 7:
      if (lower_name == "trailer" || lower_name == "upgrade") return true;  // trailers are dropped
      break;
    case 10:
      if (lower_name == "connection" || lower_name == "keep-alive") return true;
      break;
    case 16:
      if (lower_name == "proxy-connection") return true;
      break;
    case 17:
      if (lower_name == "transfer-encoding") return true;
      break;
    case 18:
      if (lower_name == "proxy-authenticate") return true;
      break;
    case 19:
      if (lower_name == "proxy-authorization") return true;
      break;
    default:
      break;
  }
  return headers.has_token("connection", lower_name);
}

namespace {

struct Reason {
  int status;
  std::string_view phrase;
};

constexpr Reason kReasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {529, "Site Overloaded"},
};

std::string_view reason_phrase(int status) {
  const auto* found = std::lower_bound(std::begin(kReasons), std::end(kReasons), status,
                                       [](const Reason& reason, int wanted) { return reason.status < wanted; });
  return found != std::end(kReasons) && found->status == status ? found->phrase : "Unknown";
}

}  // namespace

void append_status_line(std::string& out, int status) {
  out += "HTTP/1.1 ";
  char digits[12];
  out.append(digits, std::to_chars(std::begin(digits), std::end(digits), status).ptr);
  out += ' ';
  out += reason_phrase(status);
  out += "\r\n";
}

void append_header(std::string& out, std::string_view name, std::int64_t value) {
  out.append(name).append(": ");
  append_number(out, value);
  out += "\r\n";
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  const std::size_t begin = out.size();
  out += value;
  // A value made from outside text must not end the line and begin a header of its own.
  if (has_control(value)) {
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), [](char c) { return is_char(c, kControlChar); },
        ' ');
  }
  out += "\r\n";
}

void append_chunk(std::string& out, std::string_view bytes) {
  if (bytes.empty()) return;  // an empty chunk would end the body
  char digits[17];
  out.append(digits, std::to_chars(std::begin(digits), std::end(digits), bytes.size(), 16).ptr);
  out += "\r\n";
  out += bytes;
  out += "\r\n";
}

void append_last_chunk(std::string& out) {
  out += "0\r\n\r\n";
}

}  // namespace weir
