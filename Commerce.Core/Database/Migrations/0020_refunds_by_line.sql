-- The lines that a refund names. A refund without lines is one of an amount. The previous version does not know them: a refund by line that it completes
-- changes no line and returns no stock, so refund by line after a deployment has finished.
CREATE TABLE IF NOT EXISTS refund_line (
  refund_id  VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  product_id BIGINT  NOT NULL,
  quantity   INT     NOT NULL,
  amount     BIGINT  NOT NULL COMMENT 'Whole KRW. Those of a refund add up to its amount.',
  restock    BOOLEAN NOT NULL COMMENT 'Whether the units return to the stock.',
  PRIMARY KEY (refund_id, product_id),
  CONSTRAINT refund_line_quantity CHECK (quantity > 0)
);
