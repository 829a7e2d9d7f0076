-- Of a bucket under any algorithm.

-- When the ledger owes nothing (`Ledger::free_at`).
local function free_at(b)
  local lanes = LANES[b.quota.algorithm]
  if not lanes then return b.finish > b.closed and b.open + retention(b) + 1 or 0 end
  local last = 0
  for place, rate in ipairs(b.quota) do last = max(last, lanes.free_at(rate, b.lanes[place][1], b.lanes[place][2])) end
  for _, other in ipairs(b.others) do last = max(last, lanes.free_at(other.rate, other[1], other[2])) end
  return last
end

-- The first microsecond at which so many units fit all rates, and the rate that binds until then (`Blocked::last`).
local function blocked(b, now, weight)
  local quota, last, place = b.quota, now, nil
  local lanes = LANES[quota.algorithm]
  for i = 1, #quota do
    local rate, from = quota[i], 0
    if weight > rate.burst then
      from = END
    elseif lanes then
      from = lanes.free_from(rate, b.lanes[i][1], b.lanes[i][2], now, weight)
    else
      local leaving = b.finish - b.base + weight - rate.limit
      if leaving > 0 then from = tick_of(b, leaving) + rate.interval + 1 end
    end
    if from > last then last, place = min(from, END), i end
  end
  return last, place
end

local function each_lane(b, change)
  for place, rate in ipairs(b.quota) do
    local lane = b.lanes[place]
    lane[1], lane[2] = change(rate, lane[1], lane[2])
  end
  for _, other in ipairs(b.others) do other[1], other[2] = change(other.rate, other[1], other[2]) end
end

local function charge(b, now, weight)
  local lanes = LANES[b.quota.algorithm]
  if lanes then
    each_lane(b, function(rate, x, y) return lanes.charge(rate, x, y, now, weight) end)
  else
    charge_log(b, now, weight)
  end
  b.mark, b.low, b.dirty = now, b.low + weight, true
  if b.low >= HALF then b.high, b.low = b.high + floor(b.low / HALF), fmod(b.low, HALF) end
end

local function empty_ledger(b)
  b.open, b.finish, b.closed, b.base, b.lanes, b.others = 0, 0, 0, 0, {}, {}
  lay(b, '', 0)
  for place = 1, #b.quota do b.lanes[place] = { 0, 0 } end
end

-- `BucketState::step_back`.
local function enter_time(b, at)
  if at >= b.mark then return at end
  local from = b.mark
  if from - at <= retention(b) then return from end
  local lanes = LANES[b.quota.algorithm]
  if lanes then
    each_lane(b, function(rate, x, y) return lanes.rebase(rate, x, y, from, at) end)
  else
    rebase_log(b, from, at)
  end
  b.mark, b.since, b.held = at, min(b.since, at), max(0, b.held - (from - at))
  b.floor_high, b.floor_low, b.dirty = b.high, b.low, true
  return at
end

-- `Lanes::adopt`.
local function adopt_lanes(b, old, new, now)
  local lanes, pool, own = LANES[new.algorithm], {}, {}
  for place, rate in ipairs(old) do pool[place] = { rate = rate, b.lanes[place][1], b.lanes[place][2] } end
  for _, other in ipairs(b.others) do pool[#pool + 1] = other end
  for place, rate in ipairs(new) do
    local used, found = 0, nil
    for i, other in ipairs(pool) do
      if not found and lanes.goes_on(other.rate, rate) then found = i end
      if other.rate.interval == rate.interval then
        used = max(used, (lanes.usage(other.rate, other[1], other[2], now)))
      end
    end
    local x, y = 0, 0
    if found then
      x, y = pool[found][1], pool[found][2]
      pool[found] = pool[#pool]
      pool[#pool] = nil
    elseif used > 0 then
      x, y = lanes.charge(rate, 0, 0, now, used)
    end
    own[place] = { x, y }
  end
  local others = {}
  for place, other in ipairs(pool) do
    other.free, other.place = lanes.free_at(other.rate, other[1], other[2]), place
    if other.free > now then others[#others + 1] = other end
  end
  table.sort(others, function(one, two)
    if one.free ~= two.free then return one.free > two.free end
    return one.place < two.place
  end)
  for place = OTHERS + 1, #others do others[place] = nil end
  b.lanes, b.others = own, others
end

-- `BucketState::enter`: the bucket's time, or nothing where another algorithm keeps it.
local function enter(b, quota, at)
  local old = b.quota
  if old.text == quota.text then return enter_time(b, at) end
  if old.algorithm ~= quota.algorithm and free_at(b) > max(at, b.mark) then return nil end
  local now = enter_time(b, at)
  local kept, most = retention(b), max(old.units, b.most)
  b.quota = quota
  if old.algorithm ~= quota.algorithm then
    empty_ledger(b)
  elseif LANES[quota.algorithm] then
    adopt_lanes(b, old, quota, now)
  end
  if kept > retention(b) or most > max(quota.units, b.most) then b.kept, b.most = kept, most end
  b.dirty, b.anew = true, true
  return now
end

-- From when on the store's clock nothing is owed (`BucketState::settled_from`, and with a memory of resets `idle_from`).
local function settled_from(b, remembers)
  local last = max(free_at(b), b.held)
  if remembers and (b.floor_high > 0 or b.floor_low > 0) then last = max(last, b.mark + retention(b)) end
  if b.own_store == 0 then return last end
  local ahead = max(0, last - b.own_caller)
  return b.own_store + ahead + (ahead > 0 and PATIENCE or 0)
end
