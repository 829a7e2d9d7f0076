-- Most jobs are acquires, all alike, of a bucket that is there and has nothing out of the ordinary. They are decided here, with
-- one look and one change, as `BucketState::acquire_one_plainly` does; what is not that simple is left to what follows, with
-- nothing changed. It makes no functions and no tables: on a call for one key, they would take longer than deciding. Nothing
-- here may fail, whatever the bytes are: lengths are looked at first.

local answers, left = { pack('>d', clock) }, 0

for job_place = 1, #KEYS do
  local key, job, answer = KEYS[job_place], ARGV[amount * 2 + 1 + job_place], false
  repeat
    if #job ~= 26 then break end
    local code, _, number, times, at, weight = unpack('>BBIIdd', job)
    if code ~= 1 or at >= 0 then break end
    local quota, numbers = ARGV[number * 2], ARGV[number * 2 + 1]
    local value = try('GETRANGE', key, '0', GLANCE_TEXT)
    if type(value) == 'table' or #value < AREA or find(value, MAGIC, 1, true) ~= 1 then break end
    local mark, high, low, open, finish, closed, base, head, count, cap, expires, room, used, assured, rare, length =
      unpack(HOT, value, 9)
    -- `can_be`.
    if max(mark, low, open, finish, expires) > END or base > closed or closed > finish or count > cap then break end
    if head >= cap and head > 0 then break end
    local text = AREA + room * 16 + COLD_SIZE
    local body = text + length
    if rare > 0 or length ~= #quota or used > room or find(value, quota, text + 1, true) ~= text + 1 then break end
    local retention, capacity, rates = unpack('>ddd', numbers)
    local now, total = max(mark, clock), weight * times
    if weight > capacity or mark - clock > retention or finish > END - total then break end

    -- When the last of the rates has room, and which it is.
    local last, binding, area, owes, is_log = now, 0, '', 0, find(quota, 's', 1, true) == 1
    if is_log and assured >= total then
      assured = assured - total
    elseif is_log then
      assured = AHEAD
      for place = 1, rates do
        local limit, interval = unpack('>dd', numbers, place * 40 - 15)
        local leaving = finish - base + total - limit
        if leaving + AHEAD > 0 then
          -- Units further on that have left as well.
          local at = leaving + AHEAD - count
          if limit <= AHEAD or base + leaving + AHEAD > closed or closed - base ~= count + used then
            assured = 0
          elseif assured > 0 then
            local bytes
            if at > 0 then
              bytes = sub(value, AREA + at * 16 - 15, AREA + at * 16 - 8)
            else
              local from = body + (head + leaving + AHEAD - 1) % cap * 16
              bytes = try('GETRANGE', key, from, from + 7)
            end
            if #bytes < 8 or unpack('>I8', bytes) + interval >= now then assured = 0 end
          end
        end
        if leaving > 0 and assured == 0 then
          local tick = open
          if base + leaving <= closed then
            -- While each event is one unit, its place is known.
            if closed - base ~= count + used then last = nil break end
            local bytes
            if leaving > count then
              bytes = sub(value, AREA + (leaving - count) * 16 - 15, AREA + (leaving - count) * 16 - 8)
            else
              local from = body + (head + leaving - 1) % cap * 16
              bytes = try('GETRANGE', key, from, from + 7)
            end
            if #bytes < 8 then last = nil break end
            tick = unpack('>I8', bytes)
          elseif base + leaving > finish then
            last = nil
            break
          end
          local from = tick + interval + 1
          if from > last then last, binding = from, place end
        end
      end
    elseif used == rates and room == rates then
      local is_gcra = find(quota, 'g', 1, true) == 1
      for place = 1, rates do
        local limit, interval, burst, full, part = unpack('>ddddd', numbers, place * 40 - 15)
        local a, b = unpack('>I8I8', value, AREA + place * 16 - 15)
        if max(a, b) > END then last = nil break end
        local from
        if is_gcra then
          local product = total * interval
          if product >= END or total > burst then last = nil break end
          local rest = fmod(product, limit)
          local whole = (product - rest) / limit
          -- It fits once what drains is no more than the burst leaves for it.
          local w, p = a + whole - full, b + rest - part
          if p < 0 then w, p = w - 1, p + limit end
          if p >= limit then w, p = w + 1, p - limit end
          from = w + min(p, 1)
          if a < now then a, b = now, 0 end
          a, b = a + whole, b + rest
          if b >= limit then a, b = a + 1, b - limit end
          if a >= END then last = nil break end
          owes = max(owes, a + min(b, 1))
        else
          if now - a >= interval then a, b = now - fmod(now, interval), 0 end
          b, owes = b + total, max(owes, a + interval)
          from = b > limit and a + interval or 0
        end
        if from > last then last, binding = from, place end
        area = area .. pack('>I8I8', a, b)
      end
    else
      break
    end
    if not last then break end
    if binding > 0 then
      if times == 1 then answer = pack('>BIdddddHB', 2, 0, 0, 0, 0, clock, last, binding, 1) end
      break
    end

    if is_log then
      if finish > base and open + retention < now then base, closed, finish, head, count, used = 0, 0, 0, 0, 0, 0 end
      area = sub(value, AREA + 1, AREA + used * 16)
      if #area < used * 16 then break end
      if finish > closed and open ~= now then
        if used == room then
          -- The area is full: it moves to the ring, over events that have left every window where there is no other room.
          if used < MOST_RECENT or cap < 2 * used then break end
          if #try('GETRANGE', key, body + cap * 16 - 1, body + cap * 16) ~= 1 then break end
          local first, events, before = head, count, base
          if cap - events < used then
            local from = body + (first + used - 1) % cap * 16
            local bytes = try('GETRANGE', key, from, from + 15)
            if #bytes < 16 then break end
            local tick, ends = unpack('>I8I8', bytes)
            if tick + retention >= now then break end
            first, events, before = (first + used) % cap, events - used, ends
          end
          local slot = (first + events) % cap
          local part = min(used, cap - slot)
          if type(try('SETRANGE', key, body + slot * 16, sub(area, 1, part * 16))) == 'table' then break end
          if part < used then call('SETRANGE', key, body, sub(area, part * 16 + 1)) end
          head, count, base, area, used = first, events + used, before, '', 0
        end
        area, used, closed = area .. pack('>I8I8', open, finish), used + 1, finish
      end
      open, finish, owes = now, finish + total, now + retention + 1
    end
    answer = pack('>Bddd', 1, now, high, low)
    low = low + total
    if low >= HALF then high, low = high + floor(low / HALF), fmod(low, HALF) end
    local needed = ceil(max(owes, clock) / 1000)
    if expires < needed then
      -- `keep_until`.
      expires = needed + SLACK
      local refused = try('SETRANGE', key, '0', MAGIC)
      if type(refused) ~= 'table' then refused = try('PEXPIREAT', key, expires) end
      if type(refused) == 'table' then
        if find(refused.err, 'READONLY', 1, true) then no_master = 'READONLY ' .. refused.err end
        answer = '!E' .. refused.err
        break
      end
    end
    local hot = pack(HOT, now, high, low, open, finish, closed, base, head, count, cap, expires, room, used, assured, 0, length)
    local written = try('SETRANGE', key, '8', hot .. area)
    if type(written) == 'table' then
      if find(written.err, 'READONLY', 1, true) then no_master = 'READONLY ' .. written.err end
      answer = '!E' .. written.err
    end
  until true
  answers[job_place + 1] = answer
  if not answer then left = left + 1 end
end
if left == 0 then return no_master and redis.error_reply(no_master) or answers end
