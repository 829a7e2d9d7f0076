-- One operation; what it answers, and whether the bucket was no part of it.
local function apply(b, code, quota, at, x, job, place, standing, count, line)
  if code == 1 then return acquire(b, quota, at, x, count, standing, line) end
  if code == 2 then return peek(b, quota, at), true end
  if code == 3 then
    local tick, high, low = unpack('>ddd', job, place)
    local back = refund(b, at, x, tick, high, low)
    return pack('>Bd', 1, back), back == 0
  end
  if code == 5 then return pack('>BB', 1, reset(b, at) and 1 or 0) end
  local now = enter(b, quota, at)
  if not now then return nil end
  if code == 4 then
    charge(b, now, x)
    return pack('>Bd', 1, now)
  end
  b.mark, b.held, b.dirty = now, max(b.held, min(END, now + x)), true
  return pack('>Bd', 1, b.held)
end

local function carry_out(key, job)
  local out, line, place, b, is_read = {}, {}, 1, nil, false
  while place <= #job do
    local code, standing, number, count, at, x
    code, standing, number, count, at, x, place = unpack('>BBIIdd', job, place)
    local quota = quota_of(number)
    if not is_read then b, is_read = read(key, quota), true end
    local answer, is_apart
    if code == 7 then
      answer = pack('>BB', 1, b and settled_from(b) > clock and 1 or 0)
    elseif not b and not quota then
      answer = code == 3 and pack('>Bd', 1, 0) or pack('>BB', 1, 0)
    else
      b = b or fresh(key, quota)
      local now = at >= 0 and at or clock
      -- Not before what the bucket has seen: nothing can have been admitted earlier.
      if at >= 0 and b.high == 0 and b.low == 0 and not (standing > 0 and line.retry) then
        local since = max(now, b.mark)
        b.since, b.dirty = since, b.dirty or since ~= b.since
      end
      if code == 3 and at < 0 and b.own_store > 0 then now = b.own_caller end
      answer, is_apart = apply(b, code, quota, now, x, job, place, standing, count, line)
      if not answer then
        answer = pack('>BB', 4, string.byte(b.quota.algorithm))
      elseif at >= 0 and not is_apart then
        b.own_caller, b.own_store, b.dirty = at, clock, true
      end
    end
    if code == 3 then place = place + 24 end
    out[#out + 1] = answer
  end
  if b and b.dirty then write(b) end
  return table.concat(out)
end

for place, key in ipairs(KEYS) do
  if not answers[place + 1] then
    local done, answer = pcall(carry_out, key, ARGV[amount * 2 + 1 + place])
    if not done then
      -- A table is ours; a text is what the language says of bytes that are no bucket.
      answer = type(answer) == 'table' and '!' .. (answer[1] or 'E' .. tostring(answer.err)) or '!C' .. tostring(answer)
    end
    answers[place + 1] = answer
  end
end
return no_master and redis.error_reply(no_master) or answers
