-- What the inbound marketing organisation's key results are, said a second time: in SQL, from their wording, for an
-- engine that shares no code with the compiler. One query a key result, under a line `-- key result: <id>`.

-- key result: inbound.anual.tasa_cierre
-- Closing rate of the year so far, won over closed; 20 % above that of the whole year before.
WITH closed AS (
  SELECT day, CAST(event_type = 'deal.won' AS INTEGER) AS won FROM happened WHERE event_type IN ('deal.won', 'deal.lost')
),
year_before AS (SELECT sum(won) / count(*) AS rate FROM closed WHERE year(day) = 2025)
SELECT
  as_of,
  coalesce(sum(won), 0) AS numerator,
  count(won) AS denominator,
  sum(won) / nullif(count(won), 0) AS value,
  any_value(rate) AS baseline,
  any_value(rate) * 1.2 AS target
FROM days
CROSS JOIN year_before
LEFT JOIN closed ON day BETWEEN DATE '2026-01-01' AND as_of
GROUP BY as_of;

-- key result: inbound.marketing.mql
-- Contacts that marketing qualified in the quarter so far, each once.
SELECT as_of, count(DISTINCT subject_id) AS value
FROM days
LEFT JOIN happened
  ON event_type = 'lifecycle.entered'
  AND lifecycle = 'marketingqualifiedlead'
  AND day BETWEEN date_trunc('quarter', as_of) AND as_of
GROUP BY as_of;

-- key result: inbound.ventas.cierres
-- Sales closed in the quarter so far; 25 % more than in the whole quarter before it.
SELECT
  as_of,
  count(event_id) FILTER (day >= date_trunc('quarter', as_of)) AS value,
  count(event_id) FILTER (day < date_trunc('quarter', as_of)) AS baseline,
  count(event_id) FILTER (day < date_trunc('quarter', as_of)) * 1.25 AS target
FROM days
LEFT JOIN happened
  ON event_type = 'deal.won' AND day >= date_trunc('quarter', as_of) - INTERVAL 3 MONTH AND day <= as_of
GROUP BY as_of;
