-- The sweep of the lists of a partition, each by itself: one that is damaged keeps no other from it.
try('sessions', function()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', sessions, '-inf', now - resume_window,
    'LIMIT', 0, MEMBERS)) do
    if redis.call('EXISTS', session_prefix .. id .. ':state') == 0 then
      redis.call('ZREM', sessions, id)
      try(id, redis.call, 'ZREM', owned_prefix .. string.sub(id, 1, 12), id)
    else redis.call('ZADD', sessions, now, id) end -- kept by its work: looked at again later
  end
end)
local too_old = string.format('%.0f', (now - LETTER_KEPT) * 1000)
try('dead', function()
  for _, letter in ipairs(redis.call('ZRANGEBYSCORE', dead, '-inf', too_old, 'LIMIT', 0, MEMBERS)) do
    local letters = session_prefix .. string.match(letter, '^[^~]+') .. ':dead'
    local number = redis.call('ZSCORE', dead, letter)
    try(letter, redis.call, 'ZREMRANGEBYSCORE', letters, number, number)
    try(letter, redis.call, 'ZREM', owned_prefix .. string.sub(letter, 1, 12) .. ':dead', letter)
    redis.call('ZREM', dead, letter)
  end
end)
try('ends', overdue_ends)
