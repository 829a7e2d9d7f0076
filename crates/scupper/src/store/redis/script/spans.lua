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
