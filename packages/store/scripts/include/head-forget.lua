-- The started head has its outcome: nothing of it is left to be taken for the next one's.
local function head_forget()
  for _, field in ipairs({ 'batch', 'attempt', 'abort', 'hand_overs', 'handed', 'turn_id', 'turn_word',
    'pause', 'first_at', 'cuts', 'retry_at', 'retry_delay', 'failing_since' }) do put(field, false) end
end
