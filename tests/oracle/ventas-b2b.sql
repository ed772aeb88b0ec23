-- What the B2B sales organisation's key results are, said a second time: in SQL, from their wording, for an engine that
-- shares no code with the compiler. One query a key result, under a line `-- key result: <id>`.
--
-- A query gives a row for each day of `days` (as_of) on which the key result is counted: its `value`; and, where it has
-- them, `numerator`, `denominator`, `baseline`, `target`, and the `member` that the row is of (null: the whole).
--
-- days:     as_of: each day of 2026 up to the last one that is known
-- happened: the events that hold, with `day`, the date on a clock in Bogotá

-- views
-- Sales: what was won in the pipeline of sales. A proposition signed, or an account plan agreed, is none.
CREATE VIEW sales AS
SELECT * FROM happened WHERE event_type = 'deal.won' AND pipeline = 'ventas';

-- key result: ventas-b2b.actividad.prospeccion
-- Prospecting calls of the week (ISO weeks) to those who had bought nothing before the call; of a call to nobody known
-- that cannot be said.
SELECT as_of, count(call.event_id) AS value
FROM days
LEFT JOIN happened AS call
  ON call.event_type = 'call.made'
  AND call.category = 'prospeccion'
  AND call.day BETWEEN date_trunc('week', as_of) AND as_of
  AND call.account_id IS NOT NULL
  AND NOT EXISTS (
    FROM sales AS sale WHERE sale.account_id = call.account_id AND sale.occurred_at < call.occurred_at
  )
GROUP BY as_of;

-- key result: ventas-b2b.actividad.reuniones
-- Sales meetings put in the calendar in the month with key prospects: with those who had bought nothing by then.
SELECT as_of, count(meeting.event_id) AS value
FROM days
LEFT JOIN happened AS meeting
  ON meeting.event_type = 'meeting.scheduled'
  AND meeting.category = 'comercial'
  AND meeting.segment = 'clave'
  AND meeting.day BETWEEN date_trunc('month', as_of) AND as_of
  AND meeting.account_id IS NOT NULL
  AND NOT EXISTS (
    FROM sales AS sale WHERE sale.account_id = meeting.account_id AND sale.occurred_at < meeting.occurred_at
  )
GROUP BY as_of;

-- key result: ventas-b2b.actividad.propuestas
-- Different prospects with a deal that came to a proposal in the week.
SELECT as_of, count(DISTINCT account_id) AS value
FROM days
LEFT JOIN happened
  ON event_type = 'deal.stage_entered'
  AND pipeline = 'ventas'
  AND stage = 'propuesta'
  AND day BETWEEN date_trunc('week', as_of) AND as_of
GROUP BY as_of;

