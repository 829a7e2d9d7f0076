-- Most jobs are acquires, all alike, of a bucket that is there and has nothing out of the ordinary. They are decided here, with
-- one look and one change, as `BucketState::acquire_one_plainly` does. What is not that simple has no answer here, and
-- nothing is changed.

-- When the last of the rates has room in the log, and which it is; nothing where that takes a search.
local function quick_log(key, value, body, quota, now, total, open, finish, closed, base, head, count, cap, used)
  local last, binding = now, 0
  for place = 1, #quota do
    local rate = quota[place]
    local leaving = finish - base + total - rate.limit
    if leaving > 0 then
      local tick = open
      if base + leaving <= closed then
        -- While each event is one unit, its place is known.
        if closed - base ~= count + used then return nil end
        local at = AREA + (leaving - 1 - count) * 16
        if leaving <= count then at = body + (head + leaving - 1) % cap * 16 end
        if #value >= at + 8 then
          tick = unpack('>I8', value, at + 1)
        else
          tick = unpack('>I8', call('GETRANGE', key, at, at + 7))
        end
      elseif base + leaving > finish then
        return nil
      end
      local from = tick + rate.interval + 1
      if from > last then last, binding = from, place end
    end
  end
  return last, binding
end

-- The same for lanes; and where there is room, the lanes as they are afterwards.
local function quick_lanes(value, quota, now, total)
  local last, binding, area = now, 0, {}
  for place = 1, #quota do
    local rate = quota[place]
    local a, b = unpack('>I8I8', value, AREA + place * 16 - 15)
    local from
    if quota.algorithm == 'g' then
      local whole, part = share(total, rate.interval, rate.limit)
      if total > rate.burst then return nil end
      -- It fits once what drains is no more than the burst leaves for it.
      local w, p = a + whole - rate.full, b + part - rate.part
      if p < 0 then w, p = w - 1, p + rate.limit end
      if p >= rate.limit then w, p = w + 1, p - rate.limit end
      from = w + min(p, 1)
      if a < now then a, b = now, 0 end
      a, b = a + whole, b + part
      if b >= rate.limit then a, b = a + 1, b - rate.limit end
      if a >= END then return nil end
    else
      if now - a >= rate.interval then a, b = now - fmod(now, rate.interval), 0 end
      b = b + total
      from = b > rate.limit and a + rate.interval or 0
    end
    if from > last then last, binding = from, place end
    area[place] = pack('>I8I8', a, b)
  end
  return last, binding, table.concat(area)
end

-- Moves a full area to the ring, over events that have left every window where there is no other room: the ring is then as it
-- says; nothing where it is not that simple.
local function quick_move(key, body, quota, now, area, base, head, count, cap)
  local moved = #area / 16
  if moved < MOST_RECENT or cap < 2 * moved then return nil end
  if cap - count < moved then
    local at = body + (head + moved - 1) % cap * 16
    local tick, total = unpack('>I8I8', call('GETRANGE', key, at, at + 15))
    if tick + quota.retention >= now then return nil end
    head, count, base = (head + moved) % cap, count - moved, total
  end
  local slot = (head + count) % cap
  local part = min(moved, cap - slot)
  -- Nothing that the header speaks of is changed by it yet.
  if type(try('SETRANGE', key, body + slot * 16, sub(area, 1, part * 16))) == 'table' then return nil end
  if part < moved then call('SETRANGE', key, body, sub(area, part * 16 + 1)) end
  return head, count + moved, base
end

local function quick(key, job)
  if #job ~= 26 then return nil end
  local code, _, number, amount, at, weight = unpack('>BBIIdd', job)
  if code ~= 1 or at >= 0 then return nil end
  local quota, value = quota_of(number), try('GETRANGE', key, '0', GLANCE)
  if type(value) == 'table' or find(value, MAGIC, 1, true) ~= 1 or #value < AREA then return nil end
  local mark, high, low, open, finish, closed, base, head, count, cap, expires, room, used, rare, length = unpack(HOT, value, 9)
  local text = AREA + room * 16 + COLD_SIZE
  local body = text + length
  if rare > 0 or length ~= #quota.text or find(value, quota.text, text + 1, true) ~= text + 1 then return nil end
  if weight > quota.capacity then return nil end
  local now, total = max(mark, clock), weight * amount
  if mark - clock > quota.retention or finish + total > END then return nil end

  local last, binding, area
  local is_log = quota.algorithm == 's'
  if is_log then
    last, binding = quick_log(key, value, body, quota, now, total, open, finish, closed, base, head, count, cap, used)
  else
    last, binding, area = quick_lanes(value, quota, now, total)
  end
  if not last then return nil end
  if binding > 0 then
    if amount > 1 then return nil end
    return pack('>BIdddddHB', 2, 0, 0, 0, 0, clock, last, binding, 1)
  end
  local answer, needed = pack('>Bddd', 1, now, high, low), 0
  if is_log then
    if finish > base and open + quota.retention < now then
      base, closed, finish, head, count, used = 0, 0, 0, 0, 0, 0
    end
    area = sub(value, AREA + 1, AREA + used * 16)
    if finish > closed and open ~= now then
      if used == room then
        head, count, base = quick_move(key, body, quota, now, area, base, head, count, cap)
        if not head then return nil end
        area, used = '', 0
      end
      area, used, closed = area .. pack('>I8I8', open, finish), used + 1, finish
    end
    open, finish, needed = now, finish + total, now + quota.retention + 1
  else
    for place = 1, #quota do
      local a, b = unpack('>I8I8', area, place * 16 - 15)
      needed = max(needed, quota.algorithm == 'g' and a + min(b, 1) or a + quota[place].interval)
    end
  end
  low = low + total
  if low >= HALF then high, low = high + floor(low / HALF), fmod(low, HALF) end
  needed = ceil(max(needed, clock) / 1000)
  local is_short = expires < needed
  if is_short then expires = needed + SLACK end
  local hot = pack(HOT, now, high, low, open, finish, closed, base, head, count, cap, expires, room, used, 0, length)
  local written = try('SETRANGE', key, '8', hot .. area)
  if type(written) == 'table' then return '!E' .. written.err end
  if is_short then call('PEXPIREAT', key, expires) end
  return answer
end

local answers, left = { pack('>d', clock) }, 0
for place = 1, #KEYS do
  local done, answer = pcall(quick, KEYS[place], ARGV[amount + 1 + place])
  answer = done and answer or false
  answers[place + 1] = answer
  if not answer then left = left + 1 end
end
if left == 0 then return answers end
