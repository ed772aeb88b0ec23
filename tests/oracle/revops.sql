-- What the revenue operations' key results are, said a second time: in SQL, from their wording, for an engine that shares
-- no code with the compiler. One query a key result, under a line `-- key result: <id>`.

-- views
-- Stays in the sales team: from the moment at which somebody joined it until that person next left it or joined it anew.
-- Where a joining does not say who joined, nobody did.
CREATE VIEW stays AS
SELECT
  actor,
  event_type = 'staff.joined' AS is_in,
  day AS first,
  coalesce(lead(day) OVER (PARTITION BY subject_id ORDER BY occurred_at), DATE '9999-12-31') AS until
FROM happened
WHERE event_type IN ('staff.joined', 'staff.left') AND team = 'ventas';

-- Who is in the sales team at the end of a day.
CREATE VIEW sales_people AS
SELECT DISTINCT day.as_of, actor
FROM (SELECT CAST(unnest(range(DATE '2025-12-29', DATE '2027-01-08', INTERVAL 1 DAY)) AS DATE) AS as_of) AS day
JOIN stays ON is_in AND first <= day.as_of AND day.as_of < until;

-- What was closed, and whether it was won.
CREATE VIEW closed AS
SELECT day, CAST(event_type = 'deal.won' AS INTEGER) AS won FROM happened WHERE event_type IN ('deal.won', 'deal.lost');

-- Sales cycles: the first time that a deal was opened, and the first time that it was won after (or as) it was opened.
CREATE VIEW cycles AS
WITH opened AS (
  SELECT subject_id, min(occurred_at) AS opened_at FROM happened WHERE event_type = 'deal.created' GROUP BY subject_id
)
SELECT
  subject_id,
  CAST(timezone('Europe/Madrid', min(occurred_at)) AS DATE) AS day,
  epoch_us(min(occurred_at)) - epoch_us(any_value(opened_at)) AS microseconds
FROM opened
JOIN happened USING (subject_id)
WHERE event_type = 'deal.won' AND occurred_at >= opened_at
GROUP BY subject_id;

-- Month by month of the year before and of this one: what was sold, and what had been forecast before the month began:
-- of each deal the last that was said before it, where that was about the month. A month of which nobody had ever said
-- anything by then is not among them; one whose deals were all said to be of other months since was forecast as nothing.
CREATE VIEW forecasts AS
WITH months AS (
  SELECT CAST(unnest(range(DATE '2025-01-01', DATE '2027-01-01', INTERVAL 1 MONTH)) AS DATE) AS month
),
last_said AS (
  SELECT
    month,
    subject_id,
    arg_max(forecast_month, occurred_at) AS about,
    arg_max(amount, occurred_at) AS amount,
    bool_or(forecast_month = month) AS was_about_it
  FROM months
  JOIN happened ON event_type = 'forecast.stated' AND day < month
  GROUP BY month, subject_id
),
sold AS (
  SELECT month, coalesce(sum(amount), 0) AS amount
  FROM months
  LEFT JOIN happened ON event_type = 'deal.won' AND date_trunc('month', day) = month
  GROUP BY month
)
SELECT
  month, any_value(sold.amount) AS actual, coalesce(sum(last_said.amount) FILTER (about = month), 0) AS forecast
FROM sold
JOIN last_said USING (month)
GROUP BY month
HAVING bool_or(was_about_it);

-- Subscriptions of a customer: open from when they start until they next end. Where a start does not say whose it is, it is
-- nobody's.
CREATE VIEW subscriptions AS
SELECT
  account_id,
  event_type = 'subscription.started' AS is_open,
  day AS first,
  coalesce(lead(day) OVER (PARTITION BY subject_id ORDER BY occurred_at), DATE '9999-12-31') AS until
FROM happened
WHERE event_type IN ('subscription.started', 'subscription.ended');

