-- What the small firm's KPIs and key results are, said a second time: in SQL, from their wording, for an engine that
-- shares no code with the compiler. One query a key result, under a line `-- key result: <id>`.
--
-- A query gives a row for each day of `days` (as_of) on which the key result is counted: its `value`; and, where it has
-- them, `numerator`, `denominator`, `baseline`, `target`, and the `member` that the row is of (null: the whole).
--
-- days:     as_of: each day of 2026 up to the last one that is known
-- happened: the events that hold, with `day`, the date on a clock in Madrid

-- key result: ventas-marketing.kpi.ingresos
-- Revenue invoiced in the month (which stands for the whole) and in the quarter; what is declared void counts back.
WITH counted AS (
  SELECT
    as_of,
    coalesce(sum(amount) FILTER (day >= date_trunc('month', as_of)), 0) AS in_month,
    coalesce(sum(amount) FILTER (day >= date_trunc('quarter', as_of)), 0) AS in_quarter
  FROM days
  LEFT JOIN happened ON event_type IN ('invoice.issued', 'invoice.voided') AND day <= as_of
  GROUP BY as_of
)
SELECT as_of, NULL AS member, in_month AS value FROM counted
UNION ALL
SELECT as_of, 'month', in_month FROM counted
UNION ALL
SELECT as_of, 'quarter', in_quarter FROM counted;

-- key result: ventas-marketing.kpi.conversion
-- Of those who became known in the year, those who have become customers since.
WITH begun AS (
  SELECT subject_id, min(occurred_at) AS began_at, min(day) AS began
  FROM happened
  WHERE event_type = 'lead.created'
  GROUP BY subject_id
),
followed AS (
  SELECT subject_id, min(day) AS ended
  FROM begun
  JOIN (FROM happened WHERE event_type = 'lifecycle.entered' AND lifecycle = 'customer') AS bought USING (subject_id)
  WHERE occurred_at >= began_at
  GROUP BY subject_id
)
SELECT
  as_of,
  count(begun.subject_id) FILTER (ended <= as_of) AS numerator,
  count(begun.subject_id) AS denominator,
  count(begun.subject_id) FILTER (ended <= as_of) / nullif(count(begun.subject_id), 0) AS value
FROM days
LEFT JOIN begun ON began BETWEEN DATE '2026-01-01' AND as_of
LEFT JOIN followed USING (subject_id)
GROUP BY as_of;

-- key result: ventas-marketing.kpi.ciclo
-- Mean days from the first contact with a customer to the first sale to them, of the sales of the year; the numerator
-- is in microseconds.
WITH known AS (
  SELECT account_id, min(occurred_at) AS known_at
  FROM happened
  WHERE event_type = 'lead.created' AND account_id IS NOT NULL
  GROUP BY account_id
),
cycles AS (
  SELECT account_id, min(day) AS ended, epoch_us(min(occurred_at)) - epoch_us(known_at) AS microseconds
  FROM known
  JOIN (FROM happened WHERE event_type = 'deal.won') AS won USING (account_id)
  WHERE occurred_at >= known_at
  GROUP BY account_id, known_at
)
SELECT
  as_of,
  sum(microseconds) AS numerator,
  count(microseconds) AS denominator,
  sum(microseconds) / 86400e6 / nullif(count(microseconds), 0) AS value
FROM days
LEFT JOIN cycles ON ended BETWEEN DATE '2026-01-01' AND as_of
GROUP BY as_of;

-- key result: ventas-marketing.kpi.valor_medio
-- Mean value of the deals won in the year, of those whose value is known.
SELECT
  as_of,
  coalesce(sum(amount), 0) AS numerator,
  count(amount) AS denominator,
  sum(amount) / nullif(count(amount), 0) AS value
FROM days
LEFT JOIN happened ON event_type = 'deal.won' AND day BETWEEN DATE '2026-01-01' AND as_of
GROUP BY as_of;

