// What the calls about records have in common: filters and pages from query parameters, answers to bad questions.
//
//   const auto page = page_of(call.query);
//   if (!page) return admin_problem(400, page.error().message);
//
// Belongs to src/admin.
#pragma once

#include <string>
#include <vector>

#include "admin/router.h"
#include "base/json_writer.h"
#include "records/queries.h"

namespace weir {

Result<PageAsk> page_of(const AdminQuery& query);
// 400 when the asker can mend the question, else 503.
Reply question_refused(const Error& error);
// The parameters of a list's filter and range, with `more`.
std::vector<std::string> with_range(std::vector<std::string> more);
// `"next":…`: the cursor, or null.
void add_next(JsonWriter& json, const std::string& next);

}  // namespace weir
