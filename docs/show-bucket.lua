-- Shows the buckets of Scupper under the given keys, for a look at what is in them:
--   redis-cli --eval docs/show-bucket.lua scupper:user:42
-- It changes nothing. The form is told in docs/redis.md.

local function at(number)
  return string.format('%.6f', number / 1000000)
end

local function show(key)
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'string' then return { key .. ': ' .. (kind == 'none' and 'no bucket' or 'no bucket but a ' .. kind) } end
  local value = redis.call('GET', key)
  if string.sub(value, 1, 7) ~= 'scupper' then return { key .. ': no bucket but a string' } end
  if string.sub(value, 8, 8) ~= '1' then return { key .. ': of format ' .. string.sub(value, 8, 8) } end
  local bucket, area = {}, nil
  bucket.mark, bucket.high, bucket.low, bucket.open, bucket.total, bucket.closed, bucket.base, bucket.head, bucket.count,
    bucket.cap, bucket.expires, bucket.room, bucket.used, bucket.assured, bucket.rare, bucket.length, area =
    struct.unpack('>I8I2I8I8I8I8I8I4I4I4I8I2I2I2BI4', value, 9)
  local cold = area + bucket.room * 16
  local _, held, quota_at = struct.unpack('>I8I8', value, cold)
  quota_at = cold + 58
  local quota = string.sub(value, quota_at, quota_at + bucket.length - 1)
  local body = quota_at + bucket.length
  local lines = {
    key .. ': ' .. quota,
    'time to live ' .. redis.call('PTTL', key) .. ' ms, ' .. #value .. ' bytes',
    'last change at ' .. at(bucket.mark) .. ', units ever ' .. string.format('%.0f', bucket.high * 1125899906842624 + bucket.low),
  }
  if held > 0 then lines[#lines + 1] = 'nobody before ' .. at(held) end
  if string.sub(quota, 1, 1) == 's' then
    lines[#lines + 1] = string.format('%.0f units in the log', bucket.total - bucket.base)
    local before = bucket.base
    for place = 0, bucket.count + bucket.used - 1 do
      local event = area + (place - bucket.count) * 16
      if place < bucket.count then event = body + (bucket.head + place) % bucket.cap * 16 end
      local tick, total = struct.unpack('>I8I8', value, event)
      lines[#lines + 1] = at(tick) .. ' ' .. string.format('%.0f', total - before)
      before = total
    end
    if bucket.total > before then lines[#lines + 1] = at(bucket.open) .. ' ' .. string.format('%.0f', bucket.total - before) end
  else
    for rate in string.gmatch(quota, '%d+/%S+') do
      local first, second
      first, second, area = struct.unpack('>I8I8', value, area)
      if string.sub(quota, 1, 1) == 'f' then
        lines[#lines + 1] = rate .. ': ' .. string.format('%.0f', second) .. ' units in the window from ' .. at(first)
      else
        lines[#lines + 1] = rate .. ': drained at ' .. at(first)
      end
    end
  end
  return lines
end

local lines = {}
for _, key in ipairs(KEYS) do
  for _, line in ipairs(show(key)) do lines[#lines + 1] = line end
end
return lines
