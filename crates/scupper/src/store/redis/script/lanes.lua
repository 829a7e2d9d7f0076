-- The lanes of `Gcra` (when all has drained, and a part of a microsecond) and of `FixedWindow` (start, count).
local gcra, window = {}, {}

function gcra.free_from(rate, a, b, now, weight)
  local whole, part = share(weight, rate.interval, rate.limit)
  whole, part = minus(rate.full, rate.part, whole, part, rate.limit)
  whole, part = minus(a, b, whole, part, rate.limit)
  return whole + min(part, 1)
end

function gcra.charge(rate, a, b, now, weight)
  if a < now then a, b = now, 0 end
  local whole, part = share(weight, rate.interval, rate.limit)
  a, b = a + whole, b + part
  if b >= rate.limit then a, b = a + 1, b - rate.limit end
  if a >= END then return END, 0 end
  return a, b
end

function gcra.free_at(rate, a, b)
  return a + min(b, 1)
end

function gcra.usage(rate, a, b, now)
  local whole, part = minus(a, b, now, 0, rate.limit)
  return units_ceil(whole, part, rate), max(a + min(b, 1), now)
end

function gcra.refund(rate, a, b, now, weight, tick, later)
  local whole, part = minus(a, b, now, 0, rate.limit)
  local lw, lp = share(later, rate.interval, rate.limit)
  whole, part = minus(whole, part, lw, lp, rate.limit)
  local ww, wp = share(weight, rate.interval, rate.limit)
  if ww < whole or (ww == whole and wp < part) then whole, part = ww, wp end
  a, b = minus(a, b, whole, part, rate.limit)
  return a, b, units_ceil(whole, part, rate)
end

function gcra.rebase(rate, a, b, from, to)
  return minus(a, b, from - to, 0, rate.limit)
end

function gcra.goes_on(old, new)
  return old.limit == new.limit and old.interval == new.interval
end

function window.free_from(rate, a, b, now, weight)
  if now - a < rate.interval and b + weight > rate.limit then return a + rate.interval end
  return 0
end

function window.charge(rate, a, b, now, weight)
  if now - a >= rate.interval then a, b = now - fmod(now, rate.interval), 0 end
  return a, min(END, b + weight)
end

function window.free_at(rate, a, b)
  if b == 0 then return 0 end
  return a + rate.interval
end

function window.usage(rate, a, b, now)
  if now - a < rate.interval and b > 0 then return b, a + rate.interval end
  return 0, now
end

function window.refund(rate, a, b, now, weight, tick, later)
  if now - a >= rate.interval or tick < a then return a, b, 0 end
  local back = min(weight, b)
  return a, b - back, back
end

function window.rebase(rate, a, b, from, to)
  return to - fmod(to, rate.interval), from - a < rate.interval and b or 0
end

function window.goes_on(old, new)
  return old.interval == new.interval
end

local LANES, LOG = { g = gcra, f = window }, 's'
