-- The operations.

local function peek(b, quota, at)
  local is_far = b.mark - at > retention(b)
  if b.quota.text ~= quota.text or is_far then
    local other = {}
    for name, value in pairs(b) do other[name] = value end
    other.lanes, other.others = {}, {}
    for place, lane in ipairs(b.lanes or {}) do other.lanes[place] = { lane[1], lane[2] } end
    for place, lane in ipairs(b.others or {}) do other.others[place] = { rate = lane.rate, lane[1], lane[2] } end
    b = other
    if not enter(b, quota, at) then return nil end
  end
  local now, lanes, out = max(at, b.mark), LANES[b.quota.algorithm], {}
  out[1] = pack('>Bdd', 1, at, b.held > now and b.held or -1)
  for place, rate in ipairs(b.quota) do
    local used, reset
    if lanes then
      used, reset = lanes.usage(rate, b.lanes[place][1], b.lanes[place][2], now)
    else
      used, reset = usage_log(b, rate, now)
    end
    out[#out + 1] = pack('>dd', used, reset)
  end
  return table.concat(out)
end

local function refund(b, at, weight, tick, high, low)
  local now = max(at, b.mark)
  local is_above = high > b.floor_high or (high == b.floor_high and low > b.floor_low)
  local is_known = high < b.high or (high == b.high and low <= b.low)
  if not (is_above and is_known) or tick < b.since or tick > now or b.mark - at > retention(b) then return 0 end
  local lanes = LANES[b.quota.algorithm]
  local most = 0
  if lanes then
    local later = min(END, (b.high - high) * HALF + b.low - low)
    each_lane(b, function(rate, x, y)
      local back
      x, y, back = lanes.refund(rate, x, y, now, weight, tick, later)
      most = max(most, back)
      return x, y
    end)
  else
    most = refund_log(b, tick, weight, now)
  end
  if most > 0 then b.dirty = true end
  return most
end

local function reset(b, at)
  local now = enter_time(b, at)
  local owed = max(free_at(b), b.held) > now
  empty_ledger(b)
  b.mark, b.held, b.floor_high, b.floor_low = now, 0, b.high, b.low
  b.dirty = true
  return owed
end

-- How many requests of this weight fit, one after the other, of so many.
local function fitting(b, now, weight, count)
  local low, high = 0, count
  while low < high do
    local middle = low == 0 and high == count and count or ceil((low + high) / 2)
    local _, place = blocked(b, now, middle * weight)
    if place then high = middle - 1 else low = middle end
  end
  return low
end

-- So many acquires that are alike; `line` is the denial that those in line stand behind.
local function acquire(b, quota, at, weight, count, standing, line)
  if standing > 0 and line.retry then return pack('>BIdddddHB', 2, 0, 0, 0, 0, line.now, line.retry, line.rate, 3), true end
  local now = enter(b, quota, at)
  if not now then return nil end
  if weight > quota.capacity then return pack('>B', 3), true end
  local taken = b.held <= now and fitting(b, now, weight, count) or 0
  local high, low = b.high, b.low
  if taken > 0 then charge(b, now, taken * weight) end
  if taken == count then return pack('>Bddd', 1, now, high, low) end
  local retry, rate, cause = b.held, 0, 2
  local last, place = blocked(b, now, weight)
  if place and last >= b.held then retry, rate, cause = last, place, 1 end
  if standing == 2 then line.now, line.retry, line.rate = at, retry, rate end
  return pack('>BIdddddHB', 2, taken, now, high, low, at, retry, rate, cause)
end
