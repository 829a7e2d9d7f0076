-- Reading and writing.

local function fresh(key, quota)
  local b = { key = key, quota = quota, mark = 0, high = 0, low = 0, open = 0, finish = 0, closed = 0, base = 0, head = 0,
    count = 0, cap = 0, expires = 0, since = clock, held = 0, floor_high = 0, floor_low = 0, kept = 0, most = 0,
    own_caller = 0, own_store = 0, anew = true, rare = true, lanes = {}, others = {} }
  for place = 1, #quota do b.lanes[place] = { 0, 0 } end
  return b
end

-- The bucket under this key, or nothing.
local function read(key, quota)
  local value = try('GETRANGE', key, 0, GLANCE - 1)
  if type(value) == 'table' then
    if string.find(value.err, 'WRONGTYPE', 1, true) then fail('F', call('TYPE', key).ok) end
    fail('E', value.err)
  end
  if value == '' then return nil end
  if sub(value, 1, 7) ~= sub(MAGIC, 1, 7) then fail('F', 'string') end
  if sub(value, 1, 8) ~= MAGIC then fail('V', sub(value, 8, 8)) end
  if #value < HEADER then fail('C', 'it is cut off') end
  local b, length = { key = key }, nil
  b.mark, b.high, b.low, b.open, b.finish, b.closed, b.base, b.head, b.count, b.cap, b.expires = unpack(HOT, value, 9)
  b.since, b.held, b.floor_high, b.floor_low, b.kept, b.most, b.own_caller, b.own_store, length = unpack(COLD, value, 97)
  b.body = HEADER + length
  if b.body > GLANCE then value = call('GETRANGE', key, 0, b.body + GLANCE) end
  local text = sub(value, HEADER + 1, b.body)
  b.quota = quota and quota.text == text and quota or read_quota(text)
  if #b.quota == 0 then fail('C', 'its rates cannot be read') end
  if not LANES[b.quota.algorithm] then
    if #value >= b.body + b.cap * 16 then b.ring, b.off = value, b.body end
    return b
  end
  if #value >= GLANCE then value = call('GET', key) end
  local at, count = b.body + 1, nil
  b.lanes, b.others = {}, {}
  for place = 1, #b.quota do
    local x, y = unpack('>I8I8', value, at)
    b.lanes[place], at = { x, y }, at + 16
  end
  count, at = unpack('>I8', value, at)
  for place = 1, count do
    local limit, interval, burst, x, y
    limit, interval, burst, x, y, at = unpack('>I8I8I8I8I8', value, at)
    b.others[place] = { rate = rate_of(limit, interval, burst), x, y }
  end
  return b
end

local function hot(b)
  return pack(HOT, b.mark, b.high, b.low, b.open, b.finish, b.closed, b.base, b.head, b.count, b.cap, b.expires)
end

local function cold(b)
  return pack(COLD, b.since, b.held, b.floor_high, b.floor_low, b.kept, b.most, b.own_caller, b.own_store, #b.quota.text)
end

local function body(b)
  if not LANES[b.quota.algorithm] then
    if b.cap == 0 then return '' end
    if not b.ring then b.ring, b.off = call('GETRANGE', b.key, b.body, -1), 0 end
    if #b.ring < b.off + b.cap * 16 then fail('C', 'its log is cut off') end
    return sub(b.ring, b.off + 1, b.off + b.cap * 16)
  end
  local parts = {}
  for place = 1, #b.quota do parts[place] = pack('>I8I8', b.lanes[place][1], b.lanes[place][2]) end
  parts[#parts + 1] = pack('>I8', #b.others)
  for _, other in ipairs(b.others) do
    local rate = other.rate
    parts[#parts + 1] = pack('>I8I8I8I8I8', rate.limit, rate.interval, rate.burst, other[1], other[2])
  end
  return table.concat(parts)
end

local function must(result)
  if type(result) == 'table' and result.err then fail('E', result.err) end
end

-- Writes what has changed: never without a time to live.
local function write(b)
  local until_then = settled_from(b, true)
  if b.expires == 0 and until_then <= clock then return end
  local needed = ceil(max(until_then, clock) / 1000)
  local is_short = b.expires < needed or b.moved
  if is_short then b.expires = needed + SLACK end
  if b.anew or LANES[b.quota.algorithm] then
    local value = MAGIC .. hot(b) .. cold(b) .. b.quota.text .. body(b)
    must(try('SET', b.key, value, 'PX', max(1, b.expires - floor(clock / 1000))))
    b.body = HEADER + #b.quota.text
  else
    must(try('SETRANGE', b.key, 8, b.rare and hot(b) .. cold(b) or hot(b)))
    if is_short then call('PEXPIREAT', b.key, b.expires) end
  end
  for slot, event in pairs(b.over or {}) do
    call('SETRANGE', b.key, b.body + slot * 16, pack('>I8I8', event[1], event[2]))
  end
end
