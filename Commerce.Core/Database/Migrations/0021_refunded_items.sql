-- What finished refunds by line took off a line.
ALTER TABLE order_item
  ADD COLUMN refunded        INT    NOT NULL DEFAULT 0,
  ADD COLUMN restocked       INT    NOT NULL DEFAULT 0 COMMENT 'Of the refunded units: returned to the stock.',
  ADD COLUMN refunded_amount BIGINT NOT NULL DEFAULT 0 COMMENT 'Whole KRW.',
  ALGORITHM=INSTANT;
