-- Sweeps the lists of a partition, each by itself: a damaged one does not stop the others.
-- A lease whose holder died idle is taken away, and its session expires (C4). A session with work and a token stays in
-- `held`: a holder that was stopped may come back to it.
local function lease_look(id)
  local r, read = {}, redis.call('HMGET', state_of(id), 'token', 'holder', 'lease_until', 'lease_ttl')
  r.token, r.holder, r.lease_until, r.lease_ttl = unpack(read)
  if r.token and lease_lives(r) then return redis.call('ZADD', held, r.lease_until, id) end
  if redis.call('LLEN', inbox_of(id)) > 0 then
    redis.call('ZADD', pending, 'NX', now, id) -- it may have been removed under a clock that was then set back
    if r.token then return redis.call('ZADD', held, now + 2000, id) end
  end
  redis.call('ZREM', held, id)
  if not r.token then return end
  redis.call('HDEL', state_of(id), 'token', 'holder')
  for _, key in ipairs(expiring_of(id)) do
    redis.call('PEXPIREAT', key, now + resume_window)
  end
end
try('held', function()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', held, '-inf', now, 'LIMIT', 0, MEMBERS)) do
    if not try(id, lease_look, id) then redis.call('ZADD', held, now + BACKOFF_MAX, id) end
  end
end)
try('sessions', function()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', sessions, '-inf', now - resume_window,
    'LIMIT', 0, MEMBERS)) do
    if redis.call('EXISTS', state_of(id)) == 0 then
      redis.call('ZREM', sessions, id)
      try(id, redis.call, 'ZREM', owned_of(id), id)
    else redis.call('ZADD', sessions, now, id) end -- kept by its work: looked at again later
  end
end)
local too_old = int((now - LETTER_KEPT) * 1000)
try('dead', function()
  for _, letter in ipairs(redis.call('ZRANGEBYSCORE', dead, '-inf', too_old, 'LIMIT', 0, MEMBERS)) do
    local letters = letters_of(string.match(letter, '^[^~]+'))
    local number = redis.call('ZSCORE', dead, letter)
    try(letter, redis.call, 'ZREMRANGEBYSCORE', letters, number, number)
    try(letter, redis.call, 'ZREM', dead_owned_of(letter), letter)
    redis.call('ZREM', dead, letter)
  end
end)
try('ends', overdue_ends)
