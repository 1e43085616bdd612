-- Dead letters: those of a session, by number, and two listings of ids (the partition's and the principal's). The
-- number is the time in microseconds, later than any other in the partition: it orders them and is never drawn twice.
local function letters_read() -- before anything is written
  for _, key in ipairs({ letters, dead, dead_owned }) do redis.call('ZCARD', key) end
end
local function letter_id(message_id) return id .. '~' .. message_id end
local function letter_remove(number, message_id)
  redis.call('ZREMRANGEBYSCORE', letters, number, number)
  redis.call('ZREM', dead, letter_id(message_id))
  redis.call('ZREM', dead_owned, letter_id(message_id))
end
-- The dead letter with this number; its text is `<message_id> <json>`.
local function letter_read(number)
  return redis.call('ZRANGEBYSCORE', letters, number, number)[1]
end
local function letter_keep(entry, reason, attempts)
  local message_id = string.match(entry, '^%S+')
  local earlier = redis.call('ZSCORE', dead, letter_id(message_id))
  if earlier then letter_remove(earlier, message_id) end
  local last = tonumber(redis.call('ZRANGE', dead, -1, -1, 'WITHSCORES')[2] or 0)
  local number = int(math.max(time[1] * 1000000 + time[2], last + 1))
  redis.call('ZADD', letters, number, message_id .. ' ' .. cjson.encode({
    session_id = s.session_id, agent = s.agent, principal = s.principal,
    reason = reason, attempts = tonumber(attempts), at = now, entry = entry,
  }))
  redis.call('ZADD', dead, number, letter_id(message_id))
  redis.call('ZADD', dead_owned, number, letter_id(message_id))
end
local function letter_trim(most) -- removes the oldest of this session
  local surplus = redis.call('ZCARD', letters) - tonumber(most)
  if surplus <= 0 then return end
  for _, letter in ipairs(redis.call('ZRANGE', letters, 0, surplus - 1)) do
    local message_id = string.match(letter, '^%S+')
    letter_remove(redis.call('ZSCORE', dead, letter_id(message_id)), message_id)
  end
end
