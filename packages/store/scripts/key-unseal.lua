-- Opens again what a move has closed: a state or a listing.
-- KEYS: record sealed
-- ARGV: mark
-- REPLY: open
-- RULES: M4 C2
if redis.call('TYPE', record).ok == 'string' and redis.call('GET', record) == mark then
  redis.call('DEL', record)
  if redis.call('EXISTS', sealed) == 1 then redis.call('RENAME', sealed, record) end
end
return { 'open' }
