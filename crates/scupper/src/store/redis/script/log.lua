-- The log: closed events lie in a ring of (tick, all units up to and with it); the newest one is open, and in the header.

local function entry(b, place)
  local slot = (b.head + place) % b.cap
  local over = b.over and b.over[slot]
  if over then return over[1], over[2] end
  if b.ring then return unpack('>I8I8', b.ring, b.off + slot * 16 + 1) end
  local at = b.body + slot * 16
  return unpack('>I8I8', call('GETRANGE', b.key, at, at + 15))
end

-- The first closed event with this total at least: place, tick and total.
local function find(b, total)
  local low, high, before, last = 0, b.count - 1, b.base, b.closed
  if last - before == b.count then
    low = total - before - 1
    return low, entry(b, low)
  end
  local guesses, tick, found = 0, nil, nil
  while low < high do
    local place = floor((low + high) / 2)
    -- Weights are often alike: then it is here, or nearby.
    if guesses < 3 then
      place = min(high - 1, low + floor((total - before - 1) / (last - before) * (high - low + 1)))
    end
    guesses = guesses + 1
    local t, e = entry(b, place)
    if e >= total then
      high, last, tick, found = place, e, t, e
    else
      low, before = place + 1, e
    end
  end
  if not found then tick, found = entry(b, low) end
  return low, tick, found
end

local function tick_of(b, nth)
  local total = b.base + nth
  if total > b.closed then return b.open end
  local _, tick = find(b, total)
  return tick
end

-- All closed events in their order, as one string.
local function linear(b)
  if b.count == 0 then return '' end
  if not b.ring then b.ring, b.off = call('GETRANGE', b.key, b.body, -1), 0 end
  local from, size, length = b.head * 16, b.cap * 16, b.count * 16
  if #b.ring < b.off + size then fail('C', 'its log is cut off') end
  local line = sub(b.ring, b.off + from + 1, b.off + min(from + length, size))
  if from + length > size then line = line .. sub(b.ring, b.off + 1, b.off + from + length - size) end
  for slot, event in pairs(b.over or {}) do
    local at = ((slot - b.head) % b.cap) * 16
    if at < length then line = sub(line, 1, at) .. pack('>I8I8', event[1], event[2]) .. sub(line, at + 17) end
  end
  return line
end

-- Has the ring hold these events, and room for more.
local function lay(b, line, cap)
  b.count, b.head, b.cap, b.over, b.off = #line / 16, 0, cap, nil, 0
  b.ring = line .. string.rep('\0', cap * 16 - #line)
  b.anew = true
end

local function retention(b)
  return max(b.quota.retention, b.kept)
end

-- Each closed event is what `change` makes of it; none where it makes nothing.
local function rewrite(b, change)
  local line, out = linear(b), {}
  for at = 1, #line, 16 do
    local tick, total = change(unpack('>I8I8', line, at))
    if tick then out[#out + 1] = pack('>I8I8', tick, total) end
  end
  lay(b, table.concat(out), #out)
end

-- So that totals stay below 2^53, they begin anew; more than that is not counted.
local function renumber(b, now)
  local oldest, base, keeps = now - retention(b), b.base, 0
  rewrite(b, function(tick, total)
    if tick < oldest then
      base = total
      return nil
    end
    return tick, total - base
  end)
  b.closed, b.finish, b.base = max(0, b.closed - base), b.finish - base, 0
end

local function grow(b)
  local line, count, most = linear(b), b.count, max(b.quota.units, b.most)
  -- `drop_old_debt`: nobody looks further back than the largest limit.
  if count > SINGLES and b.finish - most >= b.base then
    local place = find(b, b.finish - most + 1)
    if place > 0 then
      b.base = unpack('>I8', line, place * 16 - 7)
      line, count = sub(line, place * 16 + 1), count - place
    end
  end
  lay(b, line, max(count + 1, min(count + max(FEW, floor(count / 4)), most)))
end

local function close_event(b, now)
  if b.count == b.cap then
    local tick, total
    if b.count > 0 then tick, total = entry(b, 0) end
    if tick and tick + retention(b) < now then
      b.head, b.count, b.base = (b.head + 1) % b.cap, b.count - 1, total
    else
      grow(b)
    end
  end
  b.over = b.over or {}
  b.over[(b.head + b.count) % b.cap] = { b.open, b.finish }
  b.count, b.closed = b.count + 1, b.finish
end

-- Every event has left every window.
local function forget_log(b)
  b.base, b.closed, b.finish, b.head, b.count, b.over = 0, 0, 0, 0, 0, nil
  if b.cap > 2 * FEW then lay(b, '', FEW) end
end

local function charge_log(b, now, weight)
  if b.finish > b.base and b.open + retention(b) < now then forget_log(b) end
  if b.finish + weight > END then renumber(b, now) end
  if b.finish > b.closed and b.open ~= now then close_event(b, now) end
  b.open, b.finish = now, min(END, b.finish + weight)
end

-- `SlidingWindowLog::refund`.
local function refund_log(b, tick, weight, now)
  if tick + retention(b) < now then return 0 end
  if tick == b.open and b.finish > b.closed then
    local back = min(weight, b.finish - b.closed)
    b.finish = b.finish - back
    -- It is gone whole: the one before is open again.
    if b.finish == b.closed and b.count > 0 then
      b.open = entry(b, b.count - 1)
      b.count, b.closed = b.count - 1, b.base
      if b.count > 0 then
        local _, total = entry(b, b.count - 1)
        b.closed = total
      end
    end
    return back
  end
  local line = linear(b)
  local low, high = 0, b.count
  while low < high do
    local middle = floor((low + high) / 2)
    if unpack('>I8', line, middle * 16 + 1) < tick then low = middle + 1 else high = middle end
  end
  local before = low > 0 and unpack('>I8', line, low * 16 - 7) or b.base
  local back, out = 0, { sub(line, 1, low * 16) }
  for at = low * 16 + 1, #line, 16 do
    local t, e = unpack('>I8I8', line, at)
    local taken = t == tick and min(e - back - before, weight - back) or 0
    back = back + taken
    if e - back > before then out[#out + 1] = pack('>I8I8', t, e - back) end
    before = e - back
  end
  if back == 0 then return 0 end
  b.closed, b.finish = before, b.finish - back
  line = table.concat(out)
  lay(b, line, max(b.cap, #line / 16))
  return back
end

-- `SlidingWindowLog::rebase`.
local function rebase_log(b, from, to)
  if b.open + retention(b) < from then return forget_log(b) end
  local oldest, by, base = from - retention(b), from - to, b.base
  rewrite(b, function(tick, total)
    if tick < oldest then
      base = total
      return nil
    end
    return max(0, tick - by), total
  end)
  b.base, b.open = base, max(0, b.open - by)
end

local function usage_log(b, rate, now)
  if b.finish == b.closed or b.open + rate.interval < now then return 0, now end
  local low, high = 0, b.count
  while low < high do
    local middle = floor((low + high) / 2)
    if entry(b, middle) + rate.interval < now then low = middle + 1 else high = middle end
  end
  local before = b.base
  if low > 0 then
    local _, total = entry(b, low - 1)
    before = total
  end
  return b.finish - before, b.open + rate.interval + 1
end
