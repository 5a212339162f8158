-- The store that workers of several machines share, in Redis or Valkey: decide.py in Lua.
--
-- KEYS: workers, short, then for each tenant its books and its purses of one month.
-- ARGV: action, worker, run, time in seconds or '' for the server's own, then what the action needs.
-- Rates are doubles as in Python. Money has up to 27 digits, more than a double keeps: it is a pair
-- {high, low} with low below 1e12, both whole.

local LOW = 1e12
local DAY_S = 86400

local position = 0
local function take()
  position = position + 1
  return ARGV[position]
end
local function number()
  return tonumber(take())
end

local function money(text)
  if #text <= 12 then
    return {0, tonumber(text)}
  end
  return {tonumber(string.sub(text, 1, -13)), tonumber(string.sub(text, -12))}
end
local function digits(m)
  if m[1] == 0 then
    return string.format('%.0f', m[2])
  end
  return string.format('%.0f%012.0f', m[1], m[2])
end
local function less(a, b)
  return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
end
local function plus(a, b)
  local high, low = a[1] + b[1], a[2] + b[2]
  if low >= LOW then
    return {high + 1, low - LOW}
  end
  return {high, low}
end
local function minus(a, b) -- never below zero
  if less(a, b) then
    return {0, 0}
  end
  local high, low = a[1] - b[1], a[2] - b[2]
  if low < 0 then
    return {high - 1, low + LOW}
  end
  return {high, low}
end
local function smaller(a, b)
  if less(b, a) then return b end
  return a
end
local function larger(a, b)
  if less(a, b) then return b end
  return a
end
local function part(a, count) -- floor(a / count); rest * 1e12 stays exact below 9007 workers
  local high = math.floor(a[1] / count)
  local rest = a[1] - high * count
  return {high, math.floor((rest * LOW + a[2]) / count)}
end
local NOTHING = {0, 0}

local action, worker, run, given = take(), take(), take(), take()
local now
if given == '' then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1e6
else
  now = tonumber(given)
end
local function real(value)
  return string.format('%.17g', value)
end