-- key result: revops.eficiencia.tasa_cierre
-- Closing rate of the half-year so far, won over closed; 15 % above that of the half-year before.
WITH before AS (
  SELECT sum(won) / count(*) AS rate FROM closed WHERE day BETWEEN DATE '2025-07-01' AND DATE '2025-12-31'
)
SELECT
  as_of,
  coalesce(sum(won), 0) AS numerator,
  count(won) AS denominator,
  sum(won) / nullif(count(won), 0) AS value,
  any_value(rate) AS baseline,
  any_value(rate) * 1.15 AS target
FROM days
CROSS JOIN before
LEFT JOIN closed ON day BETWEEN DATE '2026-01-01' AND as_of
WHERE as_of <= DATE '2026-06-30'
GROUP BY as_of;

-- key result: revops.eficiencia.ciclo_ventas
-- Mean sales cycle, in days, of the deals won in the nine months so far; 10 days less than in the nine months before.
WITH before AS (
  SELECT sum(microseconds) / count(*) / 86400e6 AS days FROM cycles WHERE day BETWEEN DATE '2025-04-01' AND DATE '2025-12-31'
)
SELECT
  as_of,
  sum(microseconds) AS numerator,
  count(microseconds) AS denominator,
  sum(microseconds) / count(microseconds) / 86400e6 AS value,
  any_value(before.days) AS baseline,
  any_value(before.days) - 10 AS target
FROM days
CROSS JOIN before
LEFT JOIN cycles ON day BETWEEN DATE '2026-01-01' AND as_of
WHERE as_of <= DATE '2026-09-30'
GROUP BY as_of;

-- key result: revops.eficiencia.adopcion_crm
-- Of the sales people of the day, those who called, met somebody or moved a deal in the last 30 days, in the new CRM: since
-- the day on which it first went live. In the four months from then on.
WITH live AS (
  SELECT min(day) AS day FROM happened WHERE event_type = 'system.launched' AND system = 'crm'
),
active AS (
  SELECT DISTINCT actor, day FROM happened WHERE event_type IN ('call.made', 'meeting.held', 'deal.stage_entered')
)
SELECT
  as_of,
  count(DISTINCT active.actor) AS numerator,
  count(DISTINCT sales_people.actor) AS denominator,
  count(DISTINCT active.actor) / nullif(count(DISTINCT sales_people.actor), 0) AS value,
  0.95 AS target
FROM days
JOIN live ON as_of >= live.day AND as_of < live.day + INTERVAL 4 MONTH
LEFT JOIN sales_people USING (as_of)
LEFT JOIN active
  ON active.actor = sales_people.actor AND active.day BETWEEN greatest(as_of - 29, live.day) AND as_of
GROUP BY as_of;

-- key result: revops.retencion.tasa
-- Of the customers at the start of the year, those who are customers: who have a subscription that is open.
WITH customers AS (
  SELECT DISTINCT as_of, account_id
  FROM (FROM days UNION ALL SELECT DATE '2025-12-31')
  JOIN subscriptions ON is_open AND first <= as_of AND as_of < until
  WHERE account_id IS NOT NULL
),
at_the_start AS (SELECT account_id FROM customers WHERE as_of = DATE '2025-12-31')
SELECT
  as_of,
  count(customers.account_id) AS numerator,
  count(*) AS denominator,
  count(customers.account_id) / count(*) AS value,
  0.9 AS target
FROM days
CROSS JOIN at_the_start
LEFT JOIN customers USING (as_of, account_id)
GROUP BY as_of;

-- key result: revops.retencion.expansion
-- Revenue of the year from upsell and cross-sell; 20 % more than in the year before.
SELECT
  as_of,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-01-01' AND as_of), 0) AS value,
  coalesce(sum(amount) FILTER (year(day) = 2025), 0) AS baseline,
  coalesce(sum(amount) FILTER (year(day) = 2025), 0) * 1.2 AS target
