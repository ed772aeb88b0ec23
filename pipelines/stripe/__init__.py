"""Stripe: what a company has invoiced and what it was paid.

Invoices become `invoice.issued`, `invoice.paid` and `invoice.voided`, charges become `payment.received`. Refunds,
disputes, payouts and subscriptions are not read.
"""
