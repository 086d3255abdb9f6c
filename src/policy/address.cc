#include "policy/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/characters.h"
#include "base/strings.h"

namespace weir {
namespace {

constexpr std::size_t kMaxHost = 253;  // RFC 1035 section 2.3.4

std::string quoted(std::string_view text) {
  return "`" + std::string(text.substr(0, 200)) + "`";
}

bool is_host_name(std::string_view host) {
  return is_word(host, kMaxHost) && host.front() != '.' && host.front() != '-';
}

bool is_ipv6(std::string_view host) {
  in6_addr address{};
  return inet_pton(AF_INET6, std::string(host).c_str(), &address) == 1;
}

struct HostPort {
  std::string_view host;
  std::optional<std::uint16_t> port;
  bool ok = false;
};

HostPort split_host_port(std::string_view text) {
  HostPort out;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with("[")) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return out;
    out.host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!is_ipv6(out.host) || (!rest.empty() && rest.front() != ':')) return out;
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else {
    const std::size_t colon = text.rfind(':');
    has_port = colon != std::string_view::npos;
    out.host = text.substr(0, colon);
    if (has_port) port = text.substr(colon + 1);
    if (!is_host_name(out.host)) return out;
  }
  if (has_port) {
    const auto number = parse_decimal(port);
    if (!number || *number > 65'535) return out;
    out.port = static_cast<std::uint16_t>(*number);
  }
  out.ok = true;
  return out;
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
  const HostPort parts = split_host_port(text);
  if (parts.ok && parts.port) return Endpoint{std::string(parts.host), *parts.port};
  if (parse_decimal(text))
    return fail(quoted(text) + " is not an address; write `127.0.0.1:" + std::string(text.substr(0, 5)) + "`");
  if (text.starts_with(":") && parse_decimal(text.substr(1))) {
    return fail(quoted(text) + " is not an address; write `0.0.0.0" + std::string(text.substr(0, 6)) +
                "` for every interface");
  }
  if (parts.ok) return fail(quoted(text) + " has no port; write `" + std::string(text) + ":8080`");
  return fail(quoted(text) + " is not an address; write host:port, as in `127.0.0.1:8080` or `[::1]:8080`");
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return fail(quoted(text) + " is not a URL; write `https://" + std::string(text.substr(0, 100)) + "`");
  }
  const std::size_t slash = rest.find_first_of("/?#");
  const std::string_view authority = rest.substr(0, slash);
  std::string_view path = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
  // The text is not repeated below: a URL with a user part holds a password.
  if (authority.find('@') != std::string_view::npos) return fail("a URL may not hold a user and password; use `key`");
  if (path.find_first_of("?#") != std::string_view::npos) return fail("a URL may not hold a query or fragment");
  const HostPort parts = split_host_port(authority);
  if (!parts.ok) return fail(quoted(text) + " has no valid host");
  if (parts.port == 0) return fail(quoted(text) + " cannot have port 0");
  const bool clean = std::all_of(path.begin(), path.end(), [](char c) { return c > ' ' && c < 0x7F && c != '\\'; });
  if (!clean) return fail(quoted(text) + " has a path with characters that must be percent-encoded");
  while (path.ends_with('/')) path.remove_suffix(1);
  url.host = std::string(parts.host);
  url.port = parts.port.value_or(url.tls ? 443 : 80);
  url.path = std::string(path);
  return url;
}

Result<Cidr> parse_cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  Cidr out;
  in_addr v4{};
  int most = 128;
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) {
    out.address[10] = out.address[11] = 0xFF;
    std::memcpy(out.address.data() + 12, &v4, 4);
    most = 32;
  } else if (inet_pton(AF_INET6, address.c_str(), out.address.data()) != 1) {
    return fail(quoted(text) + " is not an address or network; write `10.0.0.0/8` or `::1`");
  }
  if (slash != std::string_view::npos) {
    const auto bits = parse_decimal(text.substr(slash + 1));
    if (!bits || *bits > most) return fail(quoted(text) + " has no valid prefix length");
    out.bits = static_cast<int>(*bits) + (128 - most);
  }
  for (int bit = out.bits; bit < 128; ++bit) {
    if ((out.address[static_cast<std::size_t>(bit / 8)] >> (7 - bit % 8)) & 1) {
      return fail(quoted(text) + " has bits set beyond its prefix length; write the network's first address");
    }
  }
  return out;
}

}  // namespace weir
