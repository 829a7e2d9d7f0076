-- Decides on operations, as `BucketState::apply` does: each function here says which one it is the same as.
--
-- KEYS: one bucket a job. ARGV[1]: how many quotas; then for each its text and its numbers; then for each key its job. These are
-- as `encode.rs` writes them. The answer is one string a job, as `reply.rs` reads it. A bucket's form is told in docs/redis.md.
--
-- Numbers are doubles: all of them, and all that is computed from them, stay below 2^53, where time ends.

local call, try, pack, unpack = redis.call, redis.pcall, struct.pack, struct.unpack
local fmod, ceil, floor, min, max, sub, find = math.fmod, math.ceil, math.floor, math.min, math.max, string.sub, string.find

local END = 9007199254740992
local HALF = 1125899906842624
local MAGIC = 'scupper1'
-- What every change writes: high-water mark, sequence, open event, totals, ring, time to live, room of the area behind this
-- and how much of it is used, how many more units certainly fit, whether anything is out of the ordinary, length of the quota.
-- Then what few buckets have.
local HOT, COLD = '>I8I2I8I8I8I8I8I4I4I4I8I2I2I2BI4', '>I8I8I2I8I8I8I8I8'
local AREA, COLD_SIZE = 89, 58
-- The last byte that is read at once: all of a small bucket, of a large one all but its log. As a text, the server need not make
-- it one.
local GLANCE, GLANCE_TEXT = 400, '400'
-- For so many more units than are asked for a log is looked at, so that those who come next need not look again.
local AHEAD = 63
local PATIENCE = 60000000
local SLACK = 1000
-- Events in the area, at the most; more, and there is a ring.
local FEW, MOST_RECENT, SINGLES, OTHERS = 2, 8, 65536, 64

local time = call('TIME')
local clock = time[1] * 1000000 + time[2]

local amount = tonumber(ARGV[1])
-- What the server says if it is no master: that is the answer to the whole call, of which nothing was done then. Before Redis 7, its
-- word for that stands behind the place in the script.
local no_master
