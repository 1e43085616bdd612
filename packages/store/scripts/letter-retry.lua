-- Takes a dead letter back into the inbox of its session, as a new message `<old>.retry.<n>`.
-- KEYS: state inbox events messages seen lease pending paused_agents letters dead dead_owned
--       letter_call
-- ARGV: server channel node_channel id message_id max_inbox max_inbox_bytes max_events max_log_bytes
--       wakes_counted call
-- REPLY: not_found | gone | full <limit> | accepted <epoch> <seq> <now> <position> <ring> <paused>
--        <the log has the text> <fence> <agent> <message_id>
-- RULES: S1 S4 T4 T7 C4 P1
local ANSWER_KEPT = 60000
--@include letter
local called = redis.call('GET', letter_call) -- `<call> <answer>`
if called and string.match(called, '^%S+') == call then -- its reply was lost
  return cjson.decode(string.match(called, ' (.*)$'))
end
local number = redis.call('ZSCORE', dead, letter_id(message_id))
local letter = number and letter_read(number)
if not letter then return { 'not_found' } end
--@include clock
--@include log
--@include entry
--@include seen
--@include expiry
--@include pause
--@include due
if not cursor then return { 'gone' } end
letters_read()
--@include inbox
local kept = cjson.decode(string.match(letter, ' (.*)$'))
if s.ended or s.agent ~= kept.agent then return { 'gone' } end
local old, tried = string.match(message_id, '^(.+)%.retry%.(%d+)$')
local n = tonumber(tried or 0)
local retried
repeat
  n = n + 1
  retried = string.format('%s.retry.%d', old or message_id, n)
until not redis.call('ZSCORE', seen, retried)
local body = string.match(kept.entry, '^%S+ %d+ %d+ %S+ (.*)$')
local entry = inbox_entry(retried, waiting, 'enqueue', body)
local limit = inbox_full(entry)
if limit then return { 'full', limit } end
local answer = inbox_put(retried, waiting, 'enqueue', entry)
letter_remove(number, message_id)
table.insert(answer, retried)
state_save()
for i = 1, #answer do answer[i] = tostring(answer[i]) end
redis.call('SET', letter_call, call .. ' ' .. cjson.encode(answer), 'PX', ANSWER_KEPT)
return answer
