-- wrk: one chat request of about 1 KB. The key is in the environment.
local words = string.rep("the quiet river runs over a low wall of stone ", 19)
wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. (os.getenv("WEIR_BENCH_KEY") or "none")
local model = os.getenv("WEIR_BENCH_MODEL") or "bench-small"
wrk.body = '{"model":"' .. model .. '","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"'
  .. words .. '"}],"max_tokens":100}'
