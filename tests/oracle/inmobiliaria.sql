-- What the estate agency's key results are, said a second time: in SQL, from their wording, for an engine that shares no
-- code with the compiler. One query a key result, under a line `-- key result: <id>`.

-- views
-- Public holidays of the Community of Madrid in 2026, as its government published them.
CREATE TABLE holidays AS
SELECT * FROM (VALUES
  (DATE '2026-01-01'), (DATE '2026-01-06'), (DATE '2026-04-02'), (DATE '2026-04-03'), (DATE '2026-05-01'),
  (DATE '2026-05-02'), (DATE '2026-08-15'), (DATE '2026-10-12'), (DATE '2026-11-02'), (DATE '2026-12-07'),
  (DATE '2026-12-08'), (DATE '2026-12-25')
) AS published(day);

-- key result: inmobiliaria.facturacion
-- Invoiced revenue of the year, 10 % above the year before; what is declared void counts back.
SELECT
  as_of,
  coalesce(sum(amount) FILTER (year(day) = 2026 AND day <= as_of), 0) AS value,
  coalesce(sum(amount) FILTER (year(day) = 2025), 0) AS baseline,
  CAST(coalesce(sum(amount) FILTER (year(day) = 2025), 0) AS DECIMAL(30, 6)) * 1.10 AS target
FROM days
LEFT JOIN happened ON event_type IN ('invoice.issued', 'invoice.voided')
GROUP BY as_of;

-- key result: inmobiliaria.marketing.leads
-- New potential customers of the month.
SELECT as_of, count(event_id) AS value
FROM days
LEFT JOIN happened ON event_type = 'lead.created' AND day BETWEEN date_trunc('month', as_of) AND as_of
GROUP BY as_of;

-- key result: inmobiliaria.marketing.seguidores
-- Followers gained since the year began, in each network: what its profiles had when last read, less what they had when
-- last read before the year; a profile that was not yet read then has gained since it was first read. A network none of
-- whose profiles was ever read has no gain that anybody knows. Of the networks: how many gained the thousand.
WITH networks AS (
  SELECT unnest(['facebook', 'linkedin', 'youtube', 'instagram', 'x']) AS network
),
profiles AS (
  SELECT
    as_of,
    network,
    subject_id,
    arg_max(quantity, occurred_at) AS followers,
    coalesce(
      arg_max(quantity, occurred_at) FILTER (day < DATE '2026-01-01'), arg_min(quantity, occurred_at)
    ) AS at_the_start
  FROM days
  JOIN happened ON event_type = 'followers.observed' AND day <= as_of
  GROUP BY as_of, network, subject_id
),
gained AS (
  SELECT as_of, network, sum(followers - at_the_start) AS followers
  FROM days
  CROSS JOIN networks
  LEFT JOIN profiles USING (as_of, network)
  GROUP BY as_of, network
)
SELECT as_of, network AS member, followers AS value, followers AS numerator, NULL AS denominator, 1000 AS target
FROM gained
UNION ALL
SELECT as_of, NULL, reached, reached, if(reached IS NULL, NULL, 5), 5
FROM (
  SELECT as_of, if(count(followers) = 5, count(*) FILTER (followers >= 1000), NULL) AS reached FROM gained GROUP BY as_of
);

-- key result: inmobiliaria.marketing.post_diario
-- Posts of the day, on whichever network: with one of them it is a day with a post.
SELECT as_of, count(event_id) AS value
FROM days
LEFT JOIN happened ON event_type = 'post.published' AND day = as_of
GROUP BY as_of;

-- key result: inmobiliaria.marketing.video_mensual
-- Videos of the month on YouTube.
SELECT as_of, count(event_id) AS value
FROM days
LEFT JOIN happened
  ON event_type = 'video.published' AND network = 'youtube' AND day BETWEEN date_trunc('month', as_of) AND as_of
GROUP BY as_of;

-- key result: inmobiliaria.marketing.articulos
-- Blog articles of the month.
SELECT as_of, count(event_id) AS value
FROM days
LEFT JOIN happened ON event_type = 'article.published' AND day BETWEEN date_trunc('month', as_of) AND as_of
GROUP BY as_of;

-- key result: inmobiliaria.marketing.colaboracion
-- Collaborations agreed in the month.
SELECT as_of, count(event_id) AS value
FROM days
LEFT JOIN happened ON event_type = 'collaboration.agreed' AND day BETWEEN date_trunc('month', as_of) AND as_of
GROUP BY as_of;

