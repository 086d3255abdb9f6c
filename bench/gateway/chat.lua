-- wrk: one chat request. The key is in the environment. WEIR_BENCH_SHAPE: json (the default) and stream, of 1 KB; agent
-- and agentstream, of 17 KB: ten declared tools, eight calls and their results, with call ids that no request had before.
-- Each of these begins a run; beyond Guard::Options::max_runs_per_owner a key's runs share one, which is soon refused, so
-- such a comparison must be short.
local words = string.rep("the quiet river runs over a low wall of stone ", 19)
local shape = os.getenv("WEIR_BENCH_SHAPE") or "json"
wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. (os.getenv("WEIR_BENCH_KEY") or "none")
local model = os.getenv("WEIR_BENCH_MODEL") or "bench-small"
local stream = shape:find("stream") and ',"stream":true' or ""

local function plain()
  return '{"model":"' .. model .. '","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"'
    .. words .. '"}],"max_tokens":100' .. stream .. "}"
end

local function tool(i)
  local text = string.rep("Looks for something in the store of documents and answers with the best of it, ", 3)
  return '{"type":"function","function":{"name":"tool_' .. i .. '","description":"' .. text
    .. '","parameters":{"type":"object","properties":{"query":{"type":"string"},"limit":{"type":"integer"}}}}}'
end

local function call_and_result(i)
  local id = "call_@_" .. i
  return ',{"role":"assistant","content":null,"tool_calls":[{"id":"' .. id
    .. '","type":"function","function":{"name":"tool_' .. i .. '","arguments":"{\\"query\\":\\"river ' .. i
    .. '\\",\\"limit\\":5}"}}]},{"role":"tool","tool_call_id":"' .. id .. '","content":"' .. words .. i .. '"}'
end

local function agent()
  local tools, history = {}, {}
  for i = 0, 9 do tools[#tools + 1] = tool(i) end
  for i = 0, 7 do history[#history + 1] = call_and_result(i) end
  return '{"model":"' .. model .. '","messages":[{"role":"system","content":"' .. words .. words
    .. '"},{"role":"user","content":"' .. words .. '"}' .. table.concat(history) .. '],"max_tokens":100' .. stream
    .. ',"tools":[' .. table.concat(tools, ",") .. "]}"
end

if shape:find("agent") then
  local template, start, count = agent(), os.time(), 0
  request = function()
    count = count + 1
    return wrk.format(nil, nil, nil, (template:gsub("@", start .. "_" .. count)))
  end
else
  wrk.body = plain()
end
