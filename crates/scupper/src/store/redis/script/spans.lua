-- What is wrong with a bucket: an outcome of its operations alone.
local function fail(kind, text)
  error({ kind .. text }, 0)
end

local function must(result)
  if type(result) ~= 'table' or not result.err then return end
  if find(result.err, 'READONLY', 1, true) then no_master = 'READONLY ' .. result.err end
  fail('E', result.err)
end

-- What Redis answers about a bucket, unless it refuses.
local function ask(...)
  local answer = try(...)
  must(answer)
  return answer
end

-- Whether numbers of a header can be. Whatever lies under a key, nothing here may go on for ever, or ask for all memory.
local function can_be(mark, low, open, finish, closed, base, head, count, cap, expires, room, used)
  return max(mark, low, open, finish, expires) <= END and base <= closed and closed <= finish and used <= room and count <= cap
    and (head < cap or head == 0)
end

-- Whether a value has so many bytes of which but these were read.
local function is_whole(key, value, size)
  if #value <= GLANCE then return #value == size end
  return #ask('GETRANGE', key, size - 1, size) == 1
end

-- Has the key expire then. What may be refused comes before what changes the bucket, as nothing undoes what a script has done.
local function keep_until(key, expires)
  local refused = try('SETRANGE', key, '0', MAGIC)
  if type(refused) ~= 'table' then refused = try('PEXPIREAT', key, expires) end
  return refused
end

-- a * b / m as a whole number and a rest, with no rounding (`Span::of`).
local function share(a, b, m)
  local product = a * b
  -- 2^53 may be one more, rounded.
  if product < END then
    local rest = fmod(product, m)
    return (product - rest) / m, rest
  end
  if product / m >= END then return END, 0 end
  local low = fmod(b, m)
  local whole, rest, scale = 0, 0, 2251799813685248 * 8
  while scale >= 1 do
    local digit = fmod(floor(a / scale), 8)
    local sum = rest * 8 + digit * low
    rest = fmod(sum, m)
    whole = whole * 8 + (sum - rest) / m
    scale = scale / 8
  end
  return min(END, a * ((b - low) / m) + whole), rest
end

-- `Span::minus`.
local function minus(aw, ap, bw, bp, limit)
  if aw < bw or (aw == bw and ap <= bp) then return 0, 0 end
  if ap < bp then return aw - bw - 1, ap + limit - bp end
  return aw - bw, ap - bp
end

-- `Span::units_ceil`.
local function units_ceil(whole, part, rate)
  local units, rest = share(whole, rate.limit, rate.interval)
  return units + ceil((rest + part) / rate.interval)
end
