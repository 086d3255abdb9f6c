#include "behavior/prompt_text.h"

#include <algorithm>
#include <cstring>

#include "base/characters.h"
#include "base/strings.h"

namespace weir {
namespace {

bool is_alnum(char c) {
  return is_ascii_digit(c) || is_ascii_letter(c);
}
bool is_high(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}

// Latin, Greek, Cyrillic and their neighbours join words; scripts without spaces between words, and punctuation, do
// not.
bool leads_letter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0xC3 && byte <= 0xDF;
}
bool word_before(std::string_view text, std::size_t at) {
  if (at == 0) return false;
  std::size_t begin = at - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80) --begin;
  return is_alnum(text[begin]) || text[begin] == '_' || leads_letter(text[begin]);
}
bool word_after(std::string_view text, std::size_t at) {
  return at < text.size() && (is_alnum(text[at]) || text[at] == '_' || leads_letter(text[at]));
}

// A label or a name goes on at `at`: what follows a host or an address directly, or after a dot. A capital after the
// dot begins a sentence whose space was forgotten.
bool host_after(std::string_view text, std::size_t at) {
  if (at >= text.size()) return false;
  if (text[at] == '.' || text[at] == '-') {
    if (at + 1 >= text.size() || (text[at] == '.' && text[at + 1] >= 'A' && text[at + 1] <= 'Z')) return false;
    return is_alnum(text[at + 1]) || is_high(text[at + 1]);
  }
  return word_after(text, at) || text[at] == '@';
}

// Linear in the text, whatever the two look like: memmem() is, and of the places that do not fit only so many are
// tried.
template <class Fits>
bool occurs(std::string_view text, std::string_view sought, Fits fits) {
  if (sought.empty() || sought.size() > PromptText::kMaxSought) return false;
  std::size_t at = 0;
  for (std::size_t tries = 0; tries < PromptText::kMaxTries && at < text.size(); ++tries) {
    const void* found = memmem(text.data() + at, text.size() - at, sought.data(), sought.size());
    if (found == nullptr) return false;
    at = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    if (fits(at, at + sought.size())) return true;
    ++at;
  }
  return false;
}

std::string_view without_scheme(std::string_view url) {
  const std::size_t scheme = url.find("://");
  return scheme == std::string_view::npos ? url : url.substr(scheme + 3);
}

// "Host" and "/path" of a URL; user information, "www.", query and fragment are left out.
struct UrlParts {
  std::string host;
  std::string_view path;
};
UrlParts parts_of(std::string_view url) {
  url = without_scheme(url);
  const std::size_t end = std::min(url.find_first_of("/\\?#"), url.size());
  std::string_view host = url.substr(0, end);
  const std::size_t user = host.rfind('@');
  if (user != std::string_view::npos) host.remove_prefix(user + 1);
  std::string_view path = url.substr(end);
  path = path.substr(0, std::min(path.find_first_of("?#"), path.size()));
  while (path.ends_with('/')) path.remove_suffix(1);
  std::string lower = to_lower(host);
  if (lower.starts_with("www.")) lower.erase(0, 4);
  while (lower.ends_with('.')) lower.pop_back();
  return {std::move(lower), path};
}

// Labels with at least one dot, the last of letters: a domain; or numbers with dots: an IPv4 address; maybe a port.
bool is_host(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    if (port.empty() || !std::ranges::all_of(port, is_ascii_digit)) return false;
    host = host.substr(0, colon);
  }
  const std::size_t dot = host.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == host.size() || host.find("..") != host.npos) return false;
  if (!std::ranges::all_of(host, [](char c) { return is_alnum(c) || c == '-' || c == '.' || is_high(c); }))
    return false;
  const std::string_view last = host.substr(dot + 1);
  const bool name = last.size() >= 2 && std::ranges::none_of(last, is_ascii_digit);
  const bool address = std::ranges::all_of(host, [](char c) { return is_ascii_digit(c) || c == '.'; }) &&
                       std::ranges::count(host, '.') == 3;
  return name || address || last.starts_with("xn--");
}

}  // namespace

