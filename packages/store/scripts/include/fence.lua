-- Only the holder writes: token and fence must both be the stored ones (L3).
local fenced = s.token ~= token or s.fence ~= fence
