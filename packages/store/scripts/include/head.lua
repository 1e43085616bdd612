-- The head of the inbox: one message, or the run of adjacent `collect` messages (at most 32).
local BATCH_MAX = 32
local function entry_id(entry) return string.match(entry, '^%S+') end
local function entry_mode(entry) return string.match(entry, '^%S+ %d+ %d+ (%a+)') end
local function head_size()
  local first = redis.call('LINDEX', inbox, 0)
  if entry_mode(first) ~= 'collect' then return 1 end
  local run = redis.call('LRANGE', inbox, 0, BATCH_MAX - 1)
  local size = 1
  while run[size + 1] and entry_mode(run[size + 1]) == 'collect' do size = size + 1 end
  return size
end
-- The started head has its outcome: nothing of it is left to be taken for the next one's.
local function head_forget()
  redis.call('HDEL', state, 'batch', 'attempt', 'abort', 'hand_overs', 'handed', 'turn_id', 'turn_word',
    'pause', 'first_at', 'cuts', 'retry_at', 'failing_since')
end
-- What the holder needs to run the started head; `word` begins the reply.
local function head_reply(word)
  local h = redis.call('HMGET', state, 'fence', 'turn_id', 'attempt', 'abort', 'batch', 'epoch',
    'cursor', 'agent', 'principal', 'session_id', 'pause', 'first_at', 'cut')
  for i = 1, 13 do h[i] = h[i] or '' end
  return { word, h, redis.call('LRANGE', inbox, 0, tonumber(h[5]) - 1) }
end