-- key result: ventas-b2b.logro.ventas
-- Sales of the fourth quarter, 15 % above those of the third.
SELECT
  as_of,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-10-01' AND as_of), 0) AS value,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-07-01' AND DATE '2026-09-30'), 0) AS baseline,
  CAST(coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-07-01' AND DATE '2026-09-30'), 0) AS DECIMAL(30, 6)) * 1.15
    AS target
FROM days
LEFT JOIN sales ON true
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of;

-- key result: ventas-b2b.logro.clientes_tecnologia
-- Customers whose first contract ever is one in the technology sector, signed in the year.
SELECT as_of, count(DISTINCT sale.account_id) AS value
FROM days
LEFT JOIN sales AS sale
  ON sale.industry = 'tecnologia'
  AND sale.day BETWEEN DATE '2026-01-01' AND as_of
  AND sale.occurred_at = (SELECT min(occurred_at) FROM sales WHERE account_id = sale.account_id)
GROUP BY as_of;

-- key result: ventas-b2b.logro.cuota_mercado
-- Own sales over the market's, of the second half-year, as far as the market has been measured; 10 % above the first
-- half's share.
WITH sold AS (SELECT day, amount FROM sales),
market AS (SELECT day, amount FROM happened WHERE event_type = 'market.measured' AND market = 'Latinoamerica'),
spans AS (
  SELECT as_of, DATE '2026-07-01' AS since, as_of AS until FROM days WHERE as_of >= DATE '2026-07-01'
  UNION ALL
  SELECT NULL, DATE '2026-01-01', DATE '2026-06-30'
),
measured AS (
  SELECT as_of, since, max(day) AS last, coalesce(sum(amount), 0) AS market_sales
  FROM spans
  LEFT JOIN market ON day BETWEEN since AND until
  GROUP BY as_of, since
),
shares AS (
  SELECT
    as_of,
    coalesce(sum(amount), 0) AS own_sales,
    market_sales,
    coalesce(sum(amount), 0) / nullif(market_sales, 0) AS share
  FROM measured
  LEFT JOIN sold ON day BETWEEN since AND last
  GROUP BY as_of, market_sales
)
SELECT
  this.as_of,
  this.own_sales AS numerator,
  this.market_sales AS denominator,
  this.share AS value,
  before.share AS baseline,
  before.share * 1.10 AS target
FROM shares AS this
JOIN shares AS before ON before.as_of IS NULL AND this.as_of IS NOT NULL;

-- key result: ventas-b2b.meta.pipeline
-- Value of the deals of the sales pipeline that are open at the end of the day, 75 % above that on the eve of the year.
-- A deal is open if, of its being created, won or lost, the last was its being created (if at one instant with its
-- end, it has ended); its value is the last one that was said.
WITH shown AS (
  SELECT as_of FROM days WHERE as_of <= DATE '2026-03-31'
  UNION ALL
  SELECT DATE '2025-12-31'
),
told AS (
  FROM happened
  WHERE (event_type = 'deal.created' AND pipeline = 'ventas')
    OR event_type IN ('deal.won', 'deal.lost', 'deal.stage_entered', 'deal.amount_changed')
),
standing AS (
  SELECT
    as_of,
    subject_id,
    arg_max(event_type, (occurred_at, event_type <> 'deal.created'))
      FILTER (event_type IN ('deal.created', 'deal.won', 'deal.lost')) AS last_move,
    arg_max(amount, (occurred_at, event_id))
      FILTER (event_type NOT IN ('deal.won', 'deal.lost') AND amount IS NOT NULL) AS last_value
  FROM shown
  JOIN told ON day <= as_of
  GROUP BY as_of, subject_id
),
levels AS (
  SELECT as_of, coalesce(sum(last_value) FILTER (last_move = 'deal.created'), 0) AS level
  FROM shown
  LEFT JOIN standing USING (as_of)
  GROUP BY as_of
)
SELECT
  this.as_of,
  this.level AS value,
  eve.level AS baseline,
  CAST(eve.level AS DECIMAL(30, 6)) * 1.75 AS target
FROM levels AS this
JOIN levels AS eve ON eve.as_of = DATE '2025-12-31' AND this.as_of > eve.as_of;

-- key result: ventas-b2b.meta.avanzadas
-- Of the deals that came to negotiation or contract (80 % of their way) for the first time in the quarter, those won
-- since; one that had come so far before is of the quarter in which it did.
WITH begun AS (
  SELECT subject_id, min(occurred_at) AS began_at, min(day) AS began
  FROM happened
  WHERE event_type = 'deal.stage_entered' AND pipeline = 'ventas' AND stage IN ('negociacion', 'contrato')
  GROUP BY subject_id
),
followed AS (
  SELECT subject_id, min(day) AS ended
  FROM begun
  JOIN (FROM happened WHERE event_type = 'deal.won') AS won USING (subject_id)
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
WHERE as_of <= DATE '2026-03-31'
GROUP BY as_of;

-- key result: ventas-b2b.meta.conversion
-- Of the deals opened in the quarter in the sales pipeline, those won since.
WITH begun AS (
  SELECT subject_id, min(occurred_at) AS began_at, min(day) AS began
  FROM happened
  WHERE event_type = 'deal.created' AND pipeline = 'ventas'
  GROUP BY subject_id
),
followed AS (
  SELECT subject_id, min(day) AS ended
  FROM begun
  JOIN (FROM happened WHERE event_type = 'deal.won') AS won USING (subject_id)
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
WHERE as_of <= DATE '2026-03-31'
GROUP BY as_of;

-- key result: ventas-b2b.meta.adelanto
-- Sales of the quarter until the end of February, over its quota of 400 million.
SELECT
  as_of,
  coalesce(sum(amount), 0) AS numerator,
  400000000 AS denominator,
  coalesce(sum(amount), 0) / 400000000 AS value
FROM days
LEFT JOIN sales ON day BETWEEN DATE '2026-01-01' AND as_of
WHERE as_of <= DATE '2026-02-28'
GROUP BY as_of;

-- key result: ventas-b2b.upselling.ventas
-- Sales of the third quarter, 20 % above those of the second.
SELECT
  as_of,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-07-01' AND as_of), 0) AS value,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-04-01' AND DATE '2026-06-30'), 0) AS baseline,
  CAST(coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-04-01' AND DATE '2026-06-30'), 0) AS DECIMAL(30, 6)) * 1.20
    AS target
FROM days
LEFT JOIN sales ON true
WHERE as_of BETWEEN DATE '2026-07-01' AND DATE '2026-09-30'
GROUP BY as_of;

-- key result: ventas-b2b.upselling.propuestas_top10
-- Of the ten customers who bought most in segment ABC in the second quarter, those with a proposition prepared in the
-- third.
WITH largest AS (
  SELECT account_id
  FROM sales
  WHERE segment = 'ABC'
    AND account_id IS NOT NULL
    AND day BETWEEN DATE '2026-04-01' AND DATE '2026-06-30'
  GROUP BY account_id
  ORDER BY coalesce(sum(amount), 0) DESC, account_id
  LIMIT 10
)
SELECT as_of, count(DISTINCT account_id) AS value
FROM days
LEFT JOIN happened
  ON event_type = 'deal.stage_entered'
  AND pipeline = 'propuestas'
  AND stage = 'preparada'
  AND day BETWEEN DATE '2026-07-01' AND as_of
  AND account_id IN (FROM largest)
WHERE as_of BETWEEN DATE '2026-07-01' AND DATE '2026-09-30'
GROUP BY as_of;

-- key result: ventas-b2b.upselling.reuniones
-- Commercial meetings held with segment ABC in the third quarter.
SELECT as_of, count(event_id) AS value
FROM days
LEFT JOIN happened
  ON event_type = 'meeting.held'
  AND category = 'comercial'
  AND segment = 'ABC'
  AND day BETWEEN DATE '2026-07-01' AND as_of
WHERE as_of BETWEEN DATE '2026-07-01' AND DATE '2026-09-30'
GROUP BY as_of;

-- key result: ventas-b2b.upselling.firmas
-- Value propositions signed with segment ABC in the third quarter.
SELECT as_of, count(event_id) AS value
FROM days
LEFT JOIN happened
  ON event_type = 'deal.won'
  AND pipeline = 'propuestas'
  AND segment = 'ABC'
  AND day BETWEEN DATE '2026-07-01' AND as_of
WHERE as_of BETWEEN DATE '2026-07-01' AND DATE '2026-09-30'
GROUP BY as_of;

-- key result: ventas-b2b.upselling.pedidos_top5
-- Orders of the third quarter by the five customers whose propositions signed in the second are worth most, 20 % above
-- what the same five ordered in the second.
WITH largest AS (
  SELECT account_id
  FROM happened
  WHERE event_type = 'deal.won'
    AND pipeline = 'propuestas'
    AND account_id IS NOT NULL
    AND day BETWEEN DATE '2026-04-01' AND DATE '2026-06-30'
  GROUP BY account_id
  ORDER BY coalesce(sum(amount), 0) DESC, account_id
  LIMIT 5
)
SELECT
  as_of,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-07-01' AND as_of), 0) AS value,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-04-01' AND DATE '2026-06-30'), 0) AS baseline,
  CAST(coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-04-01' AND DATE '2026-06-30'), 0) AS DECIMAL(30, 6)) * 1.20
    AS target
FROM days
LEFT JOIN sales ON account_id IN (FROM largest)
WHERE as_of BETWEEN DATE '2026-07-01' AND DATE '2026-09-30'
GROUP BY as_of;

-- key result: ventas-b2b.kam.facturacion
-- Invoiced to the one customer in the year, 35 % above the year before; what is declared void counts back.
SELECT
  as_of,
  coalesce(sum(amount) FILTER (year(day) = 2026 AND day <= as_of), 0) AS value,
  coalesce(sum(amount) FILTER (year(day) = 2025), 0) AS baseline,
  CAST(coalesce(sum(amount) FILTER (year(day) = 2025), 0) AS DECIMAL(30, 6)) * 1.35 AS target
FROM days
LEFT JOIN happened
  ON event_type IN ('invoice.issued', 'invoice.voided') AND account_id = 'cus_AndinaServicios'
GROUP BY as_of;

-- key result: ventas-b2b.kam.plan_cuenta
-- Of the three steps of the customer's plan (written, shared, agreed), those taken in the year.
SELECT as_of, count(DISTINCT stage) AS value
FROM days
LEFT JOIN happened
  ON event_type = 'deal.stage_entered'
  AND pipeline = 'plan de cuenta'
  AND segment = 'KAM'
  AND stage IN ('escrito', 'compartido', 'acordado')
  AND day BETWEEN DATE '2026-01-01' AND as_of
GROUP BY as_of;

-- key result: ventas-b2b.kam.propuestas
-- Propositions presented to the customer: four in the year, and one in every quarter. The whole is how many of the two
-- hold so far; the second does while no quarter that has begun is without one.
WITH presented AS (
  SELECT day FROM happened
  WHERE event_type = 'deal.stage_entered' AND pipeline = 'propuestas' AND stage = 'presentada' AND segment = 'KAM'
),
counted AS (
  SELECT
    as_of,
    count(day) FILTER (day >= DATE '2026-01-01') AS in_year,
    count(day) FILTER (day >= date_trunc('quarter', as_of)) AS in_quarter,
    count(DISTINCT date_trunc('quarter', day)) FILTER (day >= DATE '2026-01-01') = quarter(as_of) AS in_every_quarter
  FROM days
  LEFT JOIN presented ON day <= as_of
  GROUP BY as_of
)
SELECT
  as_of,
  NULL AS member,
  CAST(in_year >= 4 AS INTEGER) + CAST(in_every_quarter AS INTEGER) AS value,
  2 AS denominator
FROM counted
UNION ALL
SELECT as_of, 'cuatro en el año', in_year, NULL FROM counted
UNION ALL
SELECT as_of, 'una cada trimestre', in_quarter, NULL FROM counted;

-- key result: ventas-b2b.kam.contratos
-- Contract increases that the customer signed in the first quarter, for service A and for service B.
WITH counted AS (
  SELECT
    as_of,
    count(event_id) FILTER (product = 'A') AS service_a,
    count(event_id) FILTER (product = 'B') AS service_b
  FROM days
  LEFT JOIN sales
    ON category = 'ampliacion'
    AND segment = 'KAM'
    AND day BETWEEN DATE '2026-01-01' AND as_of
  WHERE as_of <= DATE '2026-03-31'
  GROUP BY as_of
)
SELECT
  as_of,
  NULL AS member,
  CAST(service_a >= 1 AS INTEGER) + CAST(service_b >= 1 AS INTEGER) AS value,
  2 AS denominator
FROM counted
UNION ALL
SELECT as_of, 'servicio A', service_a, NULL FROM counted
UNION ALL
SELECT as_of, 'servicio B', service_b, NULL FROM counted;

-- key result: ventas-b2b.kam.concurso
-- Tenders of the customer won from June on, for solution C and for solution D.
WITH counted AS (
  SELECT
    as_of,
    count(event_id) FILTER (product = 'C') AS solution_c,
    count(event_id) FILTER (product = 'D') AS solution_d
  FROM days
  LEFT JOIN sales
    ON category = 'concurso'
    AND segment = 'KAM'
    AND day BETWEEN DATE '2026-06-01' AND as_of
  WHERE as_of >= DATE '2026-06-01'
  GROUP BY as_of
)
SELECT
  as_of,
  NULL AS member,
  CAST(solution_c >= 1 AS INTEGER) + CAST(solution_d >= 1 AS INTEGER) AS value,
  2 AS denominator
FROM counted
UNION ALL
SELECT as_of, 'solución C', solution_c, NULL FROM counted
UNION ALL
SELECT as_of, 'solución D', solution_d, NULL FROM counted;

-- key result: ventas-b2b.lider.ventas_crm
-- Sales of CRM in the region that are the customer's first, 60 % above those of the year before.
WITH debuts AS (
  SELECT sale.day, sale.amount
  FROM sales AS sale
  WHERE sale.product = 'crm'
    AND sale.market = 'Andina'
    AND sale.account_id IS NOT NULL
    AND NOT EXISTS (
      FROM sales AS earlier WHERE earlier.account_id = sale.account_id AND earlier.occurred_at < sale.occurred_at
    )
)
SELECT
  as_of,
  coalesce(sum(amount) FILTER (year(day) = 2026 AND day <= as_of), 0) AS value,
  coalesce(sum(amount) FILTER (year(day) = 2025), 0) AS baseline,
  CAST(coalesce(sum(amount) FILTER (year(day) = 2025), 0) AS DECIMAL(30, 6)) * 1.60 AS target
FROM days
LEFT JOIN debuts ON true
GROUP BY as_of;

-- key result: ventas-b2b.lider.seguimiento_top20
-- Of the twenty customers who bought most CRM in the region the year before, those called or met in the year.
WITH largest AS (
  SELECT account_id
  FROM sales
  WHERE product = 'crm'
    AND market = 'Andina'
    AND account_id IS NOT NULL
    AND year(day) = 2025
  GROUP BY account_id
  ORDER BY coalesce(sum(amount), 0) DESC, account_id
  LIMIT 20
)
SELECT as_of, count(DISTINCT account_id) AS value
FROM days
LEFT JOIN happened
  ON event_type IN ('call.made', 'meeting.held')
  AND day BETWEEN DATE '2026-01-01' AND as_of
  AND account_id IN (FROM largest)
GROUP BY as_of;

-- key result: ventas-b2b.lider.retencion
-- Of the customers on the eve of the quarter, those who are customers at the end of the day; 38 % above the part that
-- the quarter before had kept by its end. A customer is one with a subscription that has begun and not ended; one that
-- began without saying whose it is is nobody's.
WITH shown AS (
  SELECT as_of FROM days WHERE as_of >= DATE '2026-10-01'
  UNION
  FROM (VALUES (DATE '2026-06-30'), (DATE '2026-09-30'))
),
standing AS (
  SELECT
    as_of,
    subject_id,
    arg_max(event_type, (occurred_at, event_type = 'subscription.ended')) AS last_move,
    arg_max_null(account_id, occurred_at) FILTER (event_type = 'subscription.started') AS customer
  FROM shown
  JOIN happened ON event_type IN ('subscription.started', 'subscription.ended') AND day <= as_of
  GROUP BY as_of, subject_id
),
customers AS (
  SELECT DISTINCT as_of, customer FROM standing WHERE last_move = 'subscription.started' AND customer IS NOT NULL
),
kept AS (
  SELECT shown.as_of, count(still.customer) AS numerator, count(eve.customer) AS denominator
  FROM shown
  JOIN customers AS eve
    ON eve.as_of = CASE WHEN shown.as_of = DATE '2026-09-30' THEN DATE '2026-06-30' ELSE DATE '2026-09-30' END
  LEFT JOIN customers AS still ON still.as_of = shown.as_of AND still.customer = eve.customer
  WHERE shown.as_of > DATE '2026-06-30'
  GROUP BY shown.as_of
)
SELECT
  this.as_of,
  this.numerator,
  this.denominator,
  this.numerator / this.denominator AS value,
  before.numerator / before.denominator AS baseline,
  before.numerator / before.denominator * 1.38 AS target
FROM kept AS this
JOIN kept AS before ON before.as_of = DATE '2026-09-30' AND this.as_of > before.as_of;

-- key result: ventas-b2b.lider.leads
-- Leads that were qualified in the quarter, each once.
SELECT as_of, count(DISTINCT subject_id) AS value
FROM days
LEFT JOIN happened
  ON event_type = 'lifecycle.entered'
  AND lifecycle = 'salesqualifiedlead'
  AND day BETWEEN date_trunc('quarter', as_of) AND as_of
GROUP BY as_of;

-- key result: ventas-b2b.lider.conversion
-- Of the deals of CRM opened in the year in the sales pipeline, those won since.
WITH begun AS (
  SELECT subject_id, min(occurred_at) AS began_at, min(day) AS began
  FROM happened
  WHERE event_type = 'deal.created' AND pipeline = 'ventas' AND product = 'crm'
  GROUP BY subject_id
),
followed AS (
  SELECT subject_id, min(day) AS ended
  FROM begun
  JOIN (FROM happened WHERE event_type = 'deal.won') AS won USING (subject_id)
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

-- key result: ventas-b2b.preventa.primera_respuesta
-- Of the potential customers (who had bought nothing by then) who asked in the year, the part that was answered within
-- five minutes; who has no answer yet and whose five minutes are not over at the end of the day is not counted.
WITH asked AS (
  SELECT subject_id, min(occurred_at) AS asked_at
  FROM happened AS question
  WHERE event_type = 'ticket.created'
    AND account_id IS NOT NULL
    AND NOT EXISTS (
      FROM sales AS sale WHERE sale.account_id = question.account_id AND sale.occurred_at < question.occurred_at
    )
  GROUP BY subject_id
),
answered AS (
  SELECT subject_id, min(occurred_at) AS answered_at
  FROM asked
  JOIN (FROM happened WHERE event_type = 'ticket.first_replied') AS reply USING (subject_id)
  WHERE occurred_at >= asked_at
  GROUP BY subject_id
),
waits AS (
  SELECT
    subject_id,
    CAST(timezone('America/Bogota', asked_at) AS DATE) AS began,
    coalesce(answered_at <= asked_at + INTERVAL 5 MINUTE, false) AS is_in_time,
    CAST(timezone('America/Bogota', least(answered_at, asked_at + INTERVAL 5 MINUTE)) AS DATE) AS decided
  FROM asked
  LEFT JOIN answered USING (subject_id)
)
SELECT
  as_of,
  count(subject_id) FILTER (is_in_time) AS numerator,
  count(subject_id) AS denominator,
  count(subject_id) FILTER (is_in_time) / nullif(count(subject_id), 0) AS value
FROM days
LEFT JOIN waits ON began >= DATE '2026-01-01' AND decided <= as_of
GROUP BY as_of;

-- key result: ventas-b2b.preventa.permanencia_demo
-- Of the prospects who joined a demonstration in the year, those who are known to have stayed for at least 90 % of one.
SELECT
  as_of,
  count(DISTINCT account_id) FILTER (attended_share >= 0.9) AS numerator,
  count(DISTINCT account_id) AS denominator,
  count(DISTINCT account_id) FILTER (attended_share >= 0.9) / nullif(count(DISTINCT account_id), 0) AS value
FROM days
LEFT JOIN happened ON event_type = 'demo.attended' AND day BETWEEN DATE '2026-01-01' AND as_of
GROUP BY as_of;

-- key result: ventas-b2b.preventa.conversion
-- Of the deals that came to presales for the first time in the fourth quarter, those that came to a proposal since.
WITH begun AS (
  SELECT subject_id, min(occurred_at) AS began_at, min(day) AS began
  FROM happened
  WHERE event_type = 'deal.stage_entered' AND pipeline = 'ventas' AND stage = 'preventa'
  GROUP BY subject_id
),
followed AS (
  SELECT subject_id, min(day) AS ended
  FROM begun
  JOIN (
    FROM happened WHERE event_type = 'deal.stage_entered' AND pipeline = 'ventas' AND stage = 'propuesta'
  ) AS proposed USING (subject_id)
  WHERE occurred_at >= began_at
  GROUP BY subject_id
)
SELECT
  as_of,
  count(begun.subject_id) FILTER (ended <= as_of) AS numerator,
  count(begun.subject_id) AS denominator,
  count(begun.subject_id) FILTER (ended <= as_of) / nullif(count(begun.subject_id), 0) AS value
FROM days
LEFT JOIN begun ON began BETWEEN DATE '2026-10-01' AND as_of
LEFT JOIN followed USING (subject_id)
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of;

-- key result: ventas-b2b.equipo.ingresos
-- Revenue invoiced in the fourth quarter, towards 575 million; what is declared void counts back.
SELECT as_of, coalesce(sum(amount), 0) AS value, 575000000 AS target
FROM days
LEFT JOIN happened
  ON event_type IN ('invoice.issued', 'invoice.voided') AND day BETWEEN DATE '2026-10-01' AND as_of
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of;

-- key result: ventas-b2b.equipo.lanzamiento
-- Sales of the fourth quarter of the three new products, each from its launch to the end of the month of the launch.
SELECT as_of, coalesce(sum(sale.amount), 0) AS value
FROM days
LEFT JOIN sales AS sale
  ON sale.product IN ('Nova', 'Sol', 'Luna')
  AND sale.day BETWEEN DATE '2026-10-01' AND as_of
  AND EXISTS (
    FROM happened AS launch
    WHERE launch.event_type = 'product.launched'
      AND launch.product = sale.product
      AND launch.occurred_at < sale.occurred_at
      AND last_day(launch.day) = last_day(sale.day)
  )
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of;

-- key result: ventas-b2b.equipo.recurrentes
-- Recurring deals closed in the fourth quarter with those who had bought before it: with a tenth of them, and 200
-- million in all. The whole is how many of the two hold.
WITH existing AS (
  SELECT DISTINCT account_id FROM sales WHERE day <= DATE '2026-09-30' AND account_id IS NOT NULL
),
counted AS (
  SELECT
    as_of,
    count(DISTINCT account_id) AS customers,
    (SELECT count(*) FROM existing) AS all_customers,
    coalesce(sum(amount), 0) AS sales
  FROM days
  LEFT JOIN sales
    ON category = 'recurrente'
    AND day BETWEEN DATE '2026-10-01' AND as_of
    AND account_id IN (FROM existing)
  WHERE as_of >= DATE '2026-10-01'
  GROUP BY as_of
)
SELECT
  as_of,
  NULL AS member,
  CAST(customers > 0 AND customers * 10 >= all_customers AS INTEGER)
    + CAST(sales >= 200000000 AS INTEGER) AS value,
  value AS numerator,
  2 AS denominator
FROM counted
UNION ALL
SELECT as_of, 'clientes', customers / nullif(all_customers, 0), customers, all_customers FROM counted
UNION ALL
SELECT as_of, 'ventas', sales, sales, NULL FROM counted;

-- key result: ventas-b2b.equipo.ciclo
-- Mean days from a deal's being opened in the sales pipeline to its being won, of those won in the fourth quarter; the
-- numerator is in microseconds. From 35 to 26.
WITH opened AS (
  SELECT subject_id, min(occurred_at) AS opened_at
  FROM happened
  WHERE event_type = 'deal.created' AND pipeline = 'ventas'
  GROUP BY subject_id
),
cycles AS (
  SELECT subject_id, min(day) AS ended, epoch_us(min(occurred_at)) - epoch_us(opened_at) AS microseconds
  FROM opened
  JOIN (FROM happened WHERE event_type = 'deal.won') AS won USING (subject_id)
  WHERE occurred_at >= opened_at
  GROUP BY subject_id, opened_at
)
SELECT
  as_of,
  sum(microseconds) AS numerator,
  count(microseconds) AS denominator,
  sum(microseconds) / 86400e6 / nullif(count(microseconds), 0) AS value,
  26 AS target
FROM days
LEFT JOIN cycles ON ended BETWEEN DATE '2026-10-01' AND as_of
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of;

-- key result: ventas-b2b.equipo.venta_cruzada
-- Proposals for B or C presented in the fourth quarter to those who had bought A before.
SELECT as_of, count(proposal.event_id) AS value
FROM days
LEFT JOIN happened AS proposal
  ON proposal.event_type = 'deal.stage_entered'
  AND proposal.pipeline = 'propuestas'
  AND proposal.stage = 'presentada'
  AND proposal.product IN ('B', 'C')
  AND proposal.day BETWEEN DATE '2026-10-01' AND as_of
  AND EXISTS (
    FROM sales AS sale
    WHERE sale.product = 'A'
      AND sale.account_id = proposal.account_id
      AND sale.occurred_at < proposal.occurred_at
  )
WHERE as_of >= DATE '2026-10-01'
GROUP BY as_of;
