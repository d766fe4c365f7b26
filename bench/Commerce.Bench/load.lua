-- wrk's script: METHOD PATH TOKENS-FILE. Every request is the next user's. Prints one line of JSON at the end.
local tokens, method, path, at = {}, nil, nil, 0

function init(args)
  method, path = args[1], args[2]
  for line in io.lines(args[3]) do
    tokens[#tokens + 1] = method .. " " .. path .. " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nAuthorization: Bearer " .. line .. "\r\n\r\n"
  end
end

function request()
  at = at % #tokens + 1
  return tokens[at]
end

function done(summary, latency)
  io.write(string.format('{"requests":%d,"seconds":%.6f,"refused":%d,"failed":%d,"p50":%.3f,"p99":%.3f}\n',
    summary.requests, summary.duration / 1e6, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
