-- Products of earlier versions have no limit. The previous version ignores limits, so set the first one after a deployment has finished.
ALTER TABLE product
  ADD COLUMN max_per_customer INT     NULL COMMENT 'Units of one customer over all orders that hold stock or are paid. Null: no limit.',
  ADD COLUMN counted          BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'Its orders are in counted_item: it has, or once had, a limit.',
  ALGORITHM=INSTANT;
