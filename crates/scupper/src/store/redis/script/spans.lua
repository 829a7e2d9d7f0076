-- What is wrong with a bucket: an outcome of its operations alone.
local function fail(kind, text)
  error({ kind .. text }, 0)
end

local function must(result)
  if type(result) == 'table' and result.err then fail('E', result.err) end
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
