-- The log. Its newest event is open, and in the header; those before it lie in the area behind that; those before them in a
-- ring. Each is a tick, and all units up to and with it.

local function retention(b)
  return max(b.quota.retention, b.kept)
end

local function recent(b)
  return #b.area / 16
end

-- The closed event at this place, the oldest at 0.
local function entry(b, place)
  if place >= b.count then return unpack('>I8I8', b.area, (place - b.count) * 16 + 1) end
  local at = (b.head + place) % b.cap * 16
  if b.ring then return unpack('>I8I8', b.ring, at + 1) end
  return unpack('>I8I8', ask('GETRANGE', b.key, b.body + at, b.body + at + 15))
end

-- The first closed event with this total at least: place, tick and total.
local function search(b, total)
  local low, high, before, last = 0, b.count + recent(b) - 1, b.base, b.closed
  if last - before == high + 1 then
    low = total - before - 1
    return low, entry(b, low)
  end
  local guesses, tick, found = 0, nil, nil
  while low < high do
    local place = floor((low + high) / 2)
    -- Weights are often alike: then it is here, or nearby.
    if guesses < 3 then
      place = max(low, min(high - 1, low + floor((total - before - 1) / (last - before) * (high - low + 1))))
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
  local _, tick = search(b, total)
  return tick
end

-- Bytes of the ring, from so many events behind its oldest on.
local function slice(b, from, length)
  local at = (b.head + from) % b.cap * 16
  local part = min(length, b.cap - (b.head + from) % b.cap) * 16
  local bytes
  if b.ring then
    bytes = sub(b.ring, at + 1, at + part)
  else
    bytes = ask('GETRANGE', b.key, b.body + at, b.body + at + part - 1)
  end
  if #bytes < part then fail('C', 'its log is cut off') end
  if part < length * 16 then return bytes .. slice(b, from + part / 16, length - part / 16) end
  return bytes
end

-- All closed events in their order, as one string.
local function linear(b)
  if b.count == 0 then return b.area end
  return slice(b, 0, b.count) .. b.area
end

-- Has these be the closed events: in the area if they are few, else in a ring with room for so many.
local function lay(b, line, cap)
  local events = #line / 16
  b.anew, b.head, b.area = true, 0, ''
  if events <= MOST_RECENT then
    b.area, b.ring, b.count, b.cap = line, '', 0, 0
    while b.room < events do b.room = max(FEW, b.room * 4) end
  else
    b.count, b.cap = events, max(cap, events)
    b.ring = line .. string.rep('\0', b.cap * 16 - #line)
  end
end

-- Every event has left every window.
local function forget_log(b)
  b.base, b.closed, b.finish, b.head, b.count, b.area = 0, 0, 0, 0, 0, ''
  if b.cap > 2 * MOST_RECENT then lay(b, '', 0) end
end

-- Each closed event is what `change` makes of it; none where it makes nothing.
local function rewrite(b, change)
  local line, out = linear(b), {}
  for at = 1, #line, 16 do
    local tick, total = change(unpack('>I8I8', line, at))
    if tick then out[#out + 1] = pack('>I8I8', tick, total) end
  end
  lay(b, table.concat(out), 0)
end

-- So that totals stay below 2^53, they begin anew; more than that is not counted.
local function renumber(b, now)
  local oldest, base = now - retention(b), b.base
  rewrite(b, function(tick, total)
    if tick < oldest then
      base = total
      return nil
    end
    return tick, total - base
  end)
  b.closed, b.finish, b.base = max(0, b.closed - base), b.finish - base, 0
end

-- Drops the oldest events, as many as have left every window, or at the most so many.
local function leak(b, now, most)
  local oldest = now - retention(b)
  while most > 0 and b.count > 0 do
    local length = min(most, b.count, MOST_RECENT)
    local line, gone = slice(b, 0, length), 0
    while gone < length do
      local tick, total = unpack('>I8I8', line, gone * 16 + 1)
      if tick >= oldest then break end
      gone, b.base = gone + 1, total
    end
    b.head, b.count, most = (b.head + gone) % b.cap, b.count - gone, most - gone
    if gone < length then return end
  end
  while most > 0 and b.count == 0 and b.area ~= '' do
    local tick, total = unpack('>I8I8', b.area)
    if tick >= oldest then return end
    b.area, b.base, most = sub(b.area, 17), total, most - 1
  end
end

-- `drop_old_debt`: nobody looks further back than the largest limit.
local function drop_old_debt(b, line, most)
  if #line / 16 <= SINGLES or b.finish - most < b.base then return line end
  local place = search(b, b.finish - most + 1)
  if place == 0 then return line end
  b.base = unpack('>I8', line, place * 16 - 7)
  return sub(line, place * 16 + 1)
end

-- Makes room in the area for another event: there, or by moving what is in it to the ring.
local function make_room(b, now)
  leak(b, now, 2 * MOST_RECENT)
  if recent(b) < b.room then return end
  if b.room < MOST_RECENT then
    b.room, b.anew = min(MOST_RECENT, max(FEW, b.room * 4)), true
    return
  end
  local moved = recent(b)
  if b.anew or b.cap - b.count < moved then
    local most = max(b.quota.units, b.most)
    local line = drop_old_debt(b, linear(b), most)
    local count = #line / 16
    -- A quarter more, but not beyond what the rates can fill.
    lay(b, line, min(count + max(MOST_RECENT, floor(count / 4)), max(count, most)))
    if b.cap == 0 then
      -- So few that they fit the area, which is full.
      b.ring, b.count, b.cap, b.area = line .. string.rep('\0', count * 16), count, 2 * count, ''
    end
    return
  end
  local at = (b.head + b.count) % b.cap
  local part = min(moved, b.cap - at)
  must(try('SETRANGE', b.key, b.body + at * 16, sub(b.area, 1, part * 16)))
  if part < moved then must(try('SETRANGE', b.key, b.body, sub(b.area, part * 16 + 1))) end
  b.count, b.area, b.ring = b.count + moved, '', nil
end

local function charge_log(b, now, weight)
  if b.finish > b.base and b.open + retention(b) < now then forget_log(b) end
  if b.finish > END - weight then renumber(b, now) end
  if b.finish > b.closed and b.open ~= now then
    if recent(b) >= b.room then make_room(b, now) end
    b.area, b.closed = b.area .. pack('>I8I8', b.open, b.finish), b.finish
  end
  b.open, b.finish = now, min(END, b.finish + weight)
end

-- Drops the newest closed event.
local function drop_newest(b)
  if b.area == '' then
    b.count = b.count - 1
  else
    b.area = sub(b.area, 1, -17)
  end
end

-- `SlidingWindowLog::refund`.
local function refund_log(b, tick, weight, now)
  if tick + retention(b) < now then return 0 end
  local events = b.count + recent(b)
  if tick == b.open and b.finish > b.closed then
    local back = min(weight, b.finish - b.closed)
    b.finish = b.finish - back
    -- It is gone whole: the one before is open again.
    if b.finish == b.closed and events > 0 then
      b.open = entry(b, events - 1)
      drop_newest(b)
      b.closed = b.base
      if events > 1 then
        local _, total = entry(b, events - 2)
        b.closed = total
      end
      -- A clock that stepped back to the beginning of time leaves several events there.
      if back < weight and b.open == tick then back = back + refund_log(b, tick, weight - back, now) end
    end
    return back
  end
  local line = linear(b)
  local low, high = 0, events
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
  lay(b, table.concat(out), b.cap)
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
  local low, high = 0, b.count + recent(b)
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
