"""Rows that an organisation declares to be events, wherever they come from: a file, or a table of a database.

Belongs here: what may be declared of rows (`declaration`, `checks`), what a cell says (`cells`), what rows say
(`mapping`, `states`), whom they name (`people`). Does not: where rows come from (`pipelines.files`, `pipelines.sql`).
"""
