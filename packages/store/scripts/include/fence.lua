-- Only the holder writes: token and fence must both be the stored ones (L3).
local lease = redis.call('HMGET', state, 'token', 'fence')
local fenced = lease[1] ~= token or lease[2] ~= fence
