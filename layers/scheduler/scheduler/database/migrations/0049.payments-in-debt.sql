-- A payment that leaves a debt sets no mark, so failed payments that were counted meanwhile are counted again by this.

ALTER TABLE users
  ADD COLUMN IF NOT EXISTS paid_in_debt_at DATETIME(6) NULL COMMENT 'the newest time of a payment that left the account in debt';
