-- Reading and writing: docs/redis.md tells the form.

local function fresh(key, quota)
  local b = { key = key, quota = quota, mark = 0, high = 0, low = 0, open = 0, finish = 0, closed = 0, base = 0, head = 0,
    count = 0, cap = 0, expires = 0, room = 0, area = '', since = clock, held = 0, floor_high = 0, floor_low = 0, kept = 0,
    most = 0, own_caller = 0, own_store = 0, anew = true, lanes = {}, others = {} }
  for place = 1, #quota do b.lanes[place] = { 0, 0 } end
  return b
end

local function read_lanes(b, value)
  if #value > GLANCE then value = ask('GET', b.key) end
  if b.room ~= #b.quota then fail('C', 'its header does not go with its rates') end
  b.lanes, b.others = {}, {}
  local at = AREA + 1
  for place = 1, #b.quota do
    local x, y
    x, y, at = unpack('>I8I8', value, at)
    if max(x, y) > END then fail('C', 'its numbers cannot be') end
    b.lanes[place] = { x, y }
  end
  local count
  if #value < b.body + 8 then fail('C', 'it is cut off') end
  count, at = unpack('>I8', value, b.body + 1)
  if #value ~= b.body + 8 + count * 40 then fail('C', 'it is cut off') end
  for place = 1, count do
    local limit, interval, burst, x, y
    limit, interval, burst, x, y, at = unpack('>I8I8I8I8I8', value, at)
    if max(limit, interval, burst, x, y) > END or min(limit, interval, burst) < 1 then fail('C', 'its numbers cannot be') end
    b.others[place] = { rate = rate_of(limit, interval, burst), x, y }
  end
end

-- The bucket under this key, or nothing.
local function read(key, quota)
  local value = try('GETRANGE', key, '0', GLANCE_TEXT)
  if type(value) == 'table' then
    if find(value.err, 'WRONGTYPE', 1, true) then fail('F', ask('TYPE', key).ok) end
    fail('E', value.err)
  end
  if value == '' then
    if ask('TYPE', key).ok ~= 'none' then fail('F', 'string') end
    return nil
  end
  if sub(value, 1, 7) ~= sub(MAGIC, 1, 7) then fail('F', 'string') end
  if sub(value, 1, 8) ~= MAGIC then fail('V', sub(value, 8, 8)) end
  if #value < AREA then fail('C', 'it is cut off') end
  local b, used, length, _ = { key = key }, nil, nil, nil
  b.mark, b.high, b.low, b.open, b.finish, b.closed, b.base, b.head, b.count, b.cap, b.expires, b.room, used, _, _, length =
    unpack(HOT, value, 9)
  if not can_be(b.mark, b.low, b.open, b.finish, b.closed, b.base, b.head, b.count, b.cap, b.expires, b.room, used) then
    fail('C', 'its numbers cannot be')
  end
  local cold = AREA + b.room * 16
  local text = cold + COLD_SIZE
  b.body = text + length
  if b.body > GLANCE then value = ask('GETRANGE', key, 0, b.body + GLANCE) end
  if #value < b.body then fail('C', 'it is cut off') end
  b.since, b.held, b.floor_high, b.floor_low, b.kept, b.most, b.own_caller, b.own_store = unpack(COLD, value, cold + 1)
  if max(b.since, b.held, b.floor_low, b.kept, b.most, b.own_caller, b.own_store) > END then fail('C', 'its numbers cannot be') end
  text = sub(value, text + 1, b.body)
  b.quota = quota and quota.text == text and quota or read_quota(text)
  local is_log = b.quota.algorithm == LOG
  if #b.quota == 0 or not (is_log or LANES[b.quota.algorithm]) then fail('C', 'its rates cannot be read') end
  if not is_log then
    read_lanes(b, value)
    return b
  end
  if not is_whole(key, value, b.body + b.cap * 16) then fail('C', 'its log is cut off') end
  b.area = sub(value, AREA + 1, AREA + used * 16)
  if #value >= b.body + b.cap * 16 then b.ring = sub(value, b.body + 1) end
  return b
end

local function written_lanes(lanes)
  local parts = {}
  for place, lane in ipairs(lanes) do parts[place] = pack('>I8I8', lane[1], lane[2]) end
  return table.concat(parts)
end

-- What stands behind the quota.
local function body(b)
  if not LANES[b.quota.algorithm] then
    if b.cap == 0 then return '' end
    return b.ring or slice({ key = b.key, body = b.body, head = 0, cap = b.cap }, 0, b.cap)
  end
  local parts = { pack('>I8', #b.others) }
  for _, other in ipairs(b.others) do
    local rate = other.rate
    parts[#parts + 1] = pack('>I8I8I8I8I8', rate.limit, rate.interval, rate.burst, other[1], other[2])
  end
  return table.concat(parts)
end

-- Writes what has changed: never without a time to live.
local function write(b)
  local until_then = settled_from(b, true)
  if b.expires == 0 and until_then <= clock then return end
  local needed = ceil(max(until_then, clock) / 1000)
  -- Seldom too short; too long after a reset, a refund, or a step of the clock.
  local is_off = b.expires < needed or b.expires > needed + 2 * SLACK
  if is_off then b.expires = needed + SLACK end
  -- A hold that has passed holds nobody, whatever the clock does.
  if b.held <= b.mark then b.held = 0 end
  local area, is_log = b.area, not LANES[b.quota.algorithm]
  if not is_log then
    b.room = #b.quota
    area = written_lanes(b.lanes)
  end
  local rare = b.held + b.floor_high + b.floor_low + b.kept + b.most + b.own_store > 0 or (not is_log and #b.others > 0)
  local used, length = #area / 16, #b.quota.text
  area = area .. string.rep('\0', (b.room - used) * 16)
  local value = pack(HOT, b.mark, b.high, b.low, b.open, b.finish, b.closed, b.base, b.head, b.count, b.cap, b.expires, b.room,
    used, 0, rare and 1 or 0, length) .. area
    .. pack(COLD, b.since, b.held, b.floor_high, b.floor_low, b.kept, b.most, b.own_caller, b.own_store)
  if b.anew or not is_log then
    value = MAGIC .. value .. b.quota.text .. body(b)
    must(try('SET', b.key, value, 'PX', max(1, b.expires - floor(clock / 1000))))
  else
    if is_off then must(keep_until(b.key, b.expires)) end
    must(try('SETRANGE', b.key, '8', value))
  end
end
