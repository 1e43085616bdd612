-- The head of the inbox: one message, or the run of adjacent `collect` messages (at most 32). `batch` of the
-- state is its size once it was started; what else is known of a started head means nothing without it.
-- NEEDS: s, clock, entry; inbox
local BATCH_MAX = 32
local function head_size(first)
  if entry_mode(first) ~= 'collect' then return 1 end
  local run = redis.call('LRANGE', inbox, 0, BATCH_MAX - 1)
  local size = 1
  while run[size + 1] and entry_mode(run[size + 1]) == 'collect' do size = size + 1 end
  return size
end
-- The first attempt of the next head, in the holder's name.
local function head_start(id_of_turn, first)
  put('batch', head_size(first))
  put('turn_id', id_of_turn)
  put('turn_word', 'begun')
  put('attempt', 1)
  put('delta', 0)
  put('first_at', now)
end