-- key result: inmobiliaria.marketing.evento
-- Real-estate events of the quarter.
SELECT as_of, count(event_id) AS value
FROM days
LEFT JOIN happened ON event_type = 'event.attended' AND day BETWEEN date_trunc('quarter', as_of) AND as_of
GROUP BY as_of;

-- key result: inmobiliaria.marketing.portales
-- Portals published on so far; two more than on the eve of the year are asked for.
WITH debuts AS (
  SELECT portal, min(day) AS day FROM happened WHERE event_type = 'listing.published' AND portal IS NOT NULL GROUP BY portal
)
SELECT
  as_of,
  (SELECT count(*) FROM debuts WHERE day <= as_of) AS value,
  (SELECT count(*) FROM debuts WHERE day <= DATE '2025-12-31') AS baseline,
  (SELECT count(*) FROM debuts WHERE day <= DATE '2025-12-31') + 2 AS target
FROM days;

-- key result: inmobiliaria.ventas.operaciones
-- Sales closed in the month.
SELECT as_of, count(event_id) AS value
FROM days
LEFT JOIN happened ON event_type = 'deal.won' AND day BETWEEN date_trunc('month', as_of) AND as_of
GROUP BY as_of;

-- key result: inmobiliaria.ventas.captaciones
-- Properties taken on in the month.
SELECT as_of, count(event_id) AS value
FROM days
LEFT JOIN happened ON event_type = 'listing.captured' AND day BETWEEN date_trunc('month', as_of) AND as_of
GROUP BY as_of;

-- key result: inmobiliaria.ventas.exclusivas
-- Of the month's properties, those with an exclusive mandate.
SELECT
  as_of,
  count(event_id) FILTER (mandate = 'exclusive') AS value,
  count(event_id) AS denominator
FROM days
LEFT JOIN happened ON event_type = 'listing.captured' AND day BETWEEN date_trunc('month', as_of) AND as_of
GROUP BY as_of;

-- key result: inmobiliaria.ventas.visitas
-- Property visits of the month.
SELECT as_of, count(event_id) AS value
FROM days
LEFT JOIN happened ON event_type = 'visit.held' AND day BETWEEN date_trunc('month', as_of) AND as_of
GROUP BY as_of;

-- key result: inmobiliaria.ventas.buzoneo
-- Flyers handed out on the week's best day (ISO weeks; the first one of 2026 begins on 29 December 2025).
WITH rounds AS (
  SELECT day, sum(quantity) AS flyers FROM happened WHERE event_type = 'flyers.distributed' GROUP BY day
)
SELECT as_of, coalesce(max(flyers), 0) AS value
FROM days
LEFT JOIN rounds ON day BETWEEN date_trunc('week', as_of) AND as_of
GROUP BY as_of;

-- key result: inmobiliaria.clientes.referidos
-- Referrals of the month by customers who had closed a sale before they recommended.
SELECT as_of, count(referral.event_id) AS value
FROM days
LEFT JOIN happened AS referral
  ON referral.event_type = 'referral.received'
  AND referral.day BETWEEN date_trunc('month', as_of) AND as_of
  AND EXISTS (
    FROM happened AS sale
    WHERE sale.event_type = 'deal.won'
      AND sale.account_id = referral.account_id
      AND sale.occurred_at < referral.occurred_at
  )
GROUP BY as_of;

-- key result: inmobiliaria.clientes.satisfaccion
-- Satisfied answers over answers, of the last 90 days.
SELECT
  as_of,
  count(event_id) FILTER (rating = 'good') AS numerator,
  count(event_id) FILTER (rating IS NOT NULL) AS denominator,
  count(event_id) FILTER (rating = 'good') / nullif(count(event_id) FILTER (rating IS NOT NULL), 0) AS value
FROM days
LEFT JOIN happened ON event_type = 'survey.answered' AND day BETWEEN as_of - 89 AND as_of
GROUP BY as_of;

-- key result: inmobiliaria.clientes.llamadas
-- Contacts called on the working day, by the agency and not the other way round; a day off shows the last working day of
-- the year before it.
WITH working AS (
  SELECT as_of AS day FROM days WHERE isodow(as_of) <= 5 AND as_of NOT IN (SELECT day FROM holidays)
),
shown AS (
  SELECT as_of, max(working.day) AS day FROM days JOIN working ON working.day <= as_of GROUP BY as_of
)
SELECT as_of, count(DISTINCT call.account_id) AS value
FROM shown
LEFT JOIN happened AS call
  ON call.event_type = 'call.made'
  AND call.direction = 'outbound'
  AND call.day = shown.day
GROUP BY as_of;
