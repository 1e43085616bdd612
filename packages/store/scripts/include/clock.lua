-- One clock for the cluster: the time of Redis, in ms (L6).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = int(now)