local function words(text)
  local found = {}
  for word in string.gmatch(text, '%S+') do
    found[#found + 1] = word
  end
  return found
end

-- A hash as plain fields, and as rows of workers, whose fields begin with 'w:'.
local function read(key)
  local flat = redis.call('HGETALL', key)
  local fields, rows = {}, {}
  for i = 1, #flat, 2 do
    if string.sub(flat[i], 1, 2) == 'w:' then
      rows[string.sub(flat[i], 3)] = words(flat[i + 1])
    else
      fields[flat[i]] = flat[i + 1]
    end
  end
  return fields, rows
end
local function purses(key)
  local fields, rows = read(key)
  local found = {}
  for name, row in pairs(rows) do
    found[name] = {
      prior = money(row[1]), leased = money(row[2]), used = money(row[3]), spare = money(row[4])}
  end
  return money(fields.base or '0'), found
end
local function keep_purse(key, name, purse)
  redis.call('HSET', key, 'w:' .. name, table.concat(
    {digits(purse.prior), digits(purse.leased), digits(purse.used), digits(purse.spare)}, ' '))
  redis.call('EXPIRE', key, 100 * DAY_S)
end
local function charged(purse)
  return plus(purse.prior, larger(purse.leased, purse.used))
end

local function living(lease)
  local alive, count = {}, 0
  local flat = redis.call('HGETALL', KEYS[1])
  for i = 1, #flat, 2 do
    if math.abs(now - tonumber(words(flat[i + 1])[3])) < lease then
      alive[flat[i]] = true
      count = count + 1
    end
  end
  return alive, count
end
local function heard(sequence)
  redis.call('HSET', KEYS[1], worker, table.concat({run, sequence, real(now)}, ' '))
end

if action == 'open' then
  heard('0')
  local flat = redis.call('HGETALL', KEYS[1])
  for i = 1, #flat, 2 do
    if math.abs(now - tonumber(words(flat[i + 1])[3])) > 100 * DAY_S then
      redis.call('HDEL', KEYS[1], flat[i])
    end
  end
  for i = 3, #KEYS, 2 do
    local spent = take() -- '' where it is not known
    redis.call('HDEL', KEYS[i], 'w:' .. worker)
    local _, found = purses(KEYS[i + 1])
    local purse = found[worker]
    if purse or (spent ~= '' and spent ~= '0') then
      local prior
      if spent ~= '' then prior = money(spent) else prior = charged(purse) end
      keep_purse(KEYS[i + 1], worker,
        {prior = prior, leased = NOTHING, used = NOTHING, spare = NOTHING})
    end
  end
  return {}
end

if action == 'leave' then
  local known = redis.call('HGET', KEYS[1], worker)
  if known and words(known)[1] == run then
    redis.call('HDEL', KEYS[1], worker)
  end
  return {}
end

if action == 'reconcile' then
  local spent, alive = money(take()), living(number())
  local _, found = purses(KEYS[4])
  local used = NOTHING
  for name, purse in pairs(found) do
    if alive[name] then
      used = plus(used, purse.used)
      purse.prior = NOTHING
      keep_purse(KEYS[4], name, purse)
    else
      redis.call('HDEL', KEYS[4], 'w:' .. name)
    end
  end
  redis.call('HSET', KEYS[4], 'base', digits(minus(spent, used)))
  redis.call('EXPIRE', KEYS[4], 100 * DAY_S)
  return {}
end

-- exchange

local sequence, lease, lately, expected = take(), number(), number(), number()
local known = redis.call('HGET', KEYS[1], worker)
if known then
  local row = words(known)
  if row[1] ~= run then
    return {'superseded'}
  end
  if tonumber(row[2]) >= tonumber(sequence) then
    return {'late'}
  end
end
heard(sequence)
local alive, count = living(lease)
count = math.max(count, expected)

local function granted(pool, least, most)
  if most <= 0 or pool <= 0 or pool < least then return 0 end
  if count == 1 then return math.min(pool, most) end
  return math.min(pool, most, math.max(least, math.floor(pool / (2 * count))))
end
local function granted_money(pool, least, most)
  if not less(NOTHING, most) or not less(NOTHING, pool) or less(pool, least) then
    return NOTHING
  end
  if count == 1 then return smaller(pool, most) end
  return smaller(smaller(pool, most), larger(least, part(pool, 2 * count)))
end

local function spans(filled, touched)
  if filled < 0 then return 60, 0 end
  local whole = math.max(0, now - filled)
  local since = math.min(whole, math.max(0, touched))
  return math.min(whole - since, 60), math.min(since, 60)
end

local function rate(level, limit, before, since, mine, others, ask)
  level = math.min(limit - others - mine, level + limit * before / 60)
  level = level + (ask.back + limit * since / 60)
  level = math.min(limit - others - ask.kept, level)
  local more = granted(level, ask.least, ask.most)
  return level - more, more
end

local reply = {'ok', count, known and 0 or 1}
local grants = {}
local function tell(more, pool, elsewhere)
  grants[#grants + 1] = more
  grants[#grants + 1] = pool
  grants[#grants + 1] = elsewhere
end

local function decide(books_key, purses_key)
  local tenant = take()
  local limits = {take(), take(), take(), take()}
  local touched = number()
  local requests = {kept = number(), back = number(), least = number(), most = number()}
  local tokens = {kept = number(), back = number(), least = number(), most = number()}
  local slots = {kept = number(), spare = number(), least = number(), most = number()}
  local cash = {kept = money(take()), used = money(take()), spare = money(take())}
  cash.least, cash.most = money(take()), money(take())

  local fields, rows = read(books_key)
  local mine = {0, 0, 0, 0}
  local others = {0, 0, 0, 0}
  for name, row in pairs(rows) do
    if name == worker then
      for k = 1, 4 do mine[k] = tonumber(row[k]) end
    elseif alive[name] then
      for k = 1, 4 do others[k] = others[k] + tonumber(row[k]) end
    else
      redis.call('HDEL', books_key, 'w:' .. name)
    end
  end
  local before, since = spans(tonumber(fields.filled or '-1'), touched)
  local levels = {tonumber(fields.requests or '0'), tonumber(fields.tokens or '0')}
  local enough = {true, true, true, true}
  for k, ask in ipairs({requests, tokens}) do
    local more = 0
    if limits[k] ~= '' then
      levels[k], more = rate(
        levels[k], tonumber(limits[k]), before, since, mine[k], others[k], ask)
      mine[k] = ask.kept + more
      tell(real(more), real(levels[k]), real(others[k]))
    else
      tell('0', '0', '0')
    end
    enough[k] = more >= ask.least
  end
  if limits[3] ~= '' then
    local pool = math.max(0, tonumber(limits[3]) - slots.kept - others[3])
    local more = granted(pool, slots.least, slots.most)
    mine[3], mine[4] = slots.kept + more, slots.spare + more
    enough[3] = more >= slots.least
    tell(real(more), real(pool - more), real(others[4]))
  else
    enough[3] = slots.least <= 0
    tell('0', '0', '0')
  end

  local base, found = purses(purses_key)
  if limits[4] ~= '' then
    local purse = found[worker] or {prior = NOTHING}
    found[worker] = purse
    purse.leased, purse.used, purse.spare = cash.kept, cash.used, cash.spare
    local gone, elsewhere = base, NOTHING
    for name, other in pairs(found) do
      gone = plus(gone, charged(other))
      if name ~= worker and alive[name] then
        elsewhere = plus(elsewhere, other.spare)
      end
    end
    local pool = minus(money(limits[4]), gone)
    local more = granted_money(pool, cash.least, cash.most)
    purse.leased, purse.spare = plus(purse.leased, more), plus(purse.spare, more)
    keep_purse(purses_key, worker, purse)
    enough[4] = not less(more, cash.least)
    tell(digits(more), digits(minus(pool, more)), digits(elsewhere))
  else
    enough[4] = not less(NOTHING, cash.least)
    tell('0', '0', '0')
  end
  local spent = base
  for _, purse in pairs(found) do
    spent = plus(spent, plus(purse.prior, purse.used))
  end
  grants[#grants + 1] = digits(spent)

  local write = {'requests', real(levels[1]), 'tokens', real(levels[2]), 'filled', real(now),
    'w:' .. worker, table.concat({real(mine[1]), real(mine[2]), real(mine[3]), real(mine[4])}, ' ')}
  for k = 1, 4 do
    local last = tonumber(fields['short' .. k] or '-1e9')
    if not enough[k] then
      last = now
      write[#write + 1] = 'short' .. k
      write[#write + 1] = real(now)
      redis.call('ZADD', KEYS[2], real(now), tenant)
    end
    grants[#grants + 1] = (now - last >= 0 and now - last < lately) and '1' or '0'
  end
  redis.call('HSET', books_key, unpack(write))
  redis.call('EXPIRE', books_key, 2 * DAY_S)
end

local asks = (#KEYS - 2) / 2
for i = 1, asks do
  decide(KEYS[1 + 2 * i], KEYS[2 + 2 * i])
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', real(now - 60))
local short = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. real(now - lately), real(now))
reply[#reply + 1] = #short
for _, tenant in ipairs(short) do
  reply[#reply + 1] = tenant
end
for _, value in ipairs(grants) do
  reply[#reply + 1] = value
end
return reply