bool looks_like_email(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || text.find_first_of(" \t\r\n<>,;\"()") != text.npos) return false;
  return is_host(text.substr(at + 1)) && text.find(':') == text.npos && text.find('/') == text.npos;
}

bool looks_like_url(std::string_view text, bool bare) {
  if (text.find_first_of(" \t\r\n<>\"") != text.npos) return false;
  const std::size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) {
    return scheme > 0 && scheme + 3 < text.size() && is_ascii_letter(text[0]) &&
           std::ranges::all_of(text.substr(0, scheme), [](char c) { return is_alnum(c) || c == '+' || c == '-'; });
  }
  const bool www = equal_ignoring_case(text.substr(0, 4), "www.");
  return (www || bare) && is_host(text.substr(0, std::min(text.find_first_of("/?#"), text.size())));
}

bool looks_like_iban(std::string_view text) {
  std::size_t length = 0, digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') continue;
    if (!is_alnum(text[i])) return false;
    if (length < 2 ? !is_ascii_letter(text[i]) : length < 4 && !is_ascii_digit(text[i])) return false;
    digits += is_ascii_digit(text[i]) ? 1 : 0;
    ++length;
  }
  return length >= 15 && length <= 34 && digits >= 10;
}

PromptText::PromptText(std::string_view text) : text_(text), lower_(to_lower(text)) {}

bool PromptText::has_email(std::string_view email) const {
  return occurs(lower_, to_lower(email), [&](std::size_t begin, std::size_t end) {
    const bool goes_before =
        word_before(lower_, begin) || (begin > 0 && std::string_view(".+-%").contains(lower_[begin - 1]));
    return !goes_before && !host_after(text_, end);
  });
}

bool PromptText::has_url(std::string_view url) const {
  const auto path_goes_on = [&](std::size_t end) {
    return end < text_.size() &&
           (is_alnum(text_[end]) || is_high(text_[end]) || std::string_view("-_%=&~").contains(text_[end]));
  };
  const auto whole = [&](std::size_t begin, std::size_t end) {
    return !word_before(text_, begin) && !path_goes_on(end) && !host_after(text_, end);
  };
  if (url.find("://") != url.npos && occurs(text_, url, whole)) return true;
  const auto [host, path] = parts_of(url);
  return occurs(lower_, host, [&](std::size_t begin, std::size_t end) {
    if (std::string_view(lower_).substr(0, begin).ends_with("www.")) begin -= 4;
    if (word_before(lower_, begin) || (begin > 0 && std::string_view(".-@").contains(lower_[begin - 1]))) return false;
    if (host_after(text_, end)) return false;
    if (path.empty()) return true;
    return std::string_view(text_).substr(end).starts_with(path) && !path_goes_on(end + path.size());
  });
}

bool PromptText::has_iban(std::string_view iban) const {
  std::string sought = to_lower(iban);
  std::erase(sought, ' ');
  if (sought.empty()) return false;
  for (std::size_t at = lower_.find(sought[0]); at != std::string::npos; at = lower_.find(sought[0], at + 1)) {
    if (word_before(lower_, at)) continue;
    std::size_t place = at, matched = 0;
    for (; place < lower_.size() && matched < sought.size(); ++place) {
      if (lower_[place] == sought[matched]) {
        ++matched;
      } else if (lower_[place] != ' ' || lower_[place - 1] == ' ') {  // between groups there is one space
        break;
      }
    }
    if (matched == sought.size() && !word_after(lower_, place)) return true;
  }
  return false;
}

bool PromptText::has_words(std::string_view words) const {
  while (words.size() > 1 && (words.front() == '#' || words.front() == '@')) words.remove_prefix(1);
  const std::string sought = to_lower(words);
  const bool from_word = word_after(sought, 0), to_word = word_before(sought, sought.size());
  return occurs(lower_, sought, [&](std::size_t begin, std::size_t end) {
    return !(from_word && word_before(lower_, begin)) && !(to_word && word_after(lower_, end));
  });
}

}  // namespace weir
