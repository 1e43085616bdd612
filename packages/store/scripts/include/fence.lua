-- Only the holder writes: token and fence must both be the stored ones (L3).
local presented = redis.call('HMGET', state, 'token', 'fence')
local fenced = presented[1] ~= token or presented[2] ~= fence
