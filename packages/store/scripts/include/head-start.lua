-- The head of the inbox: one message, or up to 32 adjacent `collect` messages. `batch` in the state is the size of a
-- started head; the other fields of a started head mean nothing without it.
-- NEEDS: s, clock, entry; inbox
local BATCH_MAX = 32
local function head_size(first)
  if entry_mode(first) ~= 'collect' then return 1 end
  local run = redis.call('LRANGE', inbox, 0, BATCH_MAX - 1)
  local size = 1
  while run[size + 1] and entry_mode(run[size + 1]) == 'collect' do size = size + 1 end
  return size
end
-- Starts the first attempt of the next head, in the holder's name.
local function head_start(id_of_turn, first)
  put('batch', head_size(first))
  put('turn_id', id_of_turn)
  put('turn_word', 'begun')
  put('attempt', 1)
  put('delta', 0)
  put('first_at', now)
end
