// What every request to the admin listener must pass before anything else happens: it does not come from a page of
// another site, it does not use a name that such a page could have pointed here, and it shows the token.
//
//   if (auto refused = refuse_admin_request(services, head, peer, access)) return send(*refused);
//
// A browser that an operator uses can reach what the operator can reach. So an `Origin` other than the listener's own,
// `Sec-Fetch-Site: cross-site` or `same-site`, and a Host that is neither an address, nor localhost, nor a name of the
// configuration (DNS rebinding) are 403; health, and metrics that need the token, may be asked for by any name, as
// balancers and scrapers do. Wrong tokens count against their address like wrong keys, and never lock out
// the right one. One worker's thread.
#pragma once

#include <optional>
#include <string_view>

#include "admin/access.h"
#include "gateway/endpoints.h"
#include "gateway/http1.h"
#include "gateway/reply.h"
#include "gateway/services.h"

namespace weir {

// Signing in with a one-time code (POST /admin/v1/session) is the only call of the admin API without a token.
std::optional<Reply> refuse_admin_request(Services& services, const RequestHead& head, std::string_view peer,
                                          const AdminAccess* access);

// That call, once its body is whole: only who shows a right code gets further. A wrong one counts like a wrong token.
std::optional<Reply> refuse_sign_in(Services& services, const OwnRequest& request, const AdminAccess& access);

}  // namespace weir