FROM days
LEFT JOIN happened ON event_type = 'deal.won' AND category IN ('upsell', 'cross_sell')
GROUP BY as_of;

-- key result: revops.retencion.respuesta_feedback
-- Of the surveys sent in the nine months so far, those answered by the end of the day. A survey is sent when it is first
-- sent; an answer from before that answers nothing. The helpdesk's own, about tickets, are not meant.
WITH sent AS (
  SELECT subject_id, min(occurred_at) AS sent_at, min(day) AS day FROM happened
  WHERE event_type = 'survey.sent' AND category = 'feedback'
  GROUP BY subject_id
),
answered AS (
  SELECT subject_id, min(happened.day) AS day
  FROM happened
  JOIN sent USING (subject_id)
  WHERE event_type = 'survey.answered' AND category = 'feedback' AND occurred_at >= sent_at
  GROUP BY subject_id
)
SELECT
  as_of,
  count(answered.subject_id) AS numerator,
  count(sent.subject_id) AS denominator,
  count(answered.subject_id) / nullif(count(sent.subject_id), 0) AS value,
  0.5 AS target
FROM days
LEFT JOIN sent ON sent.day BETWEEN DATE '2026-01-01' AND as_of
LEFT JOIN answered ON answered.subject_id = sent.subject_id AND answered.day <= as_of
WHERE as_of <= DATE '2026-09-30'
GROUP BY as_of;

-- key result: revops.procesos.informes_automatizados
-- Reports of the quarter so far that ran by themselves, over all of which it is known how they ran.
SELECT
  as_of,
  count(event_id) FILTER (is_automatic) AS numerator,
  count(event_id) FILTER (is_automatic IS NOT NULL) AS denominator,
  count(event_id) FILTER (is_automatic) / nullif(count(event_id) FILTER (is_automatic IS NOT NULL), 0) AS value,
  0.3 AS target
FROM days
LEFT JOIN happened ON event_type = 'report.produced' AND day BETWEEN DATE '2026-01-01' AND as_of
WHERE as_of <= DATE '2026-03-31'
GROUP BY as_of;

-- key result: revops.procesos.costes
-- Operating costs of the year up to the day; 10 % less than in the year before up to the same date. Beside it, the part of
-- satisfied answers to the helpdesk in the last 90 days, which is not to fall below that of the 90 days before the year.
WITH satisfaction AS (
  SELECT
    as_of,
    count(event_id) FILTER (rating = 'good') AS good,
    count(event_id) FILTER (rating IS NOT NULL) AS answers,
    good / nullif(answers, 0) AS part
  FROM (FROM days UNION ALL SELECT DATE '2025-12-31') AS day(as_of)
  LEFT JOIN happened
    ON event_type = 'survey.answered' AND category IS NULL AND happened.day BETWEEN as_of - 89 AND as_of
  GROUP BY as_of
),
at_the_start AS (SELECT part FROM satisfaction WHERE as_of = DATE '2025-12-31')
SELECT
  as_of,
  NULL AS member,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-01-01' AND as_of), 0) AS value,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2026-01-01' AND as_of), 0) AS numerator,
  NULL AS denominator,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2025-01-01' AND as_of - INTERVAL 1 YEAR), 0) AS baseline,
  coalesce(sum(amount) FILTER (day BETWEEN DATE '2025-01-01' AND as_of - INTERVAL 1 YEAR), 0) * 0.9 AS target
FROM days
LEFT JOIN happened ON event_type = 'expense.recorded'
GROUP BY as_of
UNION ALL
SELECT as_of, 'calidad', satisfaction.part, good, answers, at_the_start.part, at_the_start.part
FROM days
JOIN satisfaction USING (as_of)
CROSS JOIN at_the_start;

