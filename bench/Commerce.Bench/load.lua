-- The script for wrk: METHOD PATH TOKENS-FILE [BODY KEY-PREFIX]. Each request has the next user's token. A request with a body has a
-- new Idempotency-Key. The script prints one line of JSON at the end.
local tokens, method, path, at, key, tail = {}, nil, nil, 0, 0, nil

function init(args)
  method, path = args[1], args[2]
  local length = args[4] and #args[4] or 0
  local head = args[4] and "Content-Type: application/json\r\nIdempotency-Key: " .. args[5] or "\r\n"
  tail = args[4] and "\r\n\r\n" .. args[4]
  for line in io.lines(args[3]) do
    tokens[#tokens + 1] = method .. " " .. path .. " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " .. length .. "\r\nAuthorization: Bearer " .. line .. "\r\n" .. head
  end
end

function request()
  at = at % #tokens + 1
  if not tail then return tokens[at] end
  key = key + 1
  return tokens[at] .. key .. tail
end

function done(summary, latency)
  io.write(string.format('{"requests":%d,"seconds":%.6f,"refused":%d,"failed":%d,"p50":%.3f,"p99":%.3f}\n',
    summary.requests, summary.duration / 1e6, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
