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
  local names = { 'mark', 'high', 'low', 'open', 'total', 'closed', 'base', 'head', 'count', 'room', 'expires', 'since', 'held',
    'floor_high', 'floor_low', 'retention', 'limit', 'own_caller', 'own_store', 'length' }
  local bucket, place = {}, 9
  for _, name in ipairs(names) do
    bucket[name], place = struct.unpack('>I8', value, place)
  end
  local quota = string.sub(value, 169, 168 + bucket.length)
  local body = 169 + bucket.length
  local lines = {
    key .. ': ' .. quota,
    'time to live ' .. redis.call('PTTL', key) .. ' ms, ' .. #value .. ' bytes',
    'last change at ' .. at(bucket.mark) .. ', units ever ' .. string.format('%.0f', bucket.high * 1125899906842624 + bucket.low),
  }
  if bucket.held > 0 then lines[#lines + 1] = 'nobody before ' .. at(bucket.held) end
  if string.sub(quota, 1, 1) == 's' then
    lines[#lines + 1] = string.format('%.0f units in the log', bucket.total - bucket.base)
    local before = bucket.base
    for place = 0, bucket.count - 1 do
      local tick, total = struct.unpack('>I8I8', value, body + ((bucket.head + place) % bucket.room) * 16)
      lines[#lines + 1] = at(tick) .. ' ' .. string.format('%.0f', total - before)
      before = total
    end
    if bucket.total > before then lines[#lines + 1] = at(bucket.open) .. ' ' .. string.format('%.0f', bucket.total - before) end
  else
    for rate in string.gmatch(quota, '%d+/%S+') do
      local first, second
      first, second, body = struct.unpack('>I8I8', value, body)
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
