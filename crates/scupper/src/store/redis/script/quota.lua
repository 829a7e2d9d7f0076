local function rate_of(limit, interval, burst)
  local rate = { limit = limit, interval = interval, burst = burst }
  rate.full, rate.part = share(burst, interval, limit)
  return rate
end

-- `Quota`.
local function read_quota(text)
  local quota = { text = text, algorithm = sub(text, 1, 1), retention = 0, units = 0, capacity = END }
  for limit, interval, burst in string.gmatch(text, '(%d+)/(%d+)us%+?(%d*)') do
    limit, interval = tonumber(limit), tonumber(interval)
    burst = tonumber(burst) or limit
    if min(limit, interval, burst) < 1 or max(limit, interval, burst) > END then return { text = text } end
    local rate = rate_of(limit, interval, burst)
    quota[#quota + 1] = rate
    quota.retention = max(quota.retention, interval, rate.full + min(rate.part, 1))
    quota.units = max(quota.units, limit)
    quota.capacity = min(quota.capacity, rate.burst)
  end
  return quota
end

local quotas = {}
local function quota_of(number)
  if number == 0 then return nil end
  if not quotas[number] then quotas[number] = read_quota(ARGV[number * 2]) end
  return quotas[number]
end