-- key result: revops.procesos.formacion
-- Of the people to whom the training has been assigned, those who have completed it by the end of the day: each person
-- once, however often they were enrolled, and whenever that was. What was completed before the first enrolment does not
-- count.
WITH assigned AS (
  SELECT actor, min(occurred_at) AS assigned_at, min(day) AS day
  FROM happened
  WHERE event_type = 'training.assigned' AND actor IS NOT NULL
  GROUP BY actor
),
completed AS (
  SELECT actor, min(happened.day) AS day
  FROM happened
  JOIN assigned USING (actor)
  WHERE event_type = 'training.completed' AND occurred_at >= assigned_at
  GROUP BY actor
)
SELECT
  as_of,
  count(completed.actor) AS numerator,
  count(assigned.actor) AS denominator,
  count(completed.actor) / nullif(count(assigned.actor), 0) AS value,
  1 AS target
FROM days
LEFT JOIN assigned ON assigned.day <= as_of
LEFT JOIN completed ON completed.actor = assigned.actor AND completed.day <= as_of
WHERE as_of <= DATE '2026-06-30'
GROUP BY as_of;

-- key result: revops.decisiones.precision_prevision
-- Forecast accuracy over the months of the nine that have ended, one less the absolute error over the sales; 25 % above
-- that of the nine months before. A month of which nothing was forecast in time says nothing about the forecast.
WITH before AS (
  SELECT 1 - sum(abs(forecast - actual)) / sum(actual) AS accuracy
  FROM forecasts
  WHERE month BETWEEN DATE '2025-04-01' AND DATE '2025-12-01'
)
SELECT
  as_of,
  coalesce(sum(actual) - sum(abs(forecast - actual)), 0) AS numerator,
  coalesce(sum(actual), 0) AS denominator,
  1 - sum(abs(forecast - actual)) / sum(actual) AS value,
  any_value(accuracy) AS baseline,
  any_value(accuracy) * 1.25 AS target
FROM days
CROSS JOIN before
LEFT JOIN forecasts ON month >= DATE '2026-01-01' AND last_day(month) <= as_of
WHERE as_of <= DATE '2026-09-30'
GROUP BY as_of;

-- key result: revops.decisiones.uso_panel
-- Of the sales people of the day, those who opened the dashboard in the week so far. A week belongs to the half-year that
-- holds its Thursday: the last one ends on 28 June, and stays to be seen on the two days after it.
WITH shown AS (
  SELECT as_of, least(as_of, DATE '2026-06-28') AS day FROM days WHERE as_of <= DATE '2026-06-30'
),
opened AS (
  SELECT DISTINCT actor, day FROM happened WHERE event_type = 'system.used' AND system = 'panel'
)
SELECT
  shown.as_of,
  count(DISTINCT opened.actor) AS numerator,
  count(DISTINCT sales_people.actor) AS denominator,
  count(DISTINCT opened.actor) / nullif(count(DISTINCT sales_people.actor), 0) AS value,
  1 AS target
FROM shown
LEFT JOIN sales_people ON sales_people.as_of = shown.day
LEFT JOIN opened
  ON opened.actor = sales_people.actor AND opened.day BETWEEN date_trunc('week', shown.day) AND shown.day
GROUP BY shown.as_of;

-- key result: revops.decisiones.auditorias
-- Mean accuracy that the quarter's audits have found so far in each system; in how many of the three it is 98 %. A system
-- that was not audited yet in the quarter has no accuracy that anybody knows.
WITH systems AS (SELECT unnest(['crm', 'soporte', 'facturacion']) AS member),
audited AS (
  SELECT as_of, member, coalesce(sum(score), 0) AS scores, count(score) AS audits, scores / nullif(audits, 0) AS accuracy
  FROM days
  CROSS JOIN systems
  LEFT JOIN happened
    ON event_type = 'audit.completed' AND system = member AND day BETWEEN date_trunc('quarter', as_of) AND as_of
  GROUP BY as_of, member
)
SELECT as_of, member, accuracy AS value, scores AS numerator, audits AS denominator, 0.98 AS target FROM audited
UNION ALL
SELECT as_of, NULL, met, met, if(met IS NULL, NULL, 3), 3
FROM (
  SELECT as_of, if(count(accuracy) = 3, count(*) FILTER (scores >= 0.98 * audits), NULL) AS met FROM audited GROUP BY as_of
);

