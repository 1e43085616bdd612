-- Ids of accepted messages. The score is WAITING + seq of the acceptance, and later the seq of the outcome (S3).
-- NEEDS: seen
local WAITING = 4503599627370496 -- 2^52
-- Removes the oldest outcomes until `most` of `count` ids are left; ids that wait score above all outcomes and stay.
local function seen_trim(count, most)
  local surplus = count - tonumber(most)
  if surplus <= 0 then return end
  local done = redis.call('ZCOUNT', seen, '-inf', '(' .. int(WAITING))
  redis.call('ZREMRANGEBYRANK', seen, 0, math.min(surplus, done) - 1)
end
