-- Any payment ends the hold of failed payments; that of billing.overdue stays while the account is in debt.

ALTER TABLE users
  ADD COLUMN IF NOT EXISTS hold_in_debt TINYINT(1) NOT NULL DEFAULT 1 COMMENT 'whether a billing hold stays while the account is in debt';
