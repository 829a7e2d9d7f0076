-- Stands around the script. Its clock is the last argument, and no key expires: what the script says of that stands behind its
-- answers, for each key when it is to expire, in milliseconds, and how many ways were tried. Of a key that ends in `full`, there
-- is no room for a change.
local server, clock, asked, expiries, ways, wrong = redis, tonumber(ARGV[#ARGV]), 0, {}, {}, ''

local function insist(is_right, text)
  if not is_right then wrong = wrong .. text .. '; ' end
end

local function expire(key, at)
  insist(at % 1 == 0 and at > 0 and at < 9007199254740992, 'a key expires at ' .. tostring(at))
  expiries[key] = at
end

local function heard(send)
  return function(name, key, first, second, third)
    if string.sub(name, 1, 3) == 'SET' and string.sub(key, -4) == 'full' then return { err = 'OOM' } end
    if name == 'TIME' then
      asked = asked + 1
      return { string.format('%.0f', math.floor(clock / 1000000)), string.format('%.0f', math.fmod(clock, 1000000)) }
    elseif name == 'SET' then
      insist(second == 'PX' and third >= 1, 'a key is set and never expires')
      expire(key, math.floor(clock / 1000) + third)
      return send(name, key, first)
    elseif name == 'PEXPIREAT' then
      insist(send('EXISTS', key) == 1, 'a key that is not there is to expire')
      expire(key, first)
      return 1
    end
    return third and send(name, key, first, second, third) or second and send(name, key, first, second)
      or first and send(name, key, first) or send(name, key)
  end
end
local redis = { call = heard(server.call), pcall = heard(server.pcall), error_reply = server.error_reply }

-- The long way, where it is taken. That it fails is an answer; here, it is a mistake.
local plain_pcall = pcall
local function pcall(way, key, job)
  ways[key] = (ways[key] or 0) + 1
  local done, answer = plain_pcall(way, key, job)
  insist(done or type(answer) == 'table', tostring(answer))
  return done, answer
end

local function script()
--[[script]]
end

local answers = script()
insist(asked == 1, 'the time was asked for ' .. asked .. ' times')
for _, key in ipairs(KEYS) do answers[#answers + 1] = struct.pack('>dd', expiries[key] or 0, ways[key] or 0) end
answers[#answers + 1] = wrong
return answers