-- key result: ventas-marketing.kpi.roi_campanas
-- Sales of the year that campaigns brought, less what was spent on campaigns, over what was spent on them.
WITH counted AS (
  SELECT
    as_of,
    coalesce(sum(amount) FILTER (event_type = 'deal.won'), 0) AS brought,
    coalesce(sum(amount) FILTER (event_type = 'expense.recorded'), 0) AS spent
  FROM days
  LEFT JOIN happened
    ON event_type IN ('deal.won', 'expense.recorded')
    AND campaign IS NOT NULL
    AND day BETWEEN DATE '2026-01-01' AND as_of
  GROUP BY as_of
)
SELECT
  as_of,
  brought - spent AS numerator,
  spent AS denominator,
  (brought - spent) / nullif(spent, 0) AS value
FROM counted;

-- key result: ventas-marketing.ventas.crecimiento
-- Sales of the fourth quarter, 20 % above those of the third.
SELECT
  as_of,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-10-01' AND as_of), 0) AS value,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-07-01' AND DATE '2026-09-30'), 0) AS baseline,
  CAST(coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-07-01' AND DATE '2026-09-30'), 0) AS DECIMAL(30, 6)) * 1.20
    AS target
FROM days
LEFT JOIN happened ON event_type = 'deal.won'
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of;

-- key result: ventas-marketing.ventas.llamadas
-- Follow-up calls of the week, half as many again as in the mean week of the third quarter: the 13 ISO weeks whose
-- Thursday lies in it, from 29 June to 27 September.
SELECT
  as_of,
  count(event_id) FILTER (day BETWEEN date_trunc('week', as_of) AND as_of) AS value,
  count(event_id) FILTER (day BETWEEN DATE '2026-06-29' AND DATE '2026-09-27') / 13 AS baseline,
  count(event_id) FILTER (day BETWEEN DATE '2026-06-29' AND DATE '2026-09-27') / 13 * 1.50 AS target
FROM days
LEFT JOIN happened ON event_type = 'call.made' AND category = 'seguimiento'
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of;

-- key result: ventas-marketing.ventas.conversion
-- Of those who became known in the fourth quarter, those who have become customers since; 10 % above the part of those
-- of the third quarter who had become customers by its end.
WITH begun AS (
  SELECT subject_id, min(occurred_at) AS began_at, min(day) AS began
  FROM happened
  WHERE event_type = 'lead.created'
  GROUP BY subject_id
),
followed AS (
  SELECT subject_id, min(day) AS ended
  FROM begun
  JOIN (FROM happened WHERE event_type = 'lifecycle.entered' AND lifecycle = 'customer') AS bought USING (subject_id)
  WHERE occurred_at >= began_at
  GROUP BY subject_id
),
before AS (
  SELECT count(*) FILTER (ended <= DATE '2026-09-30') / nullif(count(*), 0) AS part
  FROM begun
  LEFT JOIN followed USING (subject_id)
  WHERE began BETWEEN DATE '2026-07-01' AND DATE '2026-09-30'
)
SELECT
  as_of,
  count(begun.subject_id) FILTER (ended <= as_of) AS numerator,
  count(begun.subject_id) AS denominator,
  count(begun.subject_id) FILTER (ended <= as_of) / nullif(count(begun.subject_id), 0) AS value,
  (SELECT part FROM before) AS baseline,
  (SELECT part FROM before) * 1.10 AS target
FROM days
LEFT JOIN begun ON began BETWEEN DATE '2026-10-01' AND as_of
LEFT JOIN followed USING (subject_id)
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of;

-- key result: ventas-marketing.ventas.presentaciones
-- Presentations of the product held in the week.
SELECT as_of, count(event_id) AS value
FROM days
LEFT JOIN happened
  ON event_type = 'meeting.held' AND category = 'presentacion' AND day BETWEEN date_trunc('week', as_of) AND as_of
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of;

-- key result: ventas-marketing.mercados.analizados
-- Different markets that were identified as new and analysed in the quarter.
SELECT as_of, count(DISTINCT market) AS value
FROM days
LEFT JOIN happened ON event_type = 'market.analysed' AND day BETWEEN DATE '2026-10-01' AND as_of
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of;

-- key result: ventas-marketing.mercados.ventas
-- Sales closed in the quarter in each market that was analysed in it, from the day of the analysis on; the whole is how
-- many of these markets have two sales.
WITH analysed AS (
  SELECT market, min(day) AS since
  FROM happened
  WHERE event_type = 'market.analysed' AND market IS NOT NULL AND day >= DATE '2026-10-01'
  GROUP BY market
),
counted AS (
  SELECT as_of, analysed.market, count(event_id) AS sales
  FROM days
  JOIN analysed ON since <= as_of
  LEFT JOIN happened
    ON event_type = 'deal.won' AND happened.market = analysed.market AND day BETWEEN DATE '2026-10-01' AND as_of
  WHERE as_of >= DATE '2026-10-01'
  GROUP BY as_of, analysed.market
)
SELECT as_of, NULL AS member, count(market) FILTER (sales >= 2) AS value, count(market) AS denominator
FROM days
LEFT JOIN counted USING (as_of)
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of
UNION ALL
SELECT as_of, market, sales, NULL FROM counted;

-- key result: ventas-marketing.clientes.encuestas
-- Surveys sent in the fourth quarter, 20 % more than in the third.
SELECT
  as_of,
  count(event_id) FILTER (day BETWEEN DATE '2026-10-01' AND as_of) AS value,
  count(event_id) FILTER (day BETWEEN DATE '2026-07-01' AND DATE '2026-09-30') AS baseline,
  count(event_id) FILTER (day BETWEEN DATE '2026-07-01' AND DATE '2026-09-30') * 1.20 AS target
FROM days
LEFT JOIN happened ON event_type = 'survey.sent'
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of;

-- key result: ventas-marketing.clientes.tiempo_respuesta
-- Median hours from a question to its first answer, of those answered in the fourth quarter; 30 % below the third's.
WITH asked AS (
  SELECT subject_id, min(occurred_at) AS asked_at FROM happened WHERE event_type = 'ticket.created' GROUP BY subject_id
),
waits AS (
  SELECT
    subject_id,
    min(day) AS answered,
    (epoch_us(min(occurred_at)) - epoch_us(asked_at)) / 3600e6 AS hours
  FROM asked
  JOIN (FROM happened WHERE event_type = 'ticket.first_replied') AS reply USING (subject_id)
  WHERE occurred_at >= asked_at
  GROUP BY subject_id, asked_at
)
SELECT
  as_of,
  median(hours) FILTER (answered BETWEEN DATE '2026-10-01' AND as_of) AS value,
  NULL AS numerator,
  count(hours) FILTER (answered BETWEEN DATE '2026-10-01' AND as_of) AS denominator,
  median(hours) FILTER (answered BETWEEN DATE '2026-07-01' AND DATE '2026-09-30') AS baseline,
  median(hours) FILTER (answered BETWEEN DATE '2026-07-01' AND DATE '2026-09-30') * 0.70 AS target
FROM days
LEFT JOIN waits ON true
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of;

-- key result: ventas-marketing.clientes.recurrentes
-- Sales of the fourth quarter to those who had bought before, 15 % above those of the third.
WITH repeated AS (
  SELECT sale.day, sale.amount
  FROM happened AS sale
  WHERE sale.event_type = 'deal.won'
    AND EXISTS (
      FROM happened AS earlier
      WHERE earlier.event_type = 'deal.won'
        AND earlier.account_id = sale.account_id
        AND earlier.occurred_at < sale.occurred_at
    )
)
SELECT
  as_of,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-10-01' AND as_of), 0) AS value,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-07-01' AND DATE '2026-09-30'), 0) AS baseline,
  CAST(coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-07-01' AND DATE '2026-09-30'), 0) AS DECIMAL(30, 6)) * 1.15
    AS target
FROM days
LEFT JOIN repeated ON true
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of;