-- key result: revops.expansion.lineas_producto
-- Product lines launched in the year so far, two of them asked for; and their part of the year's invoiced revenue, 15 %
-- asked for: what is invoiced of a line after it was launched. A line of an earlier year is none of them.
WITH launched AS (
  SELECT product, min(occurred_at) AS launched_at
  FROM happened
  WHERE event_type = 'product.launched' AND day >= DATE '2026-01-01'
  GROUP BY product
),
invoiced AS (
  SELECT happened.day, amount, if(occurred_at > launched_at, amount, 0) AS of_lines
  FROM happened
  LEFT JOIN launched USING (product)
  WHERE event_type IN ('invoice.issued', 'invoice.voided')
),
lines AS (
  SELECT as_of, count(DISTINCT product) AS launched
  FROM days
  LEFT JOIN happened ON event_type = 'product.launched' AND day BETWEEN DATE '2026-01-01' AND as_of
  GROUP BY as_of
),
revenue AS (
  SELECT as_of, coalesce(sum(of_lines), 0) AS of_lines, coalesce(sum(amount), 0) AS of_all
  FROM days
  LEFT JOIN invoiced ON day BETWEEN DATE '2026-01-01' AND as_of
  GROUP BY as_of
)
SELECT as_of, 'lanzamientos' AS member, launched AS value, launched AS numerator, NULL AS denominator, 2 AS target
FROM lines
UNION ALL
SELECT as_of, 'ingresos', of_lines / nullif(of_all, 0), of_lines, of_all, 0.15 FROM revenue
UNION ALL
SELECT as_of, NULL, met, met, 2, 2
FROM (
  SELECT
    as_of,
    CAST(launched >= 2 AS INTEGER)
      + CAST(coalesce(of_lines / nullif(of_all, 0) >= 0.15 * (1 - 1e-12), false) AS INTEGER) AS met
  FROM lines JOIN revenue USING (as_of)
);

-- key result: revops.expansion.mercados
-- Markets entered in the year so far: those with a sale, and none before the year; two of them asked for. And what was
-- sold in them. A sale in no market that was named is in none of them.
WITH known AS (
  SELECT DISTINCT market FROM happened WHERE event_type = 'deal.won' AND day < DATE '2026-01-01' AND market IS NOT NULL
),
entered AS (
  SELECT as_of, count(DISTINCT market) AS markets, coalesce(sum(amount), 0) AS sales
  FROM days
  LEFT JOIN happened
    ON event_type = 'deal.won'
    AND day BETWEEN DATE '2026-01-01' AND as_of
    AND market IS NOT NULL
    AND market NOT IN (SELECT market FROM known)
  GROUP BY as_of
)
SELECT as_of, 'mercados' AS member, markets AS value, markets AS numerator, NULL AS denominator, 2 AS target FROM entered
UNION ALL
SELECT as_of, 'ventas', sales, sales, NULL, 60000 FROM entered
UNION ALL
SELECT as_of, NULL, met, met, 2, 2
FROM (SELECT as_of, CAST(markets >= 2 AS INTEGER) + CAST(sales >= 60000 AS INTEGER) AS met FROM entered);

-- key result: revops.expansion.alianzas
-- Strategic partnerships signed in the nine months so far.
SELECT as_of, count(event_id) AS value, 3 AS target
FROM days
LEFT JOIN happened ON event_type = 'partnership.signed' AND day BETWEEN DATE '2026-01-01' AND as_of
WHERE as_of <= DATE '2026-09-30'
GROUP BY as_of;
