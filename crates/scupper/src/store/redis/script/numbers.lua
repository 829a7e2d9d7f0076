-- Decides on operations, as `BucketState::apply` does: each function here says which one it is the same as.
--
-- KEYS: one bucket a job. ARGV[1]: how many quotas; then their texts; then for each key its job, operations as `encode.rs`
-- writes them. The answer is one string a job, as `reply.rs` reads it. A bucket's form is told in docs/redis.md.
--
-- Numbers are doubles: all of them, and all that is computed from them, stay below 2^53, where time ends.

local call, try, pack, unpack = redis.call, redis.pcall, struct.pack, struct.unpack
local fmod, ceil, floor, min, max, sub = math.fmod, math.ceil, math.floor, math.min, math.max, string.sub

local END = 9007199254740992
local HALF = 1125899906842624
local MAGIC = 'scupper1'
-- High-water mark, sequence, open event, totals, ring, time to live; then what few buckets have, and the length of the text.
local HOT, COLD = '>I8I8I8I8I8I8I8I8I8I8I8', '>I8I8I8I8I8I8I8I8I8'
local HEADER = 168
-- What is read at once: all of a small bucket, of a large one all but its log.
local GLANCE = 1024
local PATIENCE = 60000000
local SLACK = 1000
local FEW, SINGLES, OTHERS = 4, 65536, 64

local time = call('TIME')
local clock = time[1] * 1000000 + time[2]

-- What is wrong with a bucket: an outcome of its operations alone.
local function fail(kind, text)
  error({ kind .. text }, 0)
end

-- a * b / m as a whole number and a rest, with no rounding (`Span::of`).
local function share(a, b, m)
  local product = a * b
  if product <= END then
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
